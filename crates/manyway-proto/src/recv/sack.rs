//! When to acknowledge.

use std::time::Duration;

use crate::path::PathId;
use crate::time::Instant;

/// Options of [`SackSchedule`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SackPolicy {
    pub(crate) delay: Duration,
    pub(crate) frequency: u32,
}

/// Decides when a SACK is due. With several paths in use a gap alone is no reason for haste: paths
/// reorder all the time (delayed acknowledgements for CMT, Iyengar et al. 2006, section IV-C).
#[derive(Debug, Default)]
pub(crate) struct SackSchedule {
    packets: u32,
    due: bool,
    deadline: Option<Instant>,
    path: Option<PathId>,
    /// The path before the current one and when data last came on another path.
    other_path_at: Option<Instant>,
}

impl SackSchedule {
    /// A packet with DATA arrived on `path`. `urgent`: it closed or opened a gap, repeated data, or
    /// asked for an immediate answer.
    pub(crate) fn on_data_packet(
        &mut self,
        now: Instant,
        path: PathId,
        urgency: Urgency,
        policy: SackPolicy,
    ) {
        if self.path.is_some_and(|p| p != path) {
            self.other_path_at = Some(now);
        }
        self.path = Some(path);
        self.packets += 1;
        let multipath = self
            .other_path_at
            .is_some_and(|at| now - at < Duration::from_secs(1));
        let hurry = match urgency {
            Urgency::None => false,
            Urgency::Gap => !multipath,
            Urgency::Immediate => true,
        };
        if hurry || self.packets >= policy.frequency {
            self.due = true;
        } else if self.deadline.is_none() {
            self.deadline = Some(now + policy.delay);
        }
    }

    /// The window opened or something else makes an answer necessary now.
    pub(crate) fn make_due(&mut self) {
        self.due = true;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// Whether a SACK may ride along with other chunks.
    pub(crate) fn is_pending(&self) -> bool {
        self.due || self.packets > 0
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.due { None } else { self.deadline }
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.due = true;
        }
    }

    /// The path on which data last arrived.
    pub(crate) fn path(&self) -> Option<PathId> {
        self.path
    }

    /// Packets with DATA since the last SACK, as CMT's delayed acknowledgements report them.
    pub(crate) fn packets(&self) -> u32 {
        self.packets
    }

    pub(crate) fn on_sent(&mut self) {
        self.packets = 0;
        self.due = false;
        self.deadline = None;
    }
}

/// How soon a packet wants its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// In order, nothing special.
    None,
    /// Something is missing.
    Gap,
    /// Duplicate, gap filled, or the sender asked for it (RFC 7053).
    Immediate,
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: SackPolicy = SackPolicy {
        delay: Duration::from_millis(20),
        frequency: 2,
    };
    const P1: PathId = PathId::new(1);
    const P2: PathId = PathId::new(2);

    #[test]
    fn every_second_packet_is_acknowledged_and_a_lone_one_after_a_delay() {
        let mut sack = SackSchedule::default();
        sack.on_data_packet(Instant::ZERO, P1, Urgency::None, POLICY);
        assert!(!sack.is_due());
        assert_eq!(sack.deadline(), Some(Instant::ZERO + POLICY.delay));
        sack.on_data_packet(Instant::ZERO, P1, Urgency::None, POLICY);
        assert!(sack.is_due());
        sack.on_sent();
        sack.on_data_packet(Instant::ZERO, P1, Urgency::None, POLICY);
        sack.on_timeout(Instant::ZERO + POLICY.delay);
        assert!(sack.is_due());
    }

    #[test]
    fn a_gap_hurries_on_one_path_but_not_on_two() {
        let mut sack = SackSchedule::default();
        sack.on_data_packet(Instant::ZERO, P1, Urgency::Gap, POLICY);
        assert!(sack.is_due());
        sack.on_sent();
        sack.on_data_packet(Instant::ZERO, P2, Urgency::Gap, POLICY);
        assert!(!sack.is_due(), "two paths reorder all the time");
        sack.on_data_packet(Instant::ZERO, P2, Urgency::Gap, POLICY);
        assert!(sack.is_due());
        assert_eq!(sack.path(), Some(P2));
    }
}
