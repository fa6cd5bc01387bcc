//! `bailee timestamps`.

use serde_json::Value;

use crate::act::page;
use crate::cli::Reach;
use crate::cli::ask::ListArgs;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// What is stamped, how the authorities stand, what is missing.
pub(crate) fn list(part: &ListArgs, reach: &Reach, style: Style) -> Result<(), Trouble> {
    let value = Door::open(reach)?.show(&page("timestamps", part))?;
    print::list(&value, style)?;
    if style == Style::Json {
        return Ok(());
    }
    let empty = Vec::new();
    let rows = |name: &str| value.get(name).and_then(Value::as_array).unwrap_or(&empty).clone();
    let authorities = rows("authorities");
    if authorities.is_empty() {
        return print::out("\nno timestamp authority is in the settings\n");
    }
    print::out("\n")?;
    print::table(&authorities)?;
    for line in rows("missing") {
        print::out(&format!("missing  {}\n", print::safe(line.as_str().unwrap_or_default())))?;
    }
    Ok(())
}
