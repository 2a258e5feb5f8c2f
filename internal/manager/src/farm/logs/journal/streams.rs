//! How far each worker has come with what it says, so that what it sends twice is stored once.
//!
//! A worker numbers the bytes of its log texts ([`LogPosition`]) and sends them in order, so the end of the newest one
//! tells which bytes are there. It is in the same record of the journal as the text that ends there: after a crash
//! there are both or neither.

use std::collections::HashMap;

use uuid::Uuid;

use crate::farm::logs::LogPosition;

/// Workers that are remembered. Of more, those that were silent for the longest are forgotten: should one of them
/// send a text again, it is there twice.
const WORKERS: usize = 10_000;

/// A text in the stream of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    worker: Uuid,
    stream: Uuid,
    start: u64,
    end: u64,
}

impl Span {
    /// The place of a text, as its worker sent it.
    pub fn new(position: LogPosition, text: &str) -> Self {
        let LogPosition { worker, stream, offset } = position;
        Self { worker, stream, start: offset, end: offset.saturating_add(text.len() as u64) }
    }
}

/// How far a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub worker: Uuid,
    pub stream: Uuid,
    /// Bytes of the stream.
    pub end: u64,
    /// Counts all texts of all workers, to tell which came last.
    pub turn: u64,
}

/// What is there of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// This many bytes, less than all.
    Bytes(usize),
    All,
}

/// The last stream of each worker.
#[derive(Debug, Default)]
pub struct Streams {
    workers: HashMap<Uuid, Reached>,
    turns: u64,
    /// How it was when everything was on disk, where it is not so now.
    durable: HashMap<Uuid, Option<Reached>>,
}

impl Streams {
    /// What is there of a text already.
    pub fn known(&self, span: Span) -> Known {
        let reached = self.workers.get(&span.worker).filter(|reached| reached.stream == span.stream);
        match reached.map_or(0, |reached| reached.end) {
            end if end >= span.end => Known::All,
            end => Known::Bytes(usize::try_from(end.saturating_sub(span.start)).unwrap_or(usize::MAX)),
        }
    }

    /// How far a worker comes with a text.
    pub fn after(&self, span: Span) -> Reached {
        Reached { worker: span.worker, stream: span.stream, end: span.end, turn: self.turns + 1 }
    }

    /// A worker has come that far, but that is not on disk yet. Gives what was so before.
    pub fn advance(&mut self, reached: Reached) -> Option<Reached> {
        self.turns = self.turns.max(reached.turn);
        let before = self.workers.insert(reached.worker, reached);
        self.durable.entry(reached.worker).or_insert(before);
        before
    }

    /// A text could not be stored.
    pub fn restore(&mut self, worker: Uuid, before: Option<Reached>) {
        match before {
            Some(reached) => self.workers.insert(worker, reached),
            None => self.workers.remove(&worker),
        };
    }

    /// Everything is on disk.
    pub fn settle(&mut self) {
        self.durable.clear();
        if self.workers.len() > WORKERS {
            let mut turns: Vec<u64> = self.workers.values().map(|reached| reached.turn).collect();
            turns.sort_unstable();
            // Some more than needed, so that the next worker does not need the same again.
            let oldest = turns[turns.len() - WORKERS / 10 * 9];
            self.workers.retain(|_, reached| reached.turn >= oldest);
        }
    }

    /// What is not on disk is of no account.
    pub fn roll_back(&mut self) {
        for (worker, before) in std::mem::take(&mut self.durable) {
            self.restore(worker, before);
        }
    }

    /// Adds what another run knew. Of a worker that both knew, the one that heard of it last is right.
    pub fn merge(&mut self, run: impl IntoIterator<Item = Reached>) {
        for reached in run {
            self.turns = self.turns.max(reached.turn);
            let known = self.workers.entry(reached.worker).or_insert(reached);
            let is_further = reached.stream == known.stream && reached.end > known.end;
            if is_further || (reached.stream != known.stream && reached.turn > known.turn) {
                *known = reached;
            }
        }
    }

