//! A clock that once ran ahead is told wherever operators look, and keeps nobody out.

use std::time::Duration;

use bailee_core::party::Role;
use bailee_server::House;
use bailee_server::api::words::TokenScope;

use crate::common::{letter, on_disk, party, people, reopened, start, take};
use crate::http::{Served, token};

const DAYS: u32 = 64;
const TOLD: &str = "the log's last entry is 64 days ahead of this machine's clock";

/// `check` of the house, which stays good.
fn checked(house: &House) -> Option<String> {
    house.checkpoint_over(house.with_state(|s| s.head).unwrap()).unwrap();
    let report = bailee_server::api::check(house, &mut |_| ()).unwrap();
    assert!(report.good, "{report:?}");
    report.clock
}

#[test]
fn a_log_that_is_ahead_of_the_clock_is_told_everywhere_and_takes_letters() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let staff = people(&house).ada;
    let reader = token(&house, staff, TokenScope::Reader);
    assert_eq!(checked(&house), None);
    house.clock().tell(start().plus_days(DAYS));
    party(&house, "Otto", Role::Owner);
    drop(house);

    let house = reopened(dir.path(), start()).unwrap();
    let told = checked(&house).unwrap();
    assert!(told.starts_with(TOLD) && told.ends_with("look at the clock"), "{told}");
    let served = Served::start(house);
    let ready = served.get("/readyz", "");
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains(&format!("clock: {TOLD}")), "{}", ready.text());
    let seconds = Duration::from_secs(u64::from(DAYS) * 86_400).as_secs();
    let metrics = served.get("/metrics", &reader);
    let line = format!("\nbailee_log_ahead_seconds {seconds}\n");
    assert!(metrics.text().contains(&line), "{}", metrics.text());
    served.end();

    let house = reopened(dir.path(), start().plus_days(DAYS)).unwrap();
    take(&house, &letter(1)).unwrap();
    let told = checked(&house).expect("it has caught up, and is not believed yet");
    assert!(told.starts_with("the log saw nothing between 2"), "{told}");
    drop(house);

    let house = reopened(dir.path(), start().plus_days(DAYS + 1)).unwrap();
    house.tick().unwrap();
    house.clock().tell(start().plus_days(DAYS + 2));
    house.tick().unwrap();
    assert_eq!(checked(&house), None, "it was seen running");
    let served = Served::start(house);
    assert!(!served.get("/readyz", "").text().contains("clock:"));
}
