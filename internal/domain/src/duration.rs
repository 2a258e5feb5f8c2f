//! Durations as text, in the notation of Go: `1h30m`, `1.5h`, `90s`, `0s`.
//!
//! The configuration file, the settings page and the API all carry durations in this form. Only zero may go without
//! a unit: a bare `90` could mean anything.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest duration that the notation can carry: the number of nanoseconds fits in 63 bits (about 292 years).
pub const MAX: Duration = Duration::from_nanos(i64::MAX as u64);

/// Units with their length in nanoseconds. Both Unicode spellings of "micro" are in use.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// More digits after the point than this change nothing: the finest unit of an hour is then below a nanosecond.
const FRACTION_DIGITS: usize = 15;

/// Why a text is not a duration. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing was given.
    #[error("the duration is empty; write for example \"10m\", or \"0s\" for none")]
    Empty,
    /// A number without a unit.
    #[error("{0:?} has no unit; write for example \"{1}s\" for seconds or \"{1}m\" for minutes")]
    NoUnit(String, String),
    /// A unit that does not exist.
    #[error("{text:?} has the unknown unit {unit:?}; units are h, m, s, ms, us and ns")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The part that should have been a unit.
        unit: String,
    },
    /// Something else than a number where a number should be.
    #[error("{0:?} is not a duration; write numbers with units, for example \"1h30m\" or \"90s\"")]
    NotADuration(String),
    /// Less than nothing.
    #[error("{0:?} is negative; write \"0s\" for none")]
    Negative(String),
    /// More than [`MAX`].
    #[error("{0:?} is too long; the longest duration is 292 years")]
    TooLong(String),
}

/// Reads a duration. Surrounding white space is ignored.
///
/// # Errors
/// [`ParseError`] when the text is not in the notation, is negative, or longer than [`MAX`].
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    let text = text.trim();
    let not_a_duration = || ParseError::NotADuration(text.to_owned());
    if text.is_empty() {
        return Err(ParseError::Empty);
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(not_a_duration());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (number, after_number) = split_number(rest);
        if !number.contains(|c: char| c.is_ascii_digit()) {
            return Err(not_a_duration());
        }
        let unit_length =
            after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
        let (unit, after_unit) = after_number.split_at(unit_length);
        if unit.is_empty() {
            return Err(match after_number {
                "" => ParseError::NoUnit(text.to_owned(), number.to_owned()),
                _ => not_a_duration(),
            });
        }
        let Some(&(_, unit_nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(ParseError::UnknownUnit { text: text.to_owned(), unit: unit.to_owned() });
        };
        nanos = scale(number, unit_nanos)
            .and_then(|part| nanos.checked_add(part))
            .filter(|sum| *sum <= MAX.as_nanos())
            .ok_or_else(|| ParseError::TooLong(text.to_owned()))?;
        rest = after_unit;
    }
    if negative && nanos > 0 {
        return Err(ParseError::Negative(text.to_owned()));
    }
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| ParseError::TooLong(text.to_owned()))
}

/// Splits a number with at most one point off the front.
fn split_number(text: &str) -> (&str, &str) {
    let mut seen_point = false;
    let end = text
        .find(|c: char| match c {
            '.' if !seen_point => {
                seen_point = true;
                false
            }
            _ => !c.is_ascii_digit(),
        })
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A decimal number times a unit, cut below the nanosecond. `None` when it does not fit.
fn scale(number: &str, unit_nanos: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let mut nanos = whole.checked_mul(unit_nanos)?;
    if !fraction.is_empty() {
        let digits: u128 = fraction.parse().ok()?;
        let divisor = 10u128.pow(u32::try_from(fraction.len()).ok()?);
        nanos = nanos.checked_add(digits * unit_nanos / divisor)?;
    }
    Some(nanos)
}

/// Writes a duration in its canonical form: `0s`, `1.5ms`, `1m0s`, `744h0m0s`. Longer ones than [`MAX`] are cut to it.
pub fn format(duration: Duration) -> String {
    let nanos = duration.min(MAX).as_nanos();
    let second = 1_000_000_000;
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < second {
        let (unit, size) = match nanos {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("\u{b5}s", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(nanos, size));
    }
    let (hours, minutes) = (nanos / (3_600 * second), nanos / (60 * second) % 60);
    let mut text = String::new();
    // Writing to a String cannot fail.
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{}s", decimal(nanos % (60 * second), second));
    text
}

/// `nanos / size` with as many decimals as are needed.
fn decimal(nanos: u128, size: u128) -> String {
    let width = size.ilog10() as usize;
    let (whole, rest) = (nanos / size, nanos % size);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// A duration that is text when serialised: `"10m0s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration(pub Duration);

impl std::fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&format(self.0))
    }
}