    /// All workers that are remembered.
    pub fn iter(&self) -> impl Iterator<Item = Reached> {
        self.workers.values().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: Uuid = Uuid::from_u128(1);
    const STREAM: Uuid = Uuid::from_u128(2);

    fn span(worker: Uuid, stream: Uuid, start: u64, end: u64) -> Span {
        Span { worker, stream, start, end }
    }

    #[test]
    fn known_table() {
        let mut streams = Streams::default();
        assert_eq!(streams.known(span(WORKER, STREAM, 0, 5)), Known::Bytes(0));
        let _ = streams.advance(streams.after(span(WORKER, STREAM, 0, 5)));
        let other = Uuid::from_u128(9);
        for (text, expected) in [
            (span(WORKER, STREAM, 0, 5), Known::All),
            (span(WORKER, STREAM, 2, 4), Known::All),
            (span(WORKER, STREAM, 5, 5), Known::All),
            (span(WORKER, STREAM, 0, 6), Known::Bytes(5)),
            (span(WORKER, STREAM, 4, 6), Known::Bytes(1)),
            (span(WORKER, STREAM, 5, 6), Known::Bytes(0)),
            (span(WORKER, STREAM, 7, 9), Known::Bytes(0)),
            (span(WORKER, other, 0, 5), Known::Bytes(0)),
            (span(other, STREAM, 0, 5), Known::Bytes(0)),
        ] {
            assert_eq!(streams.known(text), expected, "{text:?}");
        }
    }

    #[test]
    fn positions_at_the_end_of_all_numbers_do_no_harm() {
        let position = LogPosition { worker: WORKER, stream: STREAM, offset: u64::MAX };
        let mut streams = Streams::default();
        let _ = streams.advance(streams.after(Span::new(position, "text")));
        assert_eq!(streams.known(Span::new(position, "text")), Known::All);
    }

    #[test]
    fn what_fails_is_taken_back_to_what_is_on_disk() {
        let mut streams = Streams::default();
        let _ = streams.advance(streams.after(span(WORKER, STREAM, 0, 5)));
        streams.settle();
        for end in [7, 9] {
            let _ = streams.advance(streams.after(span(WORKER, STREAM, end - 2, end)));
        }
        let other = Uuid::from_u128(9);
        let _ = streams.advance(streams.after(span(other, STREAM, 0, 5)));
        streams.roll_back();
        let left: Vec<_> = streams.iter().map(|reached| (reached.worker, reached.end)).collect();
        assert_eq!(left, [(WORKER, 5)]);
    }

    #[test]
    fn of_too_many_workers_the_silent_ones_are_forgotten() {
        let mut streams = Streams::default();
        for number in 0..=WORKERS as u128 {
            let _ = streams.advance(streams.after(span(Uuid::from_u128(number), STREAM, 0, 5)));
        }
        let _ = streams.advance(streams.after(span(Uuid::nil(), STREAM, 5, 6)));
        streams.settle();
        assert_eq!(streams.workers.len(), WORKERS / 10 * 9);
        assert!(streams.workers.contains_key(&Uuid::nil()), "it was silent for long, but not now");
        assert!(!streams.workers.contains_key(&Uuid::from_u128(1)));
        assert!(streams.workers.contains_key(&Uuid::from_u128(WORKERS as u128)));
    }

    #[test]
    fn of_two_runs_the_later_is_right() {
        let reached =
            |stream, end, turn| Reached { worker: WORKER, stream: Uuid::from_u128(stream), end, turn };
        for (first, second, expected) in [
            (reached(1, 50, 7), reached(1, 60, 8), (1, 60)),
            (reached(1, 60, 8), reached(1, 50, 7), (1, 60)),
            (reached(1, 60, 8), reached(2, 5, 9), (2, 5)),
            (reached(2, 5, 9), reached(1, 60, 8), (2, 5)),
        ] {
            let mut streams = Streams::default();
            streams.merge([first]);
            streams.merge([second]);
            let found: Vec<_> = streams.iter().map(|found| (found.stream.as_u128(), found.end)).collect();
            assert_eq!(found, [expected], "{first:?} and {second:?}");
            assert_eq!(streams.after(span(WORKER, STREAM, 0, 1)).turn, first.turn.max(second.turn) + 1);
        }
    }
}
