//! Sleep schedules: when a worker must be asleep.
//!
//! ```text
//!            start            end
//!  ──────────┤                ├──────────── 09:00–18:00    asleep in between, on the days listed
//!  ┤ end                          start ├── 18:00–09:00    over midnight: from start on a day listed
//!                                                          to end on the day after
//! ```
//!
//! Without a start the worker sleeps from midnight, without an end until midnight, and without days every day. Times
//! are those of the wall clock where the manager runs, and last from the minute of the start up to, and without, the
//! minute of the end.
//!
//! A schedule is applied when [`SleepSchedule::next_check`] comes, and not in between: what somebody changed by hand
//! lasts until then.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc,
};

use crate::worker::{StatusRequest, WorkerStatus};

/// Why a schedule is refused. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Not one of the seven days.
    #[error("{0:?} is not a day; write mo, tu, we, th, fr, sa or su, separated by blanks")]
    Day(String),
    /// Not a time of day.
    #[error("{0:?} is not a time of day; write it as 09:30, from 00:00 to 23:59, or leave it empty")]
    Time(String),
    /// A window without length.
    #[error(
        "start and end are the same, so the worker would never sleep; leave both empty for the whole day"
    )]
    NeverAsleep,
}

/// Some days of the week. None means all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DaysOfWeek {
    /// Bit 0 is Monday.
    bits: u8,
}

const DAY_NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl DaysOfWeek {
    /// Whether a date is on one of the days.
    #[must_use]
    pub fn include(self, date: NaiveDate) -> bool {
        self.bits == 0 || self.bits & (1 << date.weekday().num_days_from_monday()) != 0
    }
}

impl FromStr for DaysOfWeek {
    type Err = InvalidSchedule;

    /// Reads days separated by blanks or commas; at least two letters of each.
    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let mut days = Self::default();
        for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
            let lower = word.to_lowercase();
            let day = DAY_NAMES.iter().position(|name| lower.len() >= 2 && name.starts_with(&lower));
            let day = day.ok_or_else(|| InvalidSchedule::Day(word.to_owned()))?;
            days.bits |= 1 << day;
        }
        Ok(days)
    }
}

impl fmt::Display for DaysOfWeek {
    /// Writes two letters of each day, in the order of the week.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = DAY_NAMES.iter().enumerate().filter(|(day, _)| self.bits & (1 << day) != 0);
        let names: Vec<_> = days.map(|(_, name)| &name[..2]).collect();
        formatter.write_str(&names.join(" "))
    }
}

/// A time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// Minutes on the wall clock since midnight; below 1440.
    minutes: u16,
}

impl TimeOfDay {
    const MIDNIGHT: Self = Self { minutes: 0 };

    /// Reads `09:30`. An empty text is no time.
    ///
    /// # Errors
    /// [`InvalidSchedule::Time`] for anything that is not a time from 00:00 to 23:59.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidSchedule> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let number = |digits: &str, longest: usize, below: u16| {
            let plausible =
                (1..=longest).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|value| plausible && *value < below)
        };
        let time =
            text.split_once(':').filter(|(_, minutes)| minutes.len() == 2).and_then(|(hours, minutes)| {
                Some(Self { minutes: number(hours, 2, 24)? * 60 + number(minutes, 2, 60)? })
            });
        time.map(Some).ok_or_else(|| InvalidSchedule::Time(text.to_owned()))
    }

    fn of(time: NaiveDateTime) -> Self {
        // At most 23 * 60 + 59.
        Self { minutes: (time.hour() * 60 + time.minute()) as u16 }
    }

    /// This time on a date.
    fn on(self, date: NaiveDate) -> NaiveDateTime {
        date.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(i64::from(self.minutes))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

/// When a worker must be asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SleepSchedule {
    /// Whether it is applied at all.
    pub is_active: bool,
    /// The days on which a sleep begins.
    pub days: DaysOfWeek,
    start: Option<TimeOfDay>,
    end: Option<TimeOfDay>,
}

