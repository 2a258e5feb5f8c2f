//! Checks the limits that the document sets and a Rust type cannot express, such as the range of a number.
//!
//! The implementations of [`Validate`] are generated; they call [`Check`], which keeps track of where in the body it
//! is, so that the message can name the field.

use std::fmt::{Display, Write};

use crate::Problem;

/// A value with limits somewhere in it.
pub trait Validate {
    /// Reports every limit that is broken to `check`.
    fn validate(&self, check: &mut Check);
}

impl<T: Validate + ?Sized> Validate for &T {
    fn validate(&self, check: &mut Check) {
        (**self).validate(check);
    }
}

impl<T: Validate + ?Sized> Validate for Box<T> {
    fn validate(&self, check: &mut Check) {
        (**self).validate(check);
    }
}

/// Checks a value that came in a request.
///
/// # Errors
/// 400 that names every field that is out of its limits.
pub fn body<T: Validate>(value: &T) -> Result<(), Problem> {
    run(|check| value.validate(check))
}

/// Runs checks on a request body, and turns what they report into a problem.
///
/// # Errors
/// 400 that names every field that is out of its limits.
pub fn run(checks: impl FnOnce(&mut Check)) -> Result<(), Problem> {
    let mut check = Check::default();
    checks(&mut check);
    if check.found.is_empty() {
        return Ok(());
    }
    Err(Problem::bad_request(format!("request body: {}", check.found.join("; "))))
}

/// Collects what is wrong, and where.
#[derive(Debug, Default)]
pub struct Check {
    path: String,
    found: Vec<String>,
}

impl Check {
    /// Checks a value that has limits of its own.
    pub fn value<T: Validate>(&mut self, value: &T) {
        value.validate(self);
    }

    /// Runs the checks of one field.
    pub fn field(&mut self, name: &str, checks: impl FnOnce(&mut Check)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        checks(self);
        self.path.truncate(length);
    }

    /// Runs the checks of every item of a list.
    pub fn items<T>(&mut self, items: impl Iterator<Item = T>, mut checks: impl FnMut(&mut Check, T)) {
        for (index, item) in items.enumerate() {
            let length = self.path.len();
            // Writing to a String cannot fail.
            let _ = write!(self.path, "[{index}]");
            checks(self, item);
            self.path.truncate(length);
        }
    }

    /// Runs the checks of every value of an object.
    pub fn entries<'a, T>(
        &mut self,
        entries: impl Iterator<Item = (&'a String, T)>,
        mut checks: impl FnMut(&mut Check, T),
    ) {
        for (key, value) in entries {
            self.field(key, |check| checks(check, value));
        }
    }

    /// Both limits are allowed values.
    pub fn integer(&mut self, value: i64, minimum: Option<i64>, maximum: Option<i64>) {
        self.range(value, minimum, maximum, "");
    }

    /// Both limits are allowed values.
    pub fn number(&mut self, value: f64, minimum: Option<f64>, maximum: Option<f64>) {
        self.range(value, minimum, maximum, "");
    }

    /// Limits of a text's length, in characters.
    pub fn text(&mut self, value: &str, shortest: Option<u64>, longest: Option<u64>) {
        self.range(value.chars().count() as u64, shortest, longest, " characters");
    }

    /// Limits of a list's length.
    pub fn count(&mut self, count: usize, fewest: Option<u64>, most: Option<u64>) {
        self.range(count as u64, fewest, most, " items");
    }

    fn range<T: PartialOrd + Display>(
        &mut self,
        value: T,
        minimum: Option<T>,
        maximum: Option<T>,
        unit: &str,
    ) {
        let Some(expected) = outside(&value, minimum, maximum) else { return };
        let place = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        let is = if unit.is_empty() { "must be" } else { "must have" };
        self.found.push(format!("{place}{is} {expected}{unit}, not {value}"));
    }
}

/// What a value would have to be, if it is outside its limits.
pub(crate) fn outside<T: PartialOrd + Display>(
    value: &T,
    minimum: Option<T>,
    maximum: Option<T>,
) -> Option<String> {
    let inside = minimum.as_ref().is_none_or(|minimum| value >= minimum)
        && maximum.as_ref().is_none_or(|maximum| value <= maximum);
    if inside {
        return None;
    }
    Some(match (minimum, maximum) {
        (Some(minimum), Some(maximum)) => format!("from {minimum} to {maximum}"),
        (Some(minimum), None) => format!("at least {minimum}"),
        (None, Some(maximum)) => format!("at most {maximum}"),
        (None, None) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_field_and_the_limits() {
        let found = run(|check| {
            check.field("jobs", |check| {
                check.items([7_i64, 101].iter(), |check, item| {
                    check.field("priority", |check| check.integer(*item, Some(0), Some(100)));
                });
            });
            check.field("name", |check| check.text("", Some(1), None));
            check.field("tags", |check| check.count(4, None, Some(3)));
        });
        assert_eq!(
            found.map_err(|problem| problem.message),
            Err("request body: jobs[1].priority: must be from 0 to 100, not 101; \
                 name: must have at least 1 characters, not 0; tags: must have at most 3 items, not 4"
                .to_owned())
        );
    }

    #[test]
    fn limits_themselves_are_allowed() {
        for (value, allowed) in [(-1, false), (0, true), (100, true), (101, false)] {
            assert_eq!(run(|check| check.integer(value, Some(0), Some(100))).is_ok(), allowed, "{value}");
        }
    }

    #[test]
    fn a_length_is_counted_in_characters() {
        assert!(run(|check| check.text("äöü", None, Some(3))).is_ok());
    }
}
