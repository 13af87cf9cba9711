//! The packet size of a path: trusted base, one probe upwards, retreat from black holes.

use crate::config::TransportConfig;

/// Consecutive retransmission timeouts after which large packets are suspected to vanish.
const BLACK_HOLE_TIMEOUTS: u32 = 2;
/// Probes of one size before it is given up.
const MAX_PROBES: u32 = 3;

/// Sizes in bytes of UDP payload (the SCTP packet).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketSize {
    base: usize,
    current: usize,
    target: usize,
    probes: u32,
}

impl PacketSize {
    pub(crate) fn new(config: &TransportConfig, ipv6: bool) -> Self {
        // The configured sizes count from IPv4's header; IPv6's is 20 bytes longer.
        let target = config.max_packet_size - if ipv6 { 20 } else { 0 };
        let base = config.base_packet_size.min(target);
        Self {
            base,
            current: base,
            target,
            probes: 0,
        }
    }

    /// What data packets may have now. A multiple of four, so that full packets need no padding.
    pub(crate) fn current(&self) -> usize {
        self.current & !3
    }

    /// Whether larger packets are still to be tried.
    pub(crate) fn wants_probe(&self) -> bool {
        self.current < self.target && self.probes < MAX_PROBES
    }

    /// The size of the next probe, if one is wanted.
    pub(crate) fn probe(&mut self) -> Option<usize> {
        if !self.wants_probe() {
            return None;
        }
        self.probes += 1;
        Some(self.target)
    }

    /// A probe of `size` was answered; true if packets grow.
    pub(crate) fn on_probe_answered(&mut self, size: usize) -> bool {
        let grows = size > self.current && size <= self.target;
        if grows {
            self.current = size;
        }
        grows
    }

    /// The path works again after nothing passed: sizes given up may be tried anew.
    pub(crate) fn on_return(&mut self) {
        self.probes = 0;
    }

    /// A retransmission timeout, the `count`th in a row; true if packets shrink.
    pub(crate) fn on_timeout(&mut self, count: u32) -> bool {
        let shrinks = count >= BLACK_HOLE_TIMEOUTS && self.current > self.base;
        if shrinks {
            self.current = self.base;
            self.probes = MAX_PROBES;
        }
        shrinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_by_an_answered_probe_and_retreats_from_a_black_hole() {
        let mut size = PacketSize::new(&TransportConfig::default(), false);
        assert_eq!(size.current(), 1232);
        assert_eq!(size.probe(), Some(1472));
        assert!(size.on_probe_answered(1472));
        assert_eq!(size.current(), 1472);
        assert!(!size.on_timeout(1));
        assert!(size.on_timeout(2));
        assert_eq!(size.current(), 1232);
        assert_eq!(
            size.probe(),
            None,
            "the size that vanished is not tried again"
        );
    }

    #[test]
    fn an_unanswered_size_is_given_up() {
        let mut size = PacketSize::new(&TransportConfig::default(), true);
        assert_eq!(size.probe(), Some(1452));
        assert_eq!(
            (size.probe(), size.probe(), size.probe()),
            (Some(1452), Some(1452), None)
        );
    }
}
