//! Messages that wait for the broker, in order, and only so many.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Messages that may wait; at about a kilobyte each, ten megabytes.
const LIMIT: usize = 10_000;
/// Messages on their way that the broker has not acknowledged.
pub(super) const WINDOW: usize = 100;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// Where it goes, with the prefix of this farm.
    pub(super) topic: String,
    /// What it says.
    pub(super) payload: Bytes,
    /// Whether the broker keeps it for those who come later.
    pub(super) retain: bool,
}

/// The queue between farm and broker. Nobody ever waits to put something in.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    closing: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Outgoing>,
    /// So many of the first messages are on their way.
    on_the_way: usize,
    /// Messages that were lost since the last report.
    dropped: u64,
    closed: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this.
    Send(Outgoing),
    /// Everything is acknowledged, and nothing will come.
    Finish,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a message. When too many wait, the oldest that is not on its way gives way.
    pub(super) fn push(&self, message: Outgoing) {
        let mut queue = self.lock();
        if queue.messages.len() >= LIMIT {
            let oldest = queue.on_the_way;
            queue.messages.remove(oldest);
            queue.note_lost(1);
        }
        queue.messages.push_back(message);
        drop(queue);
        self.filled.notify_one();
    }

    /// Counts events that never came here.
    pub(super) fn note_lost(&self, number: u64) {
        self.lock().note_lost(number);
    }

    /// Puts the greeting of a new connection in front. What it replaces, older news of the same topics, is taken out:
    /// who is told last must be told what is so now.
    pub(super) fn greet(&self, greeting: Vec<Outgoing>) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        queue.messages.retain(|waiting| !greeting.iter().any(|new| new.topic == waiting.topic));
        for message in greeting.into_iter().rev() {
            queue.messages.push_front(message);
        }
    }

    /// The next step; waits until there is one.
    pub(super) async fn next(&self) -> Step {
        loop {
            let filled = self.filled.notified();
            {
                let mut queue = self.lock();
                if queue.on_the_way < WINDOW
                    && let Some(message) = queue.messages.get(queue.on_the_way).cloned()
                {
                    queue.on_the_way += 1;
                    return Step::Send(message);
                }
                if queue.closed && queue.messages.is_empty() {
                    return Step::Finish;
                }
            }
            filled.await;
        }
    }

    /// The broker has the first message.
    pub(super) fn acknowledged(&self) {
        let mut queue = self.lock();
        if queue.on_the_way > 0 {
            queue.messages.pop_front();
            queue.on_the_way -= 1;
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Gives up the message at this place among those on their way.
    pub(super) fn give_up(&self, place: usize) {
        let mut queue = self.lock();
        if queue.messages.remove(place).is_some() {
            queue.note_lost(1);
        }
    }

    /// Nothing is on its way any more: what was not acknowledged is sent again.
    pub(super) fn restart(&self) {
        self.lock().on_the_way = 0;
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
        self.closing.notify_waiters();
    }

    /// Waits for [`Self::close`].
    pub(super) async fn closed(&self) {
        let closing = self.closing.notified();
        tokio::pin!(closing);
        // Registered before looking, or a close in between would be missed.
        closing.as_mut().enable();
        if !self.lock().closed {
            closing.await;
        }
    }

    /// How many messages were dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().messages.len()
    }
}

impl Queue {
    fn note_lost(&mut self, number: u64) {
        if self.dropped == 0 {
            tracing::warn!(
                "MQTT messages are dropped, the oldest first; their number follows when they flow again"
            );
        }
        self.dropped += number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Outgoing {
        Outgoing { topic: "t".into(), payload: Bytes::copy_from_slice(text.as_bytes()), retain: false }
    }

    async fn sent(outbox: &Outbox) -> String {
        match outbox.next().await {
            Step::Send(message) => String::from_utf8(message.payload.to_vec()).unwrap(),
            Step::Finish => "finish".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_was_not_acknowledged_is_sent_again_in_order() {
        let outbox = Outbox::default();
        ["a", "b", "c"].into_iter().for_each(|text| outbox.push(message(text)));
        assert_eq!((sent(&outbox).await, sent(&outbox).await), ("a".into(), "b".into()));
        outbox.acknowledged();
        outbox.restart();
        assert_eq!((sent(&outbox).await, sent(&outbox).await), ("b".into(), "c".into()));
        outbox.close();
        outbox.acknowledged();
        outbox.acknowledged();
        assert_eq!(sent(&outbox).await, "finish");
    }

    #[tokio::test]
    async fn the_oldest_give_way_but_not_what_is_on_its_way() {
        let outbox = Outbox::default();
        outbox.push(message("first"));
        assert_eq!(sent(&outbox).await, "first");
        (0..LIMIT + 9).for_each(|number| outbox.push(message(&number.to_string())));
        assert_eq!((outbox.waiting(), outbox.take_dropped()), (LIMIT, 10));
        assert_eq!(outbox.take_dropped(), 0, "counted once");
        assert_eq!(sent(&outbox).await, "10");
        outbox.restart();
        assert_eq!((sent(&outbox).await, sent(&outbox).await), ("first".into(), "10".into()));
    }

    #[tokio::test]
    async fn only_so_many_are_on_their_way() {
        let outbox = Outbox::default();
        (0..=WINDOW).for_each(|number| outbox.push(message(&number.to_string())));
        for number in 0..WINDOW {
            assert_eq!(sent(&outbox).await, number.to_string());
        }
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), outbox.next()).await;
        assert!(waits.is_err());
        outbox.acknowledged();
        assert_eq!(sent(&outbox).await, WINDOW.to_string());
    }

    #[tokio::test]
    async fn a_greeting_replaces_older_news_of_its_topics() {
        let outbox = Outbox::default();
        let on = |topic: &str, text: &str| Outgoing { topic: topic.into(), ..message(text) };
        for (topic, text) in [("status", "old"), ("job", "job"), ("lifecycle", "started")] {
            outbox.push(on(topic, text));
        }
        outbox.greet(vec![on("lifecycle", "started"), on("status", "new")]);
        assert_eq!(sent(&outbox).await, "started");
        assert_eq!(sent(&outbox).await, "new");
        assert_eq!(sent(&outbox).await, "job");
        assert_eq!(outbox.waiting(), 3);
        outbox.push(on("lifecycle", "gone"));
        outbox.restart();
        outbox.close();
        outbox.greet(vec![on("lifecycle", "started")]);
        assert_eq!(outbox.waiting(), 4, "who is leaving does not greet");
    }
}
