//! Says a thing once, and now and then again as long as it is so; not every time.

use std::time::Duration;

use chrono::{DateTime, Local, SecondsFormat};
use tokio::time::Instant;

/// After this long it is worth saying again.
const SAY_AGAIN: Duration = Duration::from_secs(300);

/// Remembers what was said last, and since when it has been so.
#[derive(Debug, Default)]
pub struct Notice(Option<Said>);

#[derive(Debug)]
struct Said {
    text: String,
    since: DateTime<Local>,
    at: Instant,
}

impl Notice {
    /// Whether this is worth saying: it is not what was said last, or that was long ago.
    pub fn is_new(&mut self, text: &str) -> bool {
        let now = Instant::now();
        match &mut self.0 {
            Some(said) if said.text == text => {
                let again = now.duration_since(said.at) >= SAY_AGAIN;
                if again {
                    said.at = now;
                }
                again
            }
            _ => {
                self.0 = Some(Said { text: text.to_owned(), since: Local::now(), at: now });
                true
            }
        }
    }

    /// Since when it has been so, for people.
    pub fn since(&self) -> String {
        let since = self.0.as_ref().map_or_else(Local::now, |said| said.since);
        since.to_rfc3339_opts(SecondsFormat::Secs, false)
    }

    /// All is well again; tells whether something had been said.
    pub fn clear(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn changes_are_new_and_the_same_is_said_again_after_a_while() {
        let mut notice = Notice::default();
        assert!(!notice.clear());
        assert_eq!(["a", "a", "b", "a"].map(|text| notice.is_new(text)), [true, false, true, true]);
        let since = notice.since();
        tokio::time::advance(SAY_AGAIN - Duration::from_secs(1)).await;
        assert!(!notice.is_new("a"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(notice.is_new("a"));
        assert!(!notice.is_new("a"));
        assert_eq!(notice.since(), since, "it is still the same trouble");
        assert!(notice.clear());
        assert!(notice.is_new("a"));
    }
}
