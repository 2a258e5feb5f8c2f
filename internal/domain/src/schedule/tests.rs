use super::*;
use chrono::{FixedOffset, NaiveTime};
use proptest::prelude::*;

fn schedule(days: &str, start: &str, end: &str) -> SleepSchedule {
    SleepSchedule::parse(true, days, start, end).unwrap()
}

/// A time in the week of Monday 2 March 2026.
fn at(day: u32, time: &str) -> NaiveDateTime {
    let time: NaiveTime = time.parse().unwrap();
    NaiveDate::from_ymd_opt(2026, 3, day + 1).unwrap().and_time(time)
}

#[test]
fn asleep_table() {
    // Day 1 is Monday.
    for (days, start, end, day, time, asleep) in [
        ("", "09:00", "18:00", 2, "08:47:00", false),
        ("", "09:00", "18:00", 2, "11:16:00", true),
        ("", "09:00", "18:00", 2, "19:16:00", false),
        ("", "09:00", "18:00", 2, "08:59:59", false),
        ("", "09:00", "18:00", 2, "09:00:00", true),
        ("", "09:00", "18:00", 2, "17:59:59", true),
        ("", "09:00", "18:00", 2, "18:00:00", false),
        ("", "", "", 2, "07:47:00", true),
        ("", "09:00", "", 2, "10:47:00", true),
        ("", "09:00", "", 2, "08:47:00", false),
        ("", "", "18:00", 2, "07:47:00", true),
        ("", "", "18:00", 2, "18:47:00", false),
        ("mo we", "09:00", "18:00", 2, "11:16:00", false),
        ("tu th fr", "09:00", "18:00", 2, "11:16:00", true),
        ("mo we", "", "", 2, "11:16:00", false),
        // Over midnight: the night belongs to the day on which it begins.
        ("", "18:00", "09:00", 2, "12:00:00", false),
        ("", "18:00", "09:00", 2, "18:00:00", true),
        ("", "18:00", "09:00", 2, "08:59:00", true),
        ("", "18:00", "09:00", 2, "09:00:00", false),
        ("fr", "18:00", "09:00", 5, "08:00:00", false),
        ("fr", "18:00", "09:00", 5, "23:00:00", true),
        ("fr", "18:00", "09:00", 6, "08:00:00", true),
        ("fr", "18:00", "09:00", 6, "18:00:00", false),
        ("su", "18:00", "09:00", 8, "08:00:00", true),
        ("", "18:00", "00:00", 2, "23:59:00", true),
        ("", "18:00", "00:00", 2, "00:00:00", false),
    ] {
        let found = schedule(days, start, end).is_asleep(at(day, time));
        assert_eq!(found, asleep, "{days:?} {start}-{end} on day {day} at {time}");
    }
}

#[test]
fn an_inactive_schedule_wants_nobody_asleep() {
    let schedule = SleepSchedule::parse(false, "", "", "").unwrap();
    assert!(!schedule.is_asleep(at(1, "12:00:00")));
    assert_eq!(schedule.wanted_status(DateTime::UNIX_EPOCH, &Utc), WorkerStatus::Awake);
}

#[test]
fn next_check_table() {
    for (start, end, now, expected) in [
        ("09:00", "18:00", "11:16:00", at(2, "18:00:00")),
        ("09:00", "18:00", "19:16:00", at(3, "00:00:00")),
        ("09:00", "18:00", "08:47:00", at(2, "09:00:00")),
        ("", "", "07:47:00", at(3, "00:00:00")),
        ("09:00", "", "10:47:00", at(3, "00:00:00")),
        ("", "18:00", "07:47:00", at(2, "18:00:00")),
        ("18:00", "09:00", "19:16:00", at(3, "00:00:00")),
        ("18:00", "09:00", "00:00:00", at(2, "09:00:00")),
        // At a boundary the status is applied, so the next one counts.
        ("09:00", "18:00", "09:00:00", at(2, "18:00:00")),
    ] {
        let zone = FixedOffset::east_opt(2 * 3600).unwrap();
        let now = at(2, now).and_local_timezone(zone).unwrap().with_timezone(&Utc);
        let found = schedule("", start, end).next_check(now, &zone);
        assert_eq!(found.with_timezone(&zone).naive_local(), expected, "{start}-{end} at {now}");
    }
}

