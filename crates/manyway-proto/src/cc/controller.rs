//! What a controller of a path is told and asked.

use std::fmt;
use std::time::Duration;

use crate::cc::{LostPacket, RateSample};
use crate::time::Instant;

/// The congestion controller of a path. All sizes are bytes of chunks with data, headers of chunks
/// included; all rates are bytes per second.
///
/// It is told what was sent, acknowledged and lost on its path and answers with a window and, if it
/// has one, a rate. It owns no queue, no clock and no memory outside itself: the same calls give
/// the same answers. Only [`on_ack`](Self::on_ack), [`on_congestion`](Self::on_congestion),
/// [`on_timeout`](Self::on_timeout) and the getters must be there; the other events say more to
/// those that want it.
///
/// What lies outside: retransmission and loss detection, pacing (by [`pacing_rate`](Self::pacing_rate)
/// or from window and round-trip time), and proportional rate reduction while losses are repaired,
/// unless the controller [handles](Self::handles_recovery) that itself.
///
/// # Example
///
/// A controller of one's own, used for the paths of an endpoint. It adds a packet per round trip
/// and takes an eighth off at each loss:
///
/// ```
/// use manyway_proto::{
///     Acked, Congestion, CongestionController, ControllerKind, ControllerSetup, CustomController,
///     EndpointConfig, Instant,
/// };
///
/// #[derive(Debug)]
/// struct Gentle { window: u64, packet_size: u64 }
///
/// impl CongestionController for Gentle {
///     fn on_ack(&mut self, _now: Instant, acked: &Acked<'_>) {
///         if acked.window_limited {
///             self.window += acked.growth * self.packet_size / self.window;
///         }
///     }
///     fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
///         self.window = (self.window - self.window / 8).max(4 * self.packet_size);
///     }
///     fn on_timeout(&mut self, _now: Instant) { self.window = self.packet_size; }
///     fn window(&self) -> u64 { self.window }
///     fn in_slow_start(&self) -> bool { false }
///     fn set_packet_size(&mut self, bytes: u64) { self.packet_size = bytes; }
///     fn name(&self) -> &'static str { "gentle" }
/// }
///
/// const GENTLE: CustomController = CustomController::new("gentle", |setup| {
///     Box::new(Gentle { window: setup.initial_window(), packet_size: setup.packet_size })
/// });
///
/// let mut config = EndpointConfig::default();
/// config.transport.controller = ControllerKind::Custom(GENTLE);
/// let controller = config.transport.controller.build(&ControllerSetup::new(1200));
/// assert_eq!((controller.name(), controller.window()), ("gentle", 12_000));
/// ```
pub trait CongestionController: fmt::Debug + Send {
    /// A packet with data left.
    fn on_sent(&mut self, _now: Instant, _sent: &Sent) {}

    /// Data were acknowledged. Called once per acknowledgement that covers anything of the path,
    /// after the losses that it shows.
    fn on_ack(&mut self, now: Instant, acked: &Acked<'_>);

    /// A chunk was declared lost, by later ones or by time. Called for each one, before what
    /// follows from it.
    fn on_lost(&mut self, _now: Instant, _lost: &LostPacket) {}

    /// The path is congested. Called once per round trip: signals about packets that were sent
    /// before the last reaction do not come here.
    fn on_congestion(&mut self, now: Instant, congestion: &Congestion);

    /// The retransmission timer expired: all that was in flight counts as lost.
    fn on_timeout(&mut self, now: Instant);

    /// Nothing had been lost: the last call of [`on_congestion`](Self::on_congestion) or
    /// [`on_timeout`](Self::on_timeout) was in error.
    fn on_spurious(&mut self, _now: Instant) {}

    /// Data are about to leave after a pause of `timeouts` (one or more) retransmission timeouts:
    /// the window may say nothing of the path any more.
    fn on_idle(&mut self, _now: Instant, _timeouts: u32) {}

    /// There is nothing to send though the window has room.
    fn on_app_limited(&mut self, _now: Instant) {}

    /// Bytes that may be in flight.
    fn window(&self) -> u64;

    /// Whether the window is still growing exponentially.
    fn in_slow_start(&self) -> bool;

    /// The window at which slow start ends, `u64::MAX` (the default) if nothing was ever lost or
    /// the controller has none: the policy
    /// [`RetransmissionPolicy::Ssthresh`](crate::RetransmissionPolicy::Ssthresh) looks at it.
    fn slow_start_threshold(&self) -> u64 {
        u64::MAX
    }

    /// The rate at which packets shall leave; `None` to spread the window over the round-trip
    /// time, which is the default.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// Whether the window alone says what may leave while losses are repaired, without
    /// proportional rate reduction (RFC 9937). The default is no.
    fn handles_recovery(&self) -> bool {
        false
    }

    /// What the coupled controllers of the association's other paths need to know; `None`, the
    /// default, if this one takes no part in a coupling.
    fn share(&self) -> Option<Share> {
        None
    }

    /// The window that another controller, which takes over, shall begin with.
    fn successor_window(&self) -> u64 {
        self.window()
    }

    /// The packet size of the path changed.
    fn set_packet_size(&mut self, bytes: u64);

    /// Name for configuration and display.
    fn name(&self) -> &'static str;
}

/// A packet with data that left.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// Bytes of data in it.
    pub bytes: u64,
    /// Bytes in flight, this packet included.
    pub in_flight: u64,
    /// Whether less than what window and pacing allow was sent of late, for want of data.
    pub app_limited: bool,
}

