//! What happens to an association besides messages.

use manyway_proto::Event;
use tokio::sync::broadcast::{self, error::RecvError};

/// Events that a subscriber may leave unread; then the oldest are dropped and counted.
const BACKLOG: usize = 256;

/// A subscription to the events of one association: see
/// [`Association::events`](crate::Association::events).
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    missed: u64,
}

impl Events {
    /// The next event, in the order they happened; `None` after [`Event::Closed`].
    ///
    /// # Cancel safety
    ///
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(count)) => self.missed += count,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Events that were dropped because more than 256 waited to be read.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

/// Those who subscribed to one association's events; costs nothing while nobody has.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Option<broadcast::Sender<Event>>);

impl Subscribers {
    pub(crate) fn subscribe(&mut self) -> Events {
        let sender = self.0.get_or_insert_with(|| broadcast::channel(BACKLOG).0);
        Events {
            receiver: sender.subscribe(),
            missed: 0,
        }
    }

    /// Tells all. What `send` and `recv` wait for is no news to them.
    pub(crate) fn publish(&self, event: &Event) {
        if let Some(sender) = &self.0
            && !matches!(event, Event::Readable | Event::Writable)
        {
            // An error means that every subscription was dropped.
            let _ = sender.send(event.clone());
        }
    }

    /// Nothing more will happen.
    pub(crate) fn close(&mut self, last: &Event) {
        self.publish(last);
        self.0 = None;
    }
}

/// A subscription that has only the end to tell.
pub(crate) fn ended(last: Event) -> Events {
    let mut subscribers = Subscribers::default();
    let events = subscribers.subscribe();
    subscribers.close(&last);
    events
}

#[cfg(test)]
mod tests {
    use manyway_proto::CloseReason;

    use super::*;

    const CLOSED: Event = Event::Closed {
        reason: CloseReason::Graceful,
    };

    #[tokio::test]
    async fn events_come_in_order_and_end_with_the_close() {
        let mut subscribers = Subscribers::default();
        let mut events = subscribers.subscribe();
        for event in [Event::Connected, Event::Readable, Event::PeerShutdown] {
            subscribers.publish(&event);
        }
        subscribers.close(&CLOSED);
        let told = [Event::Connected, Event::PeerShutdown, CLOSED];
        for event in told {
            assert_eq!(events.next().await, Some(event));
        }
        assert_eq!(events.next().await, None);
    }

    #[tokio::test]
    async fn a_slow_reader_misses_the_oldest_and_knows_how_many() {
        let mut subscribers = Subscribers::default();
        let mut events = subscribers.subscribe();
        (0..BACKLOG + 3).for_each(|_| subscribers.publish(&Event::Connected));
        assert_eq!(events.next().await, Some(Event::Connected));
        assert_eq!(events.missed(), 3);
    }
}
