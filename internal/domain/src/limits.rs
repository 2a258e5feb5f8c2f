//! How long texts may be. Names that are too long are refused; what programs say of themselves is shortened, since
//! refusing it would lose the rest of what they say.

/// Longest name of a job or worker, in characters.
pub const NAME: usize = 255;
/// Longest secret of a worker in bytes: what bcrypt takes.
pub const SECRET_BYTES: usize = 72;
/// Longest name of a platform, task type or software version, in characters.
pub const WORD: usize = 64;
/// Most task types that a worker can have.
pub const TASK_TYPES: usize = 64;
/// Longest activity or reason that is kept, in characters.
pub const ACTIVITY: usize = 1000;

/// The text itself, or its beginning with an ellipsis when it has more than `limit` characters.
#[must_use]
pub fn shortened(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_between_characters() {
        for (text, limit, want) in
            [("", 3, ""), ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("äöüß", 4, "äöüß"), ("äöüßx", 4, "äöü…")]
        {
            assert_eq!(shortened(text, limit), want, "{text} at {limit}");
        }
    }
}
