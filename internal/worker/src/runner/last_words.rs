//! What Blender said last: of its many lines, the one that tells why a frame failed.

/// The longest message that the manager takes, in characters.
const LONGEST: usize = 500;

/// The last line that speaks of an error, else the last line of all.
#[derive(Debug, Default)]
pub struct LastWords {
    error: String,
    last: String,
}

impl LastWords {
    pub fn hear(&mut self, line: &str) {
        let line = line.trim();
        // The first is said whatever has happened, the second many times a second.
        if line.is_empty() || line == "Blender quit" || line.starts_with("Fra:") {
            return;
        }
        let is_error = ["Error:", " ERROR ", "error:"].iter().any(|word| line.contains(word));
        let place = if is_error { &mut self.error } else { &mut self.last };
        place.clear();
        place.extend(line.chars().filter(|character| *character != '\0').take(LONGEST));
    }

    pub fn is_empty(&self) -> bool {
        self.error.is_empty() && self.last.is_empty()
    }

    /// Gives them away.
    pub fn take(&mut self) -> Option<String> {
        let Self { error, last } = std::mem::take(self);
        [error, last].into_iter().find(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_more_than_what_comes_after_it() {
        let of = |lines: &[&str]| {
            let mut words = LastWords::default();
            lines.iter().for_each(|line| words.hear(line));
            words.take()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["", "  ", "Blender quit", "Fra:1 Mem:8M"]), None);
        assert_eq!(of(&["one", " two "]), text("two"));
        assert_eq!(
            of(&["Error: Python: Traceback", "KeyError: 'Cube'", "location: <unknown>:-1"]),
            text("KeyError: 'Cube'")
        );
        assert_eq!(
            of(&["00:01.3  cycles  | ERROR Out of GPU memory", "saved session"]),
            text("00:01.3  cycles  | ERROR Out of GPU memory")
        );
        assert_eq!(of(&["é".repeat(600).as_str()]).map(|line| line.chars().count()), Some(LONGEST));
    }
}
