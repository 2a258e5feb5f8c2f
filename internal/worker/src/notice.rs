//! Says a thing once, not every time it is still so.

/// Remembers what was said last.
#[derive(Debug, Default)]
pub struct Notice {
    last: Option<String>,
}

impl Notice {
    /// Whether this was not what was said last; from now on it is.
    pub fn is_new(&mut self, text: &str) -> bool {
        if self.last.as_deref() == Some(text) {
            return false;
        }
        self.last = Some(text.to_owned());
        true
    }

    /// All is well again; tells whether something had been said.
    pub fn clear(&mut self) -> bool {
        self.last.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_new() {
        let mut notice = Notice::default();
        assert!(!notice.clear());
        assert_eq!(["a", "a", "b", "a"].map(|text| notice.is_new(text)), [true, false, true, true]);
        assert!(notice.clear());
        assert!(notice.is_new("a"));
    }
}
