//! The event bus: what was committed, to everybody who watches, in order.

use flamenco_domain::event::Event;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Events that a subscriber may lag behind before it loses some and is told so.
const BACKLOG: usize = 16_384;

/// Hands every event to every subscriber. Publishing never waits.
#[derive(Clone)]
pub struct EventBus {
    sender: broadcast::Sender<Arc<Event>>,
}

/// What a subscriber gets next.
#[derive(Debug, Clone)]
pub enum Next {
    /// The next event.
    Event(Arc<Event>),
    /// The subscriber was too slow and this many events are lost: whatever it shows must be read again.
    Lost(u64),
}

/// The receiving end.
pub struct Subscription(broadcast::Receiver<Arc<Event>>);

impl Default for EventBus {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }
}

impl EventBus {
    /// Announces an event that is committed. Without subscribers it goes nowhere.
    pub fn publish(&self, event: Event) {
        // An error only says that nobody listens.
        drop(self.sender.send(Arc::new(event)));
    }

    /// Everything that is published from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription(self.sender.subscribe())
    }
}

impl Subscription {
    /// Waits for what comes next; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<Next> {
        match self.0.recv().await {
            Ok(event) => Some(Next::Event(event)),
            Err(broadcast::error::RecvError::Lagged(lost)) => Some(Next::Lost(lost)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_arrive_in_order_and_a_slow_subscriber_is_told() {
        let bus = EventBus::default();
        let mut subscription = bus.subscribe();
        bus.publish(Event::ManagerStarted);
        bus.publish(Event::ManagerStopping);
        for want in [Event::ManagerStarted, Event::ManagerStopping] {
            assert!(matches!(subscription.next().await, Some(Next::Event(event)) if *event == want));
        }
        for _ in 0..BACKLOG + 3 {
            bus.publish(Event::ManagerStarted);
        }
        assert!(matches!(subscription.next().await, Some(Next::Lost(3))));
        assert!(matches!(subscription.next().await, Some(Next::Event(_))));
    }
}
