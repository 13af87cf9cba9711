//! Congestion control, one controller per path.
//!
//! A [`CongestionController`] is told what was sent, acknowledged and lost on its path and answers
//! with a window in bytes and, if it wishes, a rate. It owns no queue and no clock, so that
//! controllers can be swapped while data flow, compared in the simulator, and written by others.
//!
//! | file | what |
//! |---|---|
//! | `controller` | the trait, and what it is told |
//! | `kind` | which controller a path gets, and what it begins with |
//! | `reno`, `cubic` | controllers of one path |
//! | `lia`, `olia`, `balia` | controllers of several paths that may share a bottleneck |
//! | `bbr` | a controller by a model of the path |
//! | `aimd` | what Reno and they have in common |
//! | `hystart` | how slow start ends (RFC 9406) |
//! | `rate` | how fast a path delivers |
//! | `pacer` | when packets leave |

mod aimd;
mod balia;
mod bbr;
mod controller;
mod cubic;
mod hystart;
mod kind;
mod lia;
mod olia;
mod pacer;
mod rate;
mod reno;

pub use balia::Balia;
pub use bbr::Bbr;
pub use controller::{Acked, Congestion, CongestionController, Sent, Share, Signal};
pub use cubic::Cubic;
pub use kind::{ControllerKind, ControllerSetup, CustomController, Predecessor, UnknownController};
pub use lia::Lia;
pub use olia::Olia;
pub(crate) use pacer::Pacer;
pub(crate) use rate::RateSampler;
pub use rate::{LostPacket, RateSample};
pub use reno::Reno;

/// The window after a pause of `timeouts` retransmission timeouts.
//= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.1
//# While the endpoint does not transmit data on a given transport address, the cwnd of the transport address SHOULD be adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO
///
/// The floor is the initial window, as in RFC 5681, section 4.1: a path that was idle is not worse
/// than one that is new.
pub(crate) fn window_after_pause(window: u64, timeouts: u32, packet_size: u64) -> u64 {
    let decayed = window.checked_shr(timeouts).unwrap_or(0);
    decayed.max(10 * packet_size).min(window)
}

/// The least window after congestion, in packets: enough to keep fast retransmission possible.
pub(crate) const MIN_WINDOW_PACKETS: u64 = 4;