#[test]
fn days_are_cleaned() {
    for (text, expected) in [
        ("", ""),
        ("  mo   tu we \n", "mo tu we"),
        ("monday tuesday wed", "mo tu we"),
        ("mo,tu", "mo tu"),
        ("SU, Mo", "mo su"),
        ("mo mo", "mo"),
    ] {
        assert_eq!(text.parse::<DaysOfWeek>().unwrap().to_string(), expected, "{text:?}");
    }
    for text in ["m", "xx", "mo-fr", "mondays", "mo\u{e4}"] {
        assert_eq!(text.parse::<DaysOfWeek>(), Err(InvalidSchedule::Day(text.to_owned())));
    }
}

#[test]
fn times_are_checked() {
    for (text, expected) in [("00:00", "00:00"), ("23:59", "23:59"), (" 9:05 ", "09:05"), ("09:05", "09:05")]
    {
        assert_eq!(TimeOfDay::parse(text).unwrap().unwrap().to_string(), expected);
    }
    assert_eq!(TimeOfDay::parse("  "), Ok(None));
    for text in [
        "24:00", "99:99", "12:60", "9", "09:5", "09:000", "+9:00", "09:+5", "09:00x", "09:00:00", ":30",
        "a:bc",
    ] {
        assert_eq!(TimeOfDay::parse(text), Err(InvalidSchedule::Time(text.to_owned())));
    }
}

#[test]
fn a_window_without_length_is_refused() {
    for (start, end) in [("09:00", "09:00"), ("00:00", "00:00"), ("", "00:00")] {
        assert_eq!(
            SleepSchedule::parse(true, "", start, end),
            Err(InvalidSchedule::NeverAsleep),
            "{start}-{end}"
        );
    }
    assert!(SleepSchedule::parse(true, "", "00:00", "").is_ok());
}

#[test]
fn request_table() {
    use WorkerStatus::{Asleep, Awake, Error, Offline};
    let ask = |status, lazy| Some(StatusRequest { status, lazy });
    for (wanted, status, requested, expected) in [
        (Asleep, Awake, None, ask(Asleep, false)),
        (Asleep, Asleep, None, None),
        (Awake, Awake, None, None),
        (Asleep, Awake, ask(Asleep, false), None),
        (Asleep, Awake, ask(Asleep, true), ask(Asleep, false)),
        (Asleep, Asleep, ask(Awake, false), ask(Asleep, false)),
        (Asleep, Offline, None, ask(Asleep, false)),
        (Awake, Offline, ask(Asleep, false), ask(Awake, false)),
        (Asleep, Error, None, None),
        (Awake, Error, ask(Asleep, true), None),
    ] {
        assert_eq!(request(wanted, status, requested), expected, "{wanted:?} for {status:?}, {requested:?}");
    }
}

/// A zone whose clocks are set once.
#[derive(Debug, Clone)]
struct SetOnce {
    change: NaiveDateTime,
    before: FixedOffset,
    after: FixedOffset,
}

impl TimeZone for SetOnce {
    type Offset = FixedOffset;