impl std::str::FromStr for GoDuration {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).map(Self)
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(self.0))
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parse_table() {
        let second = 1_000_000_000;
        for (text, nanos, canonical) in [
            ("0", 0, "0s"),
            ("-0", 0, "0s"),
            ("0s", 0, "0s"),
            ("0h0m", 0, "0s"),
            (" 5m ", 300 * second, "5m0s"),
            ("1m", 60 * second, "1m0s"),
            ("3h", 3 * 3600 * second, "3h0m0s"),
            ("24h", 24 * 3600 * second, "24h0m0s"),
            ("744h0m0s", 744 * 3600 * second, "744h0m0s"),
            ("1h30m", 5400 * second, "1h30m0s"),
            ("1.5h", 5400 * second, "1h30m0s"),
            ("30m1h", 5400 * second, "1h30m0s"),
            ("+90s", 90 * second, "1m30s"),
            ("1s500ms", 1_500_000_000, "1.5s"),
            (".5s", 500_000_000, "500ms"),
            ("5.s", 5 * second, "5s"),
            ("1h0.000000001s", 3600 * second + 1, "1h0m0.000000001s"),
            ("2ms", 2_000_000, "2ms"),
            ("1.25ms", 1_250_000, "1.25ms"),
            ("7us", 7_000, "\u{b5}s"),
            ("7\u{b5}s", 7_000, "\u{b5}s"),
            ("7\u{3bc}s", 7_000, "\u{b5}s"),
            ("1.9ns", 1, "1ns"),
            ("0.3333333333333333333333h", 1_199_999_999_999, "19m59.999999999s"),
            ("2562047h47m16.854775807s", i64::MAX as u64, "2562047h47m16.854775807s"),
        ] {
            let expected = if canonical == "\u{b5}s" { "7\u{b5}s" } else { canonical };
            let parsed = parse(text).unwrap();
            assert_eq!(parsed, Duration::from_nanos(nanos), "{text:?}");
            assert_eq!(format(parsed), expected, "{text:?}");
        }
    }

    #[test]
    fn refused_table() {
        for (text, message) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("90", "write for example \"90s\""),
            ("1h30", "has no unit"),
            ("1.5", "has no unit"),
            ("ten minutes", "not a duration"),
            ("-", "not a duration"),
            (".s", "not a duration"),
            ("1..5s", "not a duration"),
            ("1d", "unknown unit \"d\""),
            ("1H", "unknown unit \"H\""),
            ("1h 30m", "unknown unit \"h \""),
            ("-5m", "negative"),
            ("2562047h47m16.854775808s", "too long"),
            ("99999999999999999999999999999999999999999999h", "too long"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn json_form() {
        let duration = GoDuration(Duration::from_secs(600));
        assert_eq!(serde_json::to_string(&duration).unwrap(), "\"10m0s\"");
        assert_eq!(serde_json::from_str::<GoDuration>("\"10m\"").unwrap(), duration);
        for bad in ["600", "null", "\"\"", "\"10\""] {
            assert!(serde_json::from_str::<GoDuration>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn longer_than_the_maximum_is_cut() {
        assert_eq!(format(Duration::MAX), format(MAX));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in 0..=(i64::MAX as u64)) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn short_ones_too(nanos in 0..10_000_000_000u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn nothing_panics(text in "[-+0-9.hmsunµ ]{0,40}") {
            if let Ok(duration) = parse(&text) {
                prop_assert!(duration <= MAX);
            }
        }
    }
}
