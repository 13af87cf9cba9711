//! What was learned about destinations, so that the next connect need not wait.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a lesson holds.
const LIFETIME: Duration = Duration::from_secs(600);

/// How many destinations are remembered; the least recently learned is forgotten first.
const CAPACITY: usize = 4096;

/// Remembers which destinations have no broker.
///
/// A lesson belongs to the set of local addresses it was learned with: on another network it is not believed.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    direct: HashMap<SocketAddr, Lesson>,
    by_age: BTreeMap<u64, SocketAddr>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Lesson {
    serial: u64,
    learned: Instant,
    network: u64,
}

impl Memory {
    /// Whether the destination is known to have no broker, as seen from this network.
    pub(crate) fn is_direct(&self, now: Instant, network: u64, destination: SocketAddr) -> bool {
        self.direct.get(&destination).is_some_and(|lesson| {
            lesson.network == network && now.duration_since(lesson.learned) < LIFETIME
        })
    }

    /// Remembers that the destination has no broker, as seen from this network.
    pub(crate) fn learn_direct(&mut self, now: Instant, network: u64, destination: SocketAddr) {
        self.forget(destination);
        let serial = self.next;
        self.next += 1;
        self.direct.insert(
            destination,
            Lesson {
                serial,
                learned: now,
                network,
            },
        );
        self.by_age.insert(serial, destination);
        if self.direct.len() > CAPACITY
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.direct.remove(&oldest);
        }
    }

    /// Forgets what was known of the destination.
    pub(crate) fn forget(&mut self, destination: SocketAddr) {
        if let Some(lesson) = self.direct.remove(&destination) {
            self.by_age.remove(&lesson.serial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(n: u32) -> SocketAddr {
        SocketAddr::from((n.to_be_bytes(), 80))
    }

    #[test]
    fn a_lesson_holds_for_its_lifetime() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        memory.learn_direct(start, 1, destination(1));
        assert!(memory.is_direct(start + LIFETIME - Duration::from_secs(1), 1, destination(1)));
        assert!(!memory.is_direct(start + LIFETIME, 1, destination(1)));
        assert!(!memory.is_direct(start, 1, destination(2)));
    }

    #[test]
    fn a_lesson_of_another_network_is_not_believed() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.learn_direct(now, 1, destination(1));
        assert!(!memory.is_direct(now, 2, destination(1)));
    }

    #[test]
    fn success_clears_the_lesson() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.learn_direct(now, 1, destination(1));
        memory.forget(destination(1));
        assert!(!memory.is_direct(now, 1, destination(1)));
        assert!(memory.by_age.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_lesson_goes_first() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let capacity = u32::try_from(CAPACITY).unwrap();
        for n in 0..capacity {
            memory.learn_direct(now, 1, destination(n));
        }
        memory.learn_direct(now, 1, destination(0));
        memory.learn_direct(now, 1, destination(capacity));
        assert_eq!(memory.direct.len(), CAPACITY);
        assert_eq!(memory.by_age.len(), CAPACITY);
        assert!(memory.is_direct(now, 1, destination(0)));
        assert!(!memory.is_direct(now, 1, destination(1)));
    }
}
