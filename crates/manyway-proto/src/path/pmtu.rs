//! Packetization layer path MTU discovery (RFC 8899), a state machine per path.
//!
//! Sizes are bytes of UDP payload, that is, of SCTP packet. A path that does not work is in
//! RFC 8899's state DISABLED: the association sends no probes there and keeps what is known.

use std::time::Duration;

use crate::config::TransportConfig;

mod search;

use search::Range;

/// Consecutive retransmission timeouts after which large packets are suspected to vanish.
const BLACK_HOLE_TIMEOUTS: u32 = 2;
/// Recoveries in a row that lost large packets, none of which arrived, after which the same is
/// suspected although small packets keep the timer from expiring.
const BLACK_HOLE_RECOVERIES: u32 = 3;
/// Unanswered probes of the base size before it is asked for only rarely.
const ERROR_PAUSE: Duration = Duration::from_secs(15);

/// Where the discovery stands (RFC 8899, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The base size is to be confirmed.
    Base,
    /// Larger sizes are tried.
    Searching,
    /// The largest size that passes is in use.
    SearchComplete,
    /// Not even the base size passes.
    Error,
}

/// What packets may have on a path, and the search for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketSize {
    state: State,
    /// MIN_PLPMTU, BASE_PLPMTU and MAX_PLPMTU.
    min: usize,
    base: usize,
    max: usize,
    /// PLPMTU.
    current: usize,
    /// Sizes that may pass and are not known to.
    range: Range,
    /// PROBED_SIZE of the probe in flight.
    probed: Option<usize>,
    /// PROBE_COUNT: unanswered probes in a row, of `tried`.
    count: u32,
    tried: usize,
    max_probes: u32,
    lossy_recoveries: u32,
}

