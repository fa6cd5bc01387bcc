//! `bailee timestamps`, and the timestamps' part of `bailee settle`.

use std::time::Duration;

use bailee_server::House;
use serde_json::Value;

use crate::act::page;
use crate::cli::Reach;
use crate::cli::ask::ListArgs;
use crate::door::Door;
use crate::print::{self, Style};
use crate::trouble::Trouble;

/// Longest that `settle` waits for authorities.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// Has authorities asked for what is due; remarks what could not be had. The number of those.
pub(crate) fn settle(house: &House) -> usize {
    let left = house.stamp(PATIENCE);
    for line in &left {
        print::remark(&format!("still pending: {}", print::safe(line)));
    }
    left.len()
}
