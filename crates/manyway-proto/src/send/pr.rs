//! Which messages of the queue may be given up, and which are next (RFC 3758, RFC 7496).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use manyway_wire::StreamId;

use super::queue::{MessageKey, Queued, SendQueue};
use super::reliability::{AbandonedMessages, Reliability};
use super::{BegunId, Limited, SendOptions, Sender, SentChunk};
use crate::event::Message;
use crate::time::Instant;

/// Entries of messages that left the queue are kept up to this number, and up to as many as there
/// are others.
const STALE: usize = 64;

/// The message of a piece, if it may be given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) key: MessageKey,
    pub(crate) reliability: Reliability,
    pub(crate) context: u64,
    pub(crate) expires: Option<Instant>,
    /// Once its first piece was sent.
    pub(crate) begun: Option<BegunId>,
}

/// A message that may be given up for one that ranks higher: the lowest priority is last, and of
/// one priority the oldest.
type Rank = (u32, Reverse<MessageKey>);

/// Index of the queued messages that may be given up. Nothing in it costs anything for reliable
/// ones.
#[derive(Debug, Default)]
pub(crate) struct Expendable {
    /// When messages expire. Those that left the queue stay until they are met or too many.
    deadlines: BinaryHeap<Reverse<(Instant, MessageKey)>>,
    /// Messages with a deadline in the queue.
    timed: usize,
    /// Messages with a priority of which nothing was sent, and their bytes.
    ranks: BTreeMap<Rank, usize>,
    ranked_bytes: usize,
    /// For messages that are sent without options of their own.
    pub(crate) default: Reliability,
    /// The same for some streams.
    pub(crate) stream_defaults: BTreeMap<StreamId, Reliability>,
    /// What was given up, per stream; only streams that lost something are in it.
    abandoned: BTreeMap<StreamId, AbandonedMessages>,
    /// What was given up, in all.
    pub(crate) total: AbandonedMessages,
    /// The application wants to know each message that is given up.
    pub(crate) reports: bool,
}

impl Expendable {
    /// How reliable a message on `stream` is that does not say it itself.
    pub(crate) fn default_for(&self, stream: StreamId) -> Reliability {
        if self.stream_defaults.is_empty() {
            return self.default;
        }
        let of_stream = self.stream_defaults.get(&stream).copied();
        of_stream.unwrap_or(self.default)
    }

    /// A message was queued.
    pub(crate) fn on_queued(&mut self, key: MessageKey, queued: &Queued) {
        if let Some(at) = queued.expires {
            self.deadlines.push(Reverse((at, key)));
            self.timed += 1;
        }
        if let Some(priority) = queued.reliability().priority {
            let bytes = queued.message.payload.len();
            self.ranks.insert((priority, Reverse(key)), bytes);
            self.ranked_bytes += bytes;
        }
    }

    /// The first piece of a message was sent: it makes room for no other any more.
    pub(crate) fn on_begun(&mut self, key: MessageKey, priority: Option<u32>) {
        if let Some(priority) = priority
            && let Some(bytes) = self.ranks.remove(&(priority, Reverse(key)))
        {
            self.ranked_bytes -= bytes;
        }
    }

    /// A message left the queue: all of it was sent or the rest discarded.
    pub(crate) fn on_left(&mut self, expires: Option<Instant>, queue: &SendQueue) {
        if expires.is_none() {
            return;
        }
        self.timed -= 1;
        if self.timed == 0 {
            self.deadlines.clear();
        } else if self.deadlines.len() > 2 * self.timed + STALE {
            self.deadlines
                .retain(|Reverse((_, key))| queue.get(*key).is_some());
        }
    }

    /// The first deadline, which may be of a message that left the queue.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    /// A message in the queue whose lifetime has passed.
    pub(crate) fn next_expired(&mut self, now: Instant, queue: &SendQueue) -> Option<MessageKey> {
        while let Some(&Reverse((at, key))) = self.deadlines.peek() {
            if at > now {
                return None;
            }
            self.deadlines.pop();
            if queue.get(key).is_some() {
                return Some(key);
            }
        }
        None
    }

    /// Whether messages of a lower priority than `priority` have `bytes` together; without a
    /// priority all are lower.
    pub(crate) fn can_free(&self, bytes: usize, priority: Option<u32>) -> bool {
        if bytes > self.ranked_bytes {
            return false;
        }
        let mut freed = 0;
        let all = self.ranks.iter().rev();
        let mut lower = all.take_while(|(rank, _)| is_lower(rank, priority));
        lower.any(|(_, len)| {
            freed += len;
            freed >= bytes
        })
    }

    /// The message that is given up first for one of `priority`.
    pub(crate) fn lowest(&self, priority: Option<u32>) -> Option<MessageKey> {
        let (rank, _) = self.ranks.last_key_value()?;
        is_lower(rank, priority).then_some(rank.1.0)
    }

