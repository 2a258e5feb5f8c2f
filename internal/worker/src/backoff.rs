//! Pauses between attempts: growing, bounded, and randomised so that workers do not move in step.

use std::time::Duration;

use rand::Rng;

/// How much a pause is randomised, either way.
const JITTER: f64 = 0.1;

/// A pause that doubles from `first` up to `most`.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next pause, without jitter. The one after it is twice as long.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next.min(self.most);
        self.next = (pause * 2).min(self.most);
        pause
    }

    /// The next pause, randomised by ±10 %.
    pub fn next_jittered(&mut self) -> Duration {
        let pause = self.next_pause();
        jittered(pause, rand::rng().random())
    }

    /// After a success: the next pause is the first again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// `pause` changed by -10 % (`random` = 0) to +10 % (`random` = 1).
pub fn jittered(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let pauses: Vec<u64> = (0..5).map(|_| backoff.next_pause().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), Duration::from_secs(1));
    }

    #[test]
    fn jitter_is_ten_percent_either_way() {
        let second = Duration::from_secs(1);
        assert_eq!(jittered(second, 0.0), Duration::from_millis(900));
        assert_eq!(jittered(second, 0.5), Duration::from_millis(1000));
        assert_eq!(jittered(second, 1.0), Duration::from_millis(1100));
    }
}