/// What one acknowledgement says of a path.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Acked<'a> {
    /// Bytes newly acknowledged.
    pub bytes: u64,
    /// Bytes by which a window may be said to have been used: those acknowledged, or 0 while losses
    /// are repaired and while the path's earliest packet is still missing (CUC, RFC 9260 section
    /// 7.2.1).
    pub growth: u64,
    /// Bytes in flight afterwards.
    pub in_flight: u64,
    /// Bytes declared lost since the acknowledgement before.
    pub lost: u64,
    /// Whether losses are being repaired.
    pub recovering: bool,
    /// Whether the window was what limited the sender; if not, it must not grow.
    pub window_limited: bool,
    /// Smoothed round-trip time of the path.
    pub srtt: Duration,
    /// The round-trip time that this acknowledgement measured, if it did.
    pub rtt_sample: Option<Duration>,
    /// The path's latest packet that was acknowledged; packets with data are counted from 0.
    pub largest_acked: u64,
    /// The number that the path's next packet will have.
    pub next_number: u64,
    /// How fast the path delivered, if that can be told.
    pub rate: Option<RateSample>,
    /// The coupled controllers of the other paths that carry data. Empty unless this controller
    /// is coupled itself.
    pub others: &'a [Share],
}

impl Acked<'_> {
    /// An acknowledgement of `bytes` bytes that filled the window and measured nothing, as tests of
    /// controllers need it.
    pub const fn full(bytes: u64, srtt: Duration) -> Self {
        Self {
            bytes,
            growth: bytes,
            in_flight: 0,
            lost: 0,
            recovering: false,
            window_limited: true,
            srtt,
            rtt_sample: None,
            largest_acked: 0,
            next_number: 0,
            rate: None,
            others: &[],
        }
    }
}

/// Why a path is taken to be congested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// Packets were lost.
    Loss,
    /// Packets were marked (RFC 3168).
    Mark,
    /// What is in flight here held up the other paths, which had to send it again.
    HeldUp,
}

/// The path is congested.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Congestion {
    /// How that is known.
    pub signal: Signal,
    /// Bytes in flight when it became known, those lost and acknowledged at the moment included.
    pub in_flight: u64,
}

impl Congestion {
    /// A congestion signal with this many bytes in flight.
    pub const fn new(signal: Signal, in_flight: u64) -> Self {
        Self { signal, in_flight }
    }
}

/// What coupled controllers of the paths of one association know of each other (RFC 6356).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Share {
    /// The congestion window, bytes.
    pub window: u64,
    /// Smoothed round-trip time.
    pub srtt: Duration,
    /// Bytes carried between losses, which tells paths with few losses from others: the larger one
    /// of those since the last loss and of those between the two before. 0 if not known.
    pub loss_interval: u64,
}

impl Share {
    /// What a controller with this window and round-trip time tells.
    pub const fn new(window: u64, srtt: Duration) -> Self {
        Self {
            window,
            srtt,
            loss_interval: 0,
        }
    }

    /// The same with the bytes carried between losses.
    #[must_use]
    pub const fn with_loss_interval(self, loss_interval: u64) -> Self {
        Self {
            loss_interval,
            ..self
        }
    }

    /// Window by round-trip time: bytes per second.
    pub(crate) fn rate(&self) -> f64 {
        self.window as f64 / self.seconds()
    }

    /// The round-trip time, never zero.
    pub(crate) fn seconds(&self) -> f64 {
        self.srtt.as_secs_f64().max(1e-6)
    }
}