impl PacketSize {
    pub(crate) fn new(config: &TransportConfig, ipv6: bool) -> Self {
        // The configured sizes count from IPv4's header; IPv6's is 20 bytes longer.
        let longer = if ipv6 { 20 } else { 0 };
        let max = config.max_packet_size.min(LARGEST).saturating_sub(longer);
        let base = config.base_packet_size.min(max);
        //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.2
        //# For IPv6, this size is greater than or equal to the size at the PL that results in an 1280-byte IPv6 packet
        let min = if ipv6 { base } else { config.min_packet_size };
        Self {
            state: State::Base,
            min: min.min(base),
            base,
            max,
            current: base,
            range: Range::new(base, max),
            probed: None,
            count: 0,
            tried: max,
            max_probes: config.max_pmtu_probes.max(1),
            lossy_recoveries: 0,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# A PL MUST NOT send a datagram (other than a probe packet) with a size at the PL that is larger than the current PLPMTU
    //
    // The exception are chunks cut for a larger size, which IP fragments.
    /// What data packets may have now. A multiple of four, so that full packets need no padding.
    pub(crate) fn current(&self) -> usize {
        self.current & !3
    }

    #[cfg(test)]
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Whether a probe shall be sent.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.2
    //# When used with an acknowledged PL (e.g., SCTP), DPLPMTUD SHOULD NOT continue to generate PLPMTU probes in this state
    pub(crate) fn wants_probe(&self) -> bool {
        self.probed.is_none() && self.state != State::SearchComplete
    }

    /// The size of the next probe, which is about to be sent, if one is wanted.
    pub(crate) fn probe(&mut self) -> Option<usize> {
        if !self.wants_probe() {
            return None;
        }
        let size = match self.state {
            // A larger size that passes confirms the base as well, and most paths carry the
            // largest: one round trip instead of two.
            State::Base if self.count == 0 => self.range.first(),
            State::Base | State::Error => self.base,
            State::Searching | State::SearchComplete => self.range.next(self.current)?,
        };
        if size != self.tried {
            self.tried = size;
            if self.state == State::Searching {
                self.count = 0;
            }
        }
        self.probed = Some(size);
        Some(size)
    }

    /// A probe of `size` was answered; true if packets may change their size.
    pub(crate) fn on_probe_answered(&mut self, size: usize) -> bool {
        if self.probed == Some(size) {
            self.probed = None;
        }
        // Late answers, from before sizes were found to vanish, prove nothing.
        if size > self.range.largest() && size != self.base {
            return false;
        }
        let before = self.current;
        self.current = self.current.max(size);
        self.count = 0;
        if matches!(self.state, State::Base | State::Error) && size >= self.base {
            self.state = State::Searching;
        }
        self.finish_search();
        self.current != before
    }

    /// The probe in flight was not answered in time.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.3.1
    //# If the timer expires before a probe packet is acknowledged, the probe has failed to confirm the PROBED_SIZE
    pub(crate) fn on_probe_timeout(&mut self) {
        let Some(size) = self.probed.take() else {
            return;
        };
        self.count += 1;
        match self.state {
            State::Searching if self.count >= self.max_probes => {
                //= https://www.rfc-editor.org/rfc/rfc8899#section-5.3.1
                //# a new probe of the same size or any other size (determined by the search algorithm) can be sent
                //
                // MAX_PROBES counts per size, so that the search goes on below it.
                self.range.exclude(size);
                self.count = 0;
                self.finish_search();
            }
            // The first one was for the largest size.
            State::Base if self.count > self.max_probes => {
                self.enter_error();
            }
            _ => {}
        }
    }

    /// The search may find more than it did: PMTU_RAISE_TIMER.
    pub(crate) fn on_raise_timer(&mut self) {
        if self.state == State::SearchComplete {
            self.range = Range::new(self.base, self.max);
            self.state = State::Searching;
            self.count = 0;
            self.finish_search();
        }
    }

    fn finish_search(&mut self) {
        if self.state == State::Searching && self.range.next(self.current).is_none() {
            self.state = State::SearchComplete;
        }
    }

    /// How long until the next step: an unanswered probe is given up (PROBE_TIMER), a larger size
    /// is tried again (PMTU_RAISE_TIMER), or the base size is. `None` if nothing is to be done.
    pub(crate) fn wait(&self, config: &TransportConfig, rto: Duration) -> Option<Duration> {
        match self.state {
            State::SearchComplete if self.current >= self.max => None,
            State::SearchComplete => Some(config.pmtu_raise_interval),
            State::Error => Some(ERROR_PAUSE),
            //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
            //# This value MUST NOT be smaller than 1 second and SHOULD be larger than 15 seconds
            //
            // Heartbeats are answered at once, so that a few timeouts are time enough.
            State::Base | State::Searching => Some(
                (rto * 2)
                    .max(config.pmtu_probe_timeout)
                    .max(LEAST_PROBE_TIMER),
            ),
        }
    }

    /// The path works again. If it was gone for long, it may be another one.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# It is RECOMMENDED that methods determine whether the path has changed since it last measured the path
    pub(crate) fn on_return(&mut self, gone_for_long: bool) {
        self.probed = None;
        if gone_for_long {
            self.count = 0;
            self.range = Range::new(self.base, self.max);
            if self.state == State::SearchComplete {
                self.state = State::Searching;
                self.finish_search();
            }
        }
    }

    /// A retransmission timeout of data, the `count`th in a row; true if packets shrink.
    pub(crate) fn on_timeout(&mut self, count: u32) -> bool {
        if count < BLACK_HOLE_TIMEOUTS {
            return false;
        }
        if self.state == State::Base && count >= 2 * BLACK_HOLE_TIMEOUTS {
            // Not even packets of the base size arrive.
            return self.enter_error();
        }
        self.on_black_hole()
    }

    /// A recovery began in which a packet of `size` bytes was lost; true if packets shrink.
    pub(crate) fn on_recovery(&mut self, size: usize) -> bool {
        self.lossy_recoveries += u32::from(size > self.base);
        self.lossy_recoveries >= BLACK_HOLE_RECOVERIES && self.on_black_hole()
    }

    /// A packet of at least `size` bytes arrived.
    pub(crate) fn on_delivered(&mut self, size: usize) {
        if size > self.base {
            self.lossy_recoveries = 0;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.4
    //# Black hole detection causes the sender to enter the Base Phase
    fn on_black_hole(&mut self) -> bool {
        self.lossy_recoveries = 0;
        if self.current <= self.base {
            if matches!(self.state, State::Searching | State::SearchComplete) {
                self.enter_base();
                // The base itself is in doubt: ask for it at once.
                self.count = 1;
            }
            return false;
        }
        self.range.exclude(self.current);
        self.current = self.base;
        self.enter_base();
        true
    }

    fn enter_error(&mut self) -> bool {
        let before = self.current;
        self.state = State::Error;
        self.probed = None;
        self.current = self.min;
        self.current != before
    }

    fn enter_base(&mut self) {
        self.state = State::Base;
        self.probed = None;
        self.count = 0;
    }

    /// A validated message of a router says that packets of more than `size` bytes are too big for
    /// a link; true if packets shrink.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.2
    //# PTB messages that have been validated MAY be utilized by the DPLPMTUD algorithm but MUST NOT be used directly to set the PLPMTU
    pub(crate) fn on_too_big(&mut self, size: usize) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# A PL_PTB_SIZE that is greater than that currently probed SHOULD be ignored
        let asked = self.probed.unwrap_or(0).max(self.current);
        if size < self.min || size >= asked {
            return false;
        }
        if size < self.base {
            return self.enter_error();
        }
        self.range.limit(size);
        if size >= self.current {
            // The probe in flight is lost; the next one has the size that was reported.
            self.probed = None;
            self.count = 0;
            self.finish_search();
            return false;
        }
        //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.2
        //# The PLPMTU SHOULD be set to BASE_PLPMTU (the PLPMTU is reduced to the BASE_PLPMTU to avoid unnecessary packet loss when a black hole is encountered)
        self.current = self.base;
        self.enter_base();
        true
    }
}

/// The largest UDP payload over IPv4.
const LARGEST: usize = 65_507;
/// RFC 8899, section 5.1.1.
const LEAST_PROBE_TIMER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
