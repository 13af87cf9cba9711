//! Congestion control, one controller per path.
//!
//! A [`Controller`] is told what was sent, acknowledged and lost on its path and answers with a
//! window in bytes. It owns no queue and no clock, so that controllers can be swapped, compared in
//! the simulator, and written by others.

use std::fmt;
use std::time::Duration;

use crate::time::Instant;

mod cubic;
mod hystart;
mod pacer;
mod reno;

pub use cubic::Cubic;
pub(crate) use pacer::Pacer;
pub use reno::Reno;

/// Bytes that one SACK newly acknowledged on a path.
#[derive(Clone, Copy, Debug)]
pub struct Acked {
    /// Newly acknowledged bytes, chunk headers included.
    pub bytes: u64,
    /// Smoothed round-trip time of the path.
    pub srtt: Duration,
    /// Whether the window was what limited the sender; if not, it must not grow.
    pub window_limited: bool,
    /// The round-trip time that this acknowledgement measured, if it did.
    pub rtt_sample: Option<Duration>,
    /// The path's latest packet that was acknowledged; packets with data are counted from 0.
    pub largest_acked: u64,
    /// The number that the path's next packet will have.
    pub next_number: u64,
}

/// The congestion controller of a path. All sizes are bytes.
///
/// ```
/// use manyway_proto::{Acked, Controller, Instant};
///
/// /// Keeps a fixed window, whatever happens.
/// #[derive(Clone, Debug)]
/// struct Fixed(u64);
///
/// impl Controller for Fixed {
///     fn on_ack(&mut self, _now: Instant, _acked: Acked) {}
///     fn on_congestion(&mut self, _now: Instant) {}
///     fn on_timeout(&mut self, _now: Instant) {}
///     fn window(&self) -> u64 { self.0 }
///     fn in_slow_start(&self) -> bool { false }
///     fn set_packet_size(&mut self, _bytes: u64) {}
///     fn name(&self) -> &'static str { "fixed" }
/// }
/// assert_eq!(Fixed(10_000).window(), 10_000);
/// ```
pub trait Controller: fmt::Debug + Send {
    /// Data were acknowledged.
    fn on_ack(&mut self, now: Instant, acked: Acked);
    /// Data were lost or marked. Called once per round trip: losses of packets that were sent
    /// before the last reaction do not come here.
    fn on_congestion(&mut self, now: Instant);
    /// The retransmission timer expired.
    fn on_timeout(&mut self, now: Instant);
    /// Nothing had been lost: the last call of [`Controller::on_congestion`] or
    /// [`Controller::on_timeout`] was in error. The default does nothing.
    fn on_spurious(&mut self, _now: Instant) {}
    /// Data are about to leave after a pause of `timeouts` (one or more) retransmission timeouts:
    /// the window may say nothing of the path any more. The default does nothing.
    fn on_idle(&mut self, _now: Instant, _timeouts: u32) {}
    /// Bytes that may be in flight.
    fn window(&self) -> u64;
    /// Whether the window is still growing exponentially (the pacer is more generous then).
    fn in_slow_start(&self) -> bool;
    /// The packet size of the path changed.
    fn set_packet_size(&mut self, bytes: u64);
    /// Name for configuration and display.
    fn name(&self) -> &'static str;
}

/// Which controller a path gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControllerKind {
    /// RFC 9260, section 7.2.
    Reno,
    /// RFC 9438.
    #[default]
    Cubic,
}

impl ControllerKind {
    pub(crate) fn build(self, packet_size: u64) -> Box<dyn Controller> {
        match self {
            Self::Reno => Box::new(Reno::new(packet_size)),
            Self::Cubic => Box::new(Cubic::new(packet_size)),
        }
    }
}

/// The window a path starts with: ten packets, as RFC 6928 and RFC 9002 have it, within the bounds
/// that RFC 9260 states for small packets.
pub(crate) const fn initial_window(packet_size: u64) -> u64 {
    10 * packet_size
}

/// The window after a pause of `timeouts` retransmission timeouts.
//= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.1
//# While the endpoint does not transmit data on a given transport address, the cwnd of the transport address SHOULD be adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO
///
/// The floor is the initial window, as in RFC 5681, section 4.1: a path that was idle is not worse
/// than one that is new.
pub(crate) fn window_after_pause(window: u64, timeouts: u32, packet_size: u64) -> u64 {
    let decayed = window.checked_shr(timeouts).unwrap_or(0);
    decayed.max(initial_window(packet_size)).min(window)
}

/// The least window after congestion, in packets: enough to keep fast retransmission possible.
pub(crate) const MIN_WINDOW_PACKETS: u64 = 4;
