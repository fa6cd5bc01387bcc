//! Time: microseconds since 1970 UTC, and the day counting of clocks.
//!
//! Invariant: due times are computed once, in `decide`, and recorded in the event. A later change
//! of zone rules cannot move a due time that was already promised.

use std::fmt;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// An instant, microseconds since the Unix epoch, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode,
)]
#[cbor(transparent)]
pub struct Time(pub i64);

impl Time {
    /// From Unix seconds.
    pub const fn from_unix(seconds: i64) -> Time {
        Time(seconds.saturating_mul(1_000_000))
    }

    /// Whole Unix seconds, rounded down.
    pub const fn unix(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// `seconds` later.
    pub const fn plus_seconds(self, seconds: u32) -> Time {
        Time(self.0.saturating_add(seconds as i64 * 1_000_000))
    }

    /// `days` of exactly 24 hours later.
    pub const fn plus_days(self, days: u32) -> Time {
        Time(self.0.saturating_add(days as i64 * 86_400_000_000))
    }

    /// Parses `2012-03-01`, `2012-03-01 09:15` or RFC 3339; without an offset, UTC.
    pub fn parse(text: &str) -> Option<Time> {
        let text = text.trim();
        if let Ok(stamp) = text.parse::<Timestamp>() {
            return Some(Time(stamp.as_microsecond()));
        }
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
        Some(Time(zoned.timestamp().as_microsecond()))
    }

    /// The first instant of the next calendar day in UTC.
    pub const fn next_day(self) -> Time {
        Time(self.day().saturating_add(1).saturating_mul(86_400_000_000))
    }

    /// Calendar day in UTC as days since the epoch: the unit of rate limits.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(stamp) => write!(f, "{}", stamp.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => write!(f, "(time out of range)"),
        }
    }
}

/// How the days of a clock are counted. A field of each instrument, never an assumption.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct DayRule {
    /// IANA zone in which days begin and end, e.g. `Europe/Amsterdam`.
    #[n(0)]
    pub zone: String,
    /// When on the last day the clock falls due.
    #[n(1)]
    pub until: Until,
    /// What happens when the last day is a Saturday or Sunday.
    #[n(2)]
    pub weekend: Weekend,
}

/// When on the last day a clock falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Until {
    /// At the same time of day as it started.
    #[n(0)]
    SameTime,
    /// At the first instant after the last day (Reg. (EEC) 1182/71 art. 3).
    #[n(1)]
    EndOfDay,
}

/// What a weekend does to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Weekend {
    /// Nothing: calendar days.
    #[n(0)]
    Counts,
    /// A clock never ends on one: it runs to the Monday.
    #[n(1)]
    RollsToMonday,
}

impl DayRule {
    /// Calendar days in UTC, to the second.
    pub fn plain() -> DayRule {
        DayRule { zone: "UTC".into(), until: Until::SameTime, weekend: Weekend::Counts }
    }

    /// The instant a clock of `days` falls due that started at `from`; `None` if the zone is
    /// unknown or the date is out of range.
    pub fn due(&self, from: Time, days: u32) -> Option<Time> {
        let zone = TimeZone::get(&self.zone).ok()?;
        let start = Timestamp::from_microsecond(from.0).ok()?.to_zoned(zone);
        let span = Span::new().try_days(days).ok()?;
        let mut end = start.checked_add(span).ok()?;
        if self.until == Until::EndOfDay {
            end = end.tomorrow().ok()?.start_of_day().ok()?;
        }
        if self.weekend == Weekend::RollsToMonday {
            end = self.roll(end)?;
        }
        Some(Time(end.timestamp().as_microsecond()))
    }

    /// Moves an end that closes a Saturday or a Sunday to the close of the Monday.
    fn roll(&self, mut end: jiff::Zoned) -> Option<jiff::Zoned> {
        loop {
            let last = match self.until {
                Until::EndOfDay => end.yesterday().ok()?,
                Until::SameTime => end.clone(),
            };
            if !matches!(last.weekday(), Weekday::Saturday | Weekday::Sunday) {
                return Some(end);
            }
            end = end.tomorrow().ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    #[test]
    fn sixty_days_end_of_day_in_amsterdam_cross_the_summer_time_change() {
        let rule = DayRule {
            zone: "Europe/Amsterdam".into(),
            until: Until::EndOfDay,
            weekend: Weekend::Counts,
        };
        let due = rule.due(time("2026-03-01 10:00"), 60).unwrap();
        assert_eq!(due.to_string(), "2026-04-30T22:00:00Z");
    }

    #[test]
    fn a_clock_that_ends_on_a_saturday_rolls_to_the_monday() {
        let mut rule = DayRule::plain();
        rule.weekend = Weekend::RollsToMonday;
        let due = rule.due(time("2026-08-14 12:00"), 1).unwrap();
        assert_eq!(due.to_string(), "2026-08-17T12:00:00Z");
        rule.until = Until::EndOfDay;
        let due = rule.due(time("2026-08-14 12:00"), 1).unwrap();
        assert_eq!(due.to_string(), "2026-08-18T00:00:00Z");
    }

    #[test]
    fn an_unknown_zone_gives_no_due_time() {
        let rule = DayRule { zone: "Mars/Olympus".into(), ..DayRule::plain() };
        assert_eq!(rule.due(time("2026-01-01"), 1), None);
    }

    #[test]
    fn a_start_out_of_range_gives_no_due_time() {
        assert_eq!(DayRule::plain().due(Time(i64::MAX), 1), None);
        assert_eq!(DayRule::plain().due(Time(0), u32::MAX), None);
        assert_eq!(Time::parse("the ides of March"), None);
    }
}
