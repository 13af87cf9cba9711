//! Which controller a path gets, and what it begins with.

use std::fmt;
use std::time::Duration;

use crate::cc::{Balia, Bbr, CongestionController, Cubic, Lia, Olia, Reno};
use crate::time::Instant;

/// Which controller a path gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControllerKind {
    /// RFC 9260, section 7.2.
    Reno,
    /// RFC 9438.
    #[default]
    Cubic,
    /// draft-ietf-ccwg-bbr: by bandwidth and round-trip time instead of losses.
    Bbr,
    /// RFC 6356: the association's paths together take no more of a bottleneck that they share than
    /// one flow does.
    Lia,
    /// As [`ControllerKind::Lia`], and moves to the paths that lose least
    /// (draft-khalili-mptcp-congestion-control).
    Olia,
    /// As [`ControllerKind::Lia`], and answers to changes sooner
    /// (draft-walid-mptcp-congestion-control).
    Balia,
    /// One that is not part of this crate.
    Custom(CustomController),
}

impl ControllerKind {
    /// Those of this crate.
    pub const ALL: [Self; 6] = [
        Self::Cubic,
        Self::Reno,
        Self::Bbr,
        Self::Lia,
        Self::Olia,
        Self::Balia,
    ];

    /// A controller for a path.
    pub fn build(self, setup: &ControllerSetup) -> Box<dyn CongestionController> {
        match self {
            Self::Reno => Box::new(Reno::new(setup)),
            Self::Cubic => Box::new(Cubic::new(setup)),
            Self::Bbr => Box::new(Bbr::new(setup)),
            Self::Lia => Box::new(Lia::new(setup)),
            Self::Olia => Box::new(Olia::new(setup)),
            Self::Balia => Box::new(Balia::new(setup)),
            Self::Custom(custom) => (custom.build)(setup),
        }
    }

    /// Its name in configuration and display.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reno => "reno",
            Self::Cubic => "cubic",
            Self::Bbr => "bbr",
            Self::Lia => "lia",
            Self::Olia => "olia",
            Self::Balia => "balia",
            Self::Custom(custom) => custom.name,
        }
    }
}

impl fmt::Display for ControllerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No controller of this crate has the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such congestion control")]
pub struct UnknownController;

impl std::str::FromStr for ControllerKind {
    type Err = UnknownController;

    fn from_str(name: &str) -> Result<Self, UnknownController> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.name() == name)
            .ok_or(UnknownController)
    }
}

/// A controller from elsewhere; see [`CongestionController`] for an example.
#[derive(Clone, Copy)]
pub struct CustomController {
    name: &'static str,
    build: fn(&ControllerSetup) -> Box<dyn CongestionController>,
}

impl CustomController {
    /// A kind of controller with this name, by which kinds are told apart, and what makes one for a
    /// path.
    pub const fn new(
        name: &'static str,
        build: fn(&ControllerSetup) -> Box<dyn CongestionController>,
    ) -> Self {
        Self { name, build }
    }
}

impl fmt::Debug for CustomController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomController").field(&self.name).finish()
    }
}

impl PartialEq for CustomController {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for CustomController {}

/// What a new controller begins with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ControllerSetup {
    /// When.
    pub now: Instant,
    /// Bytes of the path's packets.
    pub packet_size: u64,
    /// What is known of the path, if another controller was there before.
    pub predecessor: Option<Predecessor>,
}

impl ControllerSetup {
    /// For a new path with packets of `packet_size` bytes.
    pub const fn new(packet_size: u64) -> Self {
        Self {
            now: Instant::ZERO,
            packet_size,
            predecessor: None,
        }
    }

    /// The same at another time.
    #[must_use]
    pub const fn at(self, now: Instant) -> Self {
        Self { now, ..self }
    }

    /// The same for a path where another controller was before.
    #[must_use]
    pub const fn after(self, predecessor: Predecessor) -> Self {
        Self {
            predecessor: Some(predecessor),
            ..self
        }
    }

    /// The window to begin with: that of the predecessor, or ten packets, as RFC 6928 and RFC 9002
    /// have it, within the bounds that RFC 9260 states for small packets.
    pub const fn initial_window(&self) -> u64 {
        match self.predecessor {
            Some(before) if before.window > self.packet_size => before.window,
            Some(_) => self.packet_size,
            None => 10 * self.packet_size,
        }
    }

    /// The slow start threshold to begin with: none on a new path or where slow start was not over.
    pub const fn initial_threshold(&self) -> u64 {
        match self.predecessor {
            Some(before) if !before.slow_start => self.initial_window(),
            _ => u64::MAX,
        }
    }
}

/// What is known of a path whose controller is replaced.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Predecessor {
    /// Its [`successor_window`](CongestionController::successor_window).
    pub window: u64,
    /// Whether it was still in slow start.
    pub slow_start: bool,
    /// The least round-trip time of late.
    pub min_rtt: Option<Duration>,
    /// How fast the path delivered of late, bytes per second.
    pub delivery_rate: Option<u64>,
}

impl Predecessor {
    /// A predecessor with this window, of whose path nothing else is known.
    pub const fn new(window: u64, slow_start: bool) -> Self {
        Self {
            window,
            slow_start,
            min_rtt: None,
            delivery_rate: None,
        }
    }

    /// The same for a path on which this was measured.
    #[must_use]
    pub const fn on_path(self, min_rtt: Option<Duration>, delivery_rate: Option<u64>) -> Self {
        Self {
            min_rtt,
            delivery_rate,
            ..self
        }
    }
}