    /// Counts a message that was given up.
    pub(crate) fn on_abandoned(&mut self, stream: StreamId, sent: bool) {
        let of_stream = self.abandoned.entry(stream).or_default();
        for counters in [of_stream, &mut self.total] {
            counters.sent += u64::from(sent);
            counters.unsent += u64::from(!sent);
        }
    }

    /// What was given up of a stream.
    pub(crate) fn abandoned(&self, stream: StreamId) -> AbandonedMessages {
        self.abandoned.get(&stream).copied().unwrap_or_default()
    }
}

fn is_lower(&(rank, _): &Rank, than: Option<u32>) -> bool {
    than.is_none_or(|than| rank > than)
}

impl Sender {
    /// A message in the queue whose lifetime has passed.
    pub(crate) fn next_expired(&mut self, now: Instant) -> Option<MessageKey> {
        self.expendable.next_expired(now, &self.queue)
    }

    /// Takes a message, or what is left of it, out of the queue.
    pub(crate) fn discard(&mut self, key: MessageKey) -> Option<Queued> {
        let queued = self.queue.discard(key)?;
        let priority = queued.reliability().priority;
        self.expendable.on_begun(key, priority);
        self.expendable.on_left(queued.expires, &self.queue);
        Some(queued)
    }

    /// Queues a message that was handed over at `now`.
    pub(crate) fn enqueue(&mut self, now: Instant, message: Message, options: SendOptions) {
        let default = self.expendable.default_for(message.stream);
        let reliability = options.reliability.unwrap_or(default);
        if reliability.is_reliable() {
            self.queue.push(message, options);
            return;
        }
        let options = options.with_reliability(reliability);
        let key = self.queue.push(message, options);
        if let Some(lifetime) = reliability.lifetime {
            self.queue.set_expiry(key, now + lifetime);
        }
        if let Some(queued) = self.queue.get(key) {
            self.expendable.on_queued(key, queued);
        }
    }

    /// Takes a chunk whose first transmission is under way; `origin` if its message may be given
    /// up.
    pub(crate) fn push_sent(&mut self, origin: Option<Origin>, chunk: SentChunk) {
        let Some(origin) = origin else {
            return self.outstanding.push(chunk);
        };
        let (begin, end) = (chunk.flags.begin, chunk.flags.end);
        if begin {
            self.expendable
                .on_begun(origin.key, origin.reliability.priority);
        }
        if end {
            self.expendable.on_left(origin.expires, &self.queue);
        }
        let limited = origin.expires.is_some() || origin.reliability.max_retransmissions.is_some();
        let id = match origin.begun {
            Some(id) => id,
            None if begin && limited && self.can_abandon_sent => {
                let message = Limited {
                    stream: chunk.stream,
                    unordered: chunk.flags.unordered,
                    context: origin.context,
                    expires: origin.expires,
                    max_retransmissions: origin.reliability.max_retransmissions,
                };
                let waiting = (!end).then_some(origin.key);
                let id = self.outstanding.begin(message, waiting);
                self.queue.set_begun(origin.key, id);
                id
            }
            None => return self.outstanding.push(chunk),
        };
        self.outstanding.push_of(id, chunk);
        if end {
            self.outstanding.on_complete(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::stream::StreamSchedulerKind;

    /// Queues messages of these lifetimes, in milliseconds.
    fn queued(lifetimes: &[u64]) -> (Expendable, SendQueue, Vec<MessageKey>) {
        let mut expendable = Expendable::default();
        let mut queue = SendQueue::new(StreamSchedulerKind::default().build());
        let push = |ms: &u64| {
            let message = Message::new(0, Bytes::from_static(b"x"));
            let key = queue.push(message, SendOptions::default());
            queue.set_expiry(key, Instant::ZERO + Duration::from_millis(*ms));
            expendable.on_queued(key, queue.get(key).unwrap());
            key
        };
        let keys = lifetimes.iter().map(push).collect();
        (expendable, queue, keys)
    }

    #[test]
    fn messages_expire_in_the_order_of_their_deadlines() {
        let (mut expendable, mut queue, keys) = queued(&[30, 10, 20, 40]);
        queue.discard(keys[2]);
        let now = Instant::ZERO + Duration::from_millis(30);
        let expired: Vec<_> = std::iter::from_fn(|| expendable.next_expired(now, &queue)).collect();
        assert_eq!(expired, [keys[1], keys[0]]);
    }

    #[test]
    fn deadlines_of_messages_that_left_are_not_kept_for_ever() {
        let (mut expendable, mut queue, keys) = queued(&[100; 1000]);
        for (number, key) in keys.iter().enumerate() {
            let left = queue.discard(*key).unwrap();
            expendable.on_left(left.expires, &queue);
            let waiting = keys.len() - number - 1;
            assert!(expendable.deadlines.len() <= 2 * waiting + STALE);
        }
        assert_eq!(expendable.next_deadline(), None);
    }
}