impl SleepSchedule {
    /// A schedule from its parts as they are on the wire: days in words, times as `09:30` or empty.
    ///
    /// # Errors
    /// The first part that cannot be read, or [`InvalidSchedule::NeverAsleep`].
    pub fn parse(is_active: bool, days: &str, start: &str, end: &str) -> Result<Self, InvalidSchedule> {
        let (start, end) = (TimeOfDay::parse(start)?, TimeOfDay::parse(end)?);
        // An end at midnight without a start is no window either: it would begin and end at once.
        if end.is_some() && end == start.or(Some(TimeOfDay::MIDNIGHT)) {
            return Err(InvalidSchedule::NeverAsleep);
        }
        Ok(Self { is_active, days: days.parse()?, start, end })
    }

    /// When sleep begins; `None` is midnight.
    #[must_use]
    pub fn start(&self) -> Option<TimeOfDay> {
        self.start
    }

    /// When sleep ends; `None` is midnight.
    #[must_use]
    pub fn end(&self) -> Option<TimeOfDay> {
        self.end
    }

    /// Whether the worker must be asleep at a time of the wall clock. Never when the schedule is not active.
    #[must_use]
    pub fn is_asleep(&self, local: NaiveDateTime) -> bool {
        if !self.is_active {
            return false;
        }
        let today = local.date();
        let time = TimeOfDay::of(local);
        let start = self.start.unwrap_or(TimeOfDay::MIDNIGHT);
        let begun = self.days.include(today) && time >= start;
        match self.end {
            None => begun,
            Some(end) if start < end => begun && time < end,
            Some(end) => begun || (time < end && today.pred_opt().is_some_and(|day| self.days.include(day))),
        }
    }

    /// The status a worker must have at a moment.
    #[must_use]
    pub fn wanted_status<Z: TimeZone>(&self, now: DateTime<Utc>, zone: &Z) -> WorkerStatus {
        match self.is_asleep(now.with_timezone(zone).naive_local()) {
            true => WorkerStatus::Asleep,
            false => WorkerStatus::Awake,
        }
    }

    /// When the wanted status can next change: the first start, end or midnight after a moment.
    #[must_use]
    pub fn next_check<Z: TimeZone>(&self, now: DateTime<Utc>, zone: &Z) -> DateTime<Utc> {
        let today = now.with_timezone(zone).date_naive();
        let tomorrow = today.checked_add_days(Days::new(1));
        let times = [Some(TimeOfDay::MIDNIGHT), self.start, self.end];
        let boundaries = [Some(today), tomorrow]
            .into_iter()
            .flatten()
            .flat_map(|date| times.into_iter().flatten().flat_map(move |time| moments(time.on(date), zone)));
        // There is always a midnight ahead, except at the end of the calendar.
        boundaries.filter(|moment| *moment > now).min().unwrap_or(now + TimeDelta::days(1))
    }
}

/// The moments at which wall clocks show a time: two when clocks are set back over it. When they are set forward over
/// it, the moment they are.
fn moments<Z: TimeZone>(local: NaiveDateTime, zone: &Z) -> impl Iterator<Item = DateTime<Utc>> {
    // Whole days have been skipped, but never more.
    const LONGEST_GAP_MINUTES: i64 = 24 * 60;
    let found = (0..=LONGEST_GAP_MINUTES).find_map(|minutes| {
        match (local + TimeDelta::minutes(minutes)).and_local_timezone(zone.clone()) {
            MappedLocalTime::None => None,
            MappedLocalTime::Single(moment) => Some((moment, None)),
            MappedLocalTime::Ambiguous(first, second) => Some((first, Some(second))),
        }
    });
    let (first, second) = found.map_or((None, None), |(first, second)| (Some(first), second));
    first.into_iter().chain(second).map(|moment| moment.with_timezone(&Utc))
}

/// What to ask of a worker so that it gets the status its schedule wants, overruling whatever else it was asked for.
///
/// Nothing when it has that status, or was already asked to take it at once, or is in error: a schedule does not
/// revive a worker that somebody has to look at.
#[must_use]
pub fn request(
    wanted: WorkerStatus,
    status: WorkerStatus,
    requested: Option<StatusRequest>,
) -> Option<StatusRequest> {
    let request = StatusRequest { status: wanted, lazy: false };
    let is_done = match requested {
        Some(already) => already == request,
        None => status == wanted,
    };
    (status != WorkerStatus::Error && !is_done).then_some(request)
}

#[cfg(test)]
mod tests;
