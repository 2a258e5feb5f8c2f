//! Reads parameters of paths, queries and headers from their text.
//!
//! The error is the end of a sentence that starts with the name of the parameter.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::validate::outside;

/// Only the form with 36 characters: the other forms that the `uuid` crate knows would give one job several addresses.
pub fn uuid(text: &str) -> Result<Uuid, String> {
    let parsed = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
    parsed.ok_or_else(|| {
        format!("must be a UUID of 36 characters like 123e4567-e89b-42d3-a456-426614174000, not {text:?}")
    })
}

/// RFC 3339 with a time zone.
pub fn time(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|error| format!("must be a date and time like 2026-01-31T12:00:00Z, not {text:?} ({error})"))
}

/// The spellings that Go's `ParseBool` knows, since that is what the existing clients were made for.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("must be true or false, not {text:?}")),
    }
}

/// A whole number; both limits are allowed values.
pub fn integer(text: &str, minimum: Option<i64>, maximum: Option<i64>) -> Result<i64, String> {
    let value: i64 = text.parse().map_err(|_| format!("must be a whole number, not {text:?}"))?;
    in_range(value, minimum, maximum)
}

/// A finite number; both limits are allowed values.
pub fn number(text: &str, minimum: Option<f64>, maximum: Option<f64>) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite());
    in_range(value.ok_or_else(|| format!("must be a number, not {text:?}"))?, minimum, maximum)
}

/// A text; the limits are in characters.
pub fn text(text: &str, shortest: Option<u64>, longest: Option<u64>) -> Result<String, String> {
    let length = text.chars().count() as u64;
    match outside(&length, shortest, longest) {
        None => Ok(text.to_owned()),
        Some(expected) => Err(format!("must have {expected} characters, not {length}")),
    }
}

/// One of a few words.
pub fn choice<T: FromStr>(text: &str, choices: &[&str]) -> Result<T, String> {
    text.parse().map_err(|_| format!("must be one of {}, not {text:?}", choices.join(", ")))
}

fn in_range<T: PartialOrd + std::fmt::Display + Copy>(
    value: T,
    minimum: Option<T>,
    maximum: Option<T>,
) -> Result<T, String> {
    match outside(&value, minimum, maximum) {
        None => Ok(value),
        Some(expected) => Err(format!("must be {expected}, not {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_long_form_of_a_uuid_is_one() {
        for (text, good) in [
            ("123e4567-e89b-42d3-a456-426614174000", true),
            ("123E4567-E89B-42D3-A456-426614174000", true),
            ("123e4567e89b42d3a456426614174000", false),
            ("{123e4567-e89b-42d3-a456-426614174000}", false),
            ("urn:uuid:123e4567-e89b-42d3-a456-426614174000", false),
            ("123e4567-e89b-42d3-a456-42661417400g", false),
            ("", false),
        ] {
            assert_eq!(uuid(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn booleans_are_spelled_as_in_go() {
        for text in ["1", "t", "T", "TRUE", "true", "True"] {
            assert_eq!(boolean(text), Ok(true), "{text}");
        }
        for text in ["0", "f", "F", "FALSE", "false", "False"] {
            assert_eq!(boolean(text), Ok(false), "{text}");
        }
        for text in ["", "yes", "tRUE", " true", "2"] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_have_limits() {
        assert_eq!(integer("20", Some(0), Some(20)), Ok(20));
        assert_eq!(integer("21", Some(0), Some(20)), Err("must be from 0 to 20, not 21".to_owned()));
        assert_eq!(integer("-1", Some(0), None), Err("must be at least 0, not -1".to_owned()));
        assert_eq!(integer("1.5", None, None), Err("must be a whole number, not \"1.5\"".to_owned()));
        assert!(number("NaN", None, None).is_err());
        assert_eq!(number("0.5", None, Some(1.0)), Ok(0.5));
    }

    #[test]
    fn a_time_zone_is_needed_and_honoured() {
        assert_eq!(time("2026-01-31T14:00:00+02:00"), time("2026-01-31T12:00:00Z"));
        assert!(time("2026-01-31T12:00:00").is_err());
    }
}
