//! What goes wrong on purpose, and what it did to the download.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use manyway_api::{FlowView, PathState};
use manyway_bed::Bed;
use tokio::process::Command;

use super::watch::{Flows, Growth};
use crate::failure::Failure;

/// The path that is cut.
const CUT: usize = 0;
/// The path whose NAT gets another address.
const MOVED: usize = 1;
/// That address.
const NEW_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
/// Packets on the new address that show that the path carries data again.
const RESUMED_BYTES: u64 = 20 * 1472;

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// Longest time without progress from the cut until the path was whole again.
    pub(super) longest_gap: Option<Duration>,
    /// From the new address until data flow over it.
    pub(super) resume: Option<Duration>,
    /// From the command until the first packet on the new primary.
    pub(super) switch: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    BeforeCut,
    Cut {
        until: Instant,
    },
    BeforeMove,
    Moving {
        since: Instant,
        bytes_before: Option<u64>,
    },
    BeforeSwitch,
    Switching {
        path: u64,
    },
    Done,
}

/// The script: each fault waits for its share of the download.
#[derive(Debug)]
pub(super) struct Faults {
    step: Step,
    size: u64,
    cut_for: Duration,
    pub(super) outcome: Outcome,
}

impl Faults {
    /// Faults for a download of `size` bytes that should take `expected` when nothing goes wrong.
    pub(super) fn new(size: u64, expected: Duration) -> Self {
        let cut_for = (expected / 3).clamp(Duration::from_millis(700), Duration::from_secs(3));
        Self {
            step: Step::BeforeCut,
            size,
            cut_for,
            outcome: Outcome::default(),
        }
    }

    /// No faults at all.
    pub(super) fn none() -> Self {
        let (cut_for, outcome) = (Duration::ZERO, Outcome::default());
        Self {
            step: Step::Done,
            size: 1,
            cut_for,
            outcome,
        }
    }

    /// Goes on with the script as far as the download has come; what it did, for people.
    pub(super) async fn advance(
        &mut self,
        bed: &Bed,
        growth: &mut Growth,
        flows: &mut Flows,
        runtime: &Path,
    ) -> Result<Option<String>, Failure> {
        let share = growth.bytes as f64 / self.size as f64;
        match self.step {
            Step::BeforeCut if share >= 0.15 => Ok(Some(self.cut(bed, growth))),
            Step::Cut { until } if Instant::now() >= until => Ok(Some(self.restore(bed, growth))),
            Step::BeforeMove if share >= 0.45 => {
                flows.refresh().await;
                Ok(Some(self.renumber(bed)))
            }
            Step::Moving {
                since,
                bytes_before,
            } => {
                flows.refresh().await;
                Ok(self.look_for_resumption(flows, since, bytes_before))
            }
            Step::BeforeSwitch if share >= 0.75 => self.switch(flows, runtime).await,
            Step::Switching { path } => {
                flows.refresh().await;
                Ok(self.look_for_switch(flows, path))
            }
            _ => Ok(None),
        }
    }

    /// Whether a fault wants the brokers asked as often as possible.
    pub(super) fn is_measuring(&self) -> bool {
        matches!(self.step, Step::Moving { .. } | Step::Switching { .. })
    }

    fn cut(&mut self, bed: &Bed, growth: &mut Growth) -> String {
        bed.path(CUT).cut();
        growth.restart_gap();
        self.step = Step::Cut {
            until: Instant::now() + self.cut_for,
        };
        let name = bed.path(CUT).client_interface();
        format!(
            "cut {name} silently for {:.1} s",
            self.cut_for.as_secs_f64()
        )
    }

    fn restore(&mut self, bed: &Bed, growth: &Growth) -> String {
        bed.path(CUT).restore();
        self.outcome.longest_gap = Some(growth.longest_gap());
        self.step = Step::BeforeMove;
        let (name, gap) = (
            bed.path(CUT).client_interface(),
            growth.longest_gap().as_millis(),
        );
        format!("restored {name}; the longest gap of the download was {gap} ms")
    }

    fn renumber(&mut self, bed: &Bed) -> String {
        let path = bed.path(MOVED);
        let old = path.public_address();
        path.renumber(NEW_ADDRESS);
        self.step = Step::Moving {
            since: Instant::now(),
            bytes_before: None,
        };
        format!(
            "the NAT of {} moved from {old} to {NEW_ADDRESS}",
            path.client_interface()
        )
    }

    fn look_for_resumption(
        &mut self,
        flows: &Flows,
        since: Instant,
        before: Option<u64>,
    ) -> Option<String> {
        let moved = |flow: &FlowView| {
            let there = |p: &&manyway_api::PathView| {
                p.remote.ip() == NEW_ADDRESS && p.state == PathState::Active
            };
            flow.paths.iter().find(there).map(|p| p.bytes_sent)
        };
        let now = flows.server.as_ref().and_then(moved)?;
        let before = before.unwrap_or(now);
        self.step = Step::Moving {
            since,
            bytes_before: Some(before),
        };
        if now < before + RESUMED_BYTES {
            return None;
        }
        let took = since.elapsed();
        self.outcome.resume = Some(took);
        self.step = Step::BeforeSwitch;
        Some(format!(
            "the server sends to {NEW_ADDRESS} after {} ms",
            took.as_millis()
        ))
    }

    /// `manyway set`, as anybody would call it, for the end that sends.
    async fn switch(
        &mut self,
        flows: &mut Flows,
        runtime: &Path,
    ) -> Result<Option<String>, Failure> {
        flows.refresh().await;
        let Some(flow) = &flows.server else {
            return Ok(None);
        };
        let other = flow
            .paths
            .iter()
            .find(|p| !p.primary && p.state == PathState::Active);
        let Some(path) = other else { return Ok(None) };
        let (flow, id, name) = (flow.id.to_string(), path.id, path.name.clone());
        let this = std::env::current_exe().map_err(|error| Failure::new(error.to_string()))?;
        let mut set = Command::new(this);
        set.args(["set", &flow, "--primary", &name])
            .env("MANYWAY_RUNTIME_DIR", runtime);
        let done = set
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .await;
        let done =
            done.map_err(|error| Failure::new(format!("cannot start `manyway set`: {error}")))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            return Err(Failure::new(format!(
                "`manyway set {flow} --primary {name}` failed: {said}"
            )));
        }
        self.step = Step::Switching { path: id };
        Ok(Some(format!("manyway set {flow} --primary {name}")))
    }

    fn look_for_switch(&mut self, flows: &Flows, path: u64) -> Option<String> {
        let primary = flows
            .server
            .as_ref()?
            .paths
            .iter()
            .find(|p| p.id == path && p.primary)?;
        let took = Duration::from_micros(primary.primary_first_packet_us?);
        self.outcome.switch = Some(took);
        self.step = Step::Done;
        Some(format!(
            "the first packet left on {} after {:.1} ms",
            primary.name,
            took.as_secs_f64() * 1e3
        ))
    }
}