    fn from_offset(offset: &FixedOffset) -> Self {
        Self { change: NaiveDateTime::MIN, before: *offset, after: *offset }
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<FixedOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
        let before = *local - self.before < self.change;
        let after = *local - self.after >= self.change;
        match (before, after) {
            (true, true) => MappedLocalTime::Ambiguous(self.before, self.after),
            (true, false) => MappedLocalTime::Single(self.before),
            (false, true) => MappedLocalTime::Single(self.after),
            (false, false) => MappedLocalTime::None,
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> FixedOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
        if *utc < self.change { self.before } else { self.after }
    }
}

#[test]
fn clocks_that_are_set() {
    let hours = |hours: i32| FixedOffset::east_opt(hours * 3600).unwrap();
    let utc = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
    let change = utc("2026-03-29T01:00:00Z").naive_utc();
    // 02:00 becomes 03:00.
    let spring = SetOnce { change, before: hours(1), after: hours(2) };
    // 03:00 becomes 02:00.
    let autumn = SetOnce { change, before: hours(2), after: hours(1) };
    for (zone, start, now, expected) in [
        // 02:30 is skipped; the clocks are set at what would have been 02:00.
        (&spring, "02:30", "2026-03-29T00:10:00Z", "2026-03-29T01:00:00Z"),
        // A day of 23 hours.
        (&spring, "", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        // 02:30 comes twice.
        (&autumn, "02:30", "2026-03-29T00:10:00Z", "2026-03-29T00:30:00Z"),
        (&autumn, "02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
        (&autumn, "02:30", "2026-03-29T01:30:00Z", "2026-03-29T23:00:00Z"),
    ] {
        let found = schedule("", start, "").next_check(utc(now), zone);
        assert_eq!(found, utc(expected), "{start} at {now}");
    }
    // When the skipped time is over, so is the question.
    assert_eq!(
        schedule("", "02:30", "").wanted_status(utc("2026-03-29T01:00:00Z"), &spring),
        WorkerStatus::Asleep
    );
}

/// The windows of a schedule one by one, as people would draw them in a calendar.
fn drawn(schedule: &SleepSchedule, local: NaiveDateTime) -> bool {
    let today = local.date();
    [today.pred_opt().unwrap(), today].into_iter().filter(|day| schedule.days.include(*day)).any(|day| {
        let midnight = day.and_time(NaiveTime::MIN);
        let minutes = |time: TimeOfDay| TimeDelta::minutes(i64::from(time.minutes));
        let start = schedule.start.map_or(TimeDelta::zero(), minutes);
        let mut end = schedule.end.map_or(TimeDelta::days(1), minutes);
        if end <= start {
            end += TimeDelta::days(1);
        }
        (midnight + start..midnight + end).contains(&local)
    })
}

prop_compose! {
    fn any_schedule()(
        bits in 0u8..128,
        start in proptest::option::of(0u16..1440),
        end in proptest::option::of(0u16..1440),
    ) -> SleepSchedule {
        let time = |minutes: Option<u16>| minutes.map(|minutes| TimeOfDay { minutes });
        let text = |minutes| time(minutes).map_or(String::new(), |time| time.to_string());
        let days = DaysOfWeek { bits }.to_string();
        // A window without length becomes the whole day.
        SleepSchedule::parse(true, &days, &text(start), &text(end)).unwrap_or_else(|_| schedule(&days, "", ""))
    }
}

proptest! {
    #[test]
    fn agrees_with_a_calendar(schedule in any_schedule(), minute in 0i64..20_000) {
        let local = at(1, "00:00:00") + TimeDelta::minutes(minute);
        prop_assert_eq!(schedule.is_asleep(local), drawn(&schedule, local), "{}", local);
    }

    /// Between two checks nothing changes, minute by minute.
    #[test]
    fn no_change_is_missed(schedule in any_schedule(), second in 0i64..1_200_000, quarters in -48i32..=56) {
        let zone = FixedOffset::east_opt(quarters * 900).unwrap();
        let now = at(1, "00:00:00").and_utc() + TimeDelta::seconds(second);
        let next = schedule.next_check(now, &zone);
        prop_assert!(next > now && next - now <= TimeDelta::days(1), "{} after {}", next, now);
        let status = schedule.wanted_status(now, &zone);
        let mut moment = now;
        while moment < next {
            prop_assert_eq!(schedule.wanted_status(moment, &zone), status, "at {}", moment);
            moment += TimeDelta::minutes(1);
        }
        let just_before = next - TimeDelta::milliseconds(1);
        prop_assert_eq!(schedule.wanted_status(just_before, &zone), status);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A worker that is told only when a check is due does, in every minute of nine days, what the calendar says.
    #[test]
    fn checks_alone_keep_a_worker_to_its_calendar(schedule in any_schedule(), second in 0i64..86_400, quarters in -48i32..=56) {
        let zone = FixedOffset::east_opt(quarters * 900).unwrap();
        let start = at(1, "00:00:00").and_utc() + TimeDelta::seconds(second);
        let (mut status, mut next) = (schedule.wanted_status(start, &zone), schedule.next_check(start, &zone));
        for minute in 0..9 * 1440 {
            let now = start + TimeDelta::minutes(minute);
            if next <= now {
                status = schedule.wanted_status(now, &zone);
                next = schedule.next_check(now, &zone);
            }
            let local = now.with_timezone(&zone).naive_local();
            prop_assert_eq!(status == WorkerStatus::Asleep, drawn(&schedule, local), "at {}", local);
        }
    }
}
