//! What is printed at the end.

use std::time::Duration;

use manyway_api::FlowView;
use serde::Serialize;

use super::faults::Outcome;
use crate::format;

/// The result, as `--json` prints it. Sizes are bytes, rates Mbit/s of user data.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) bytes: u64,
    pub(super) sha256_ok: bool,
    pub(super) seconds: f64,
    pub(super) goodput_mbps: f64,
    /// What both paths together can carry of user data.
    pub(super) ceiling_mbps: f64,
    pub(super) paths: Vec<PathReport>,
    pub(super) cut: Option<CutReport>,
    #[serde(rename = "move")]
    pub(super) moved: Option<MoveReport>,
    pub(super) switch: Option<SwitchReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct PathReport {
    name: String,
    bytes_sent: u64,
    bytes_received: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct CutReport {
    longest_gap_ms: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct MoveReport {
    resume_ms: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct SwitchReport {
    ms: f64,
}

/// User data in a full packet of 1,500 bytes: less IP, UDP and SCTP headers.
const PAYLOAD_SHARE: f64 = 1444.0 / 1500.0;

impl Report {
    pub(super) fn new(
        bytes: u64,
        sha256_ok: bool,
        took: Duration,
        rates: &[u64],
        outcome: Outcome,
    ) -> Self {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let seconds = took.as_secs_f64();
        Self {
            bytes,
            sha256_ok,
            seconds,
            goodput_mbps: bytes as f64 * 8.0 / 1e6 / seconds.max(1e-9),
            ceiling_mbps: ceiling(rates),
            paths: Vec::new(),
            cut: outcome.longest_gap.map(|gap| CutReport {
                longest_gap_ms: ms(gap),
            }),
            moved: outcome.resume.map(|resume| MoveReport {
                resume_ms: ms(resume),
            }),
            switch: outcome.switch.map(|switch| SwitchReport { ms: ms(switch) }),
        }
    }

    /// The client's last view of its paths.
    pub(super) fn with_paths(mut self, client: Option<&FlowView>) -> Self {
        let paths = client.into_iter().flat_map(|flow| &flow.paths);
        self.paths = paths
            .map(|path| PathReport {
                name: path.name.clone(),
                bytes_sent: path.bytes_sent,
                bytes_received: path.bytes_received,
            })
            .collect();
        self
    }

    /// For people.
    pub(super) fn render(&self) -> String {
        let mut lines = vec![format!(
            "{} in {:.1} s: {:.1} of {:.1} Mbit/s that both paths can carry ({:.0} %)",
            format::bytes(self.bytes),
            self.seconds,
            self.goodput_mbps,
            self.ceiling_mbps,
            self.goodput_mbps / self.ceiling_mbps * 100.0
        )];
        for path in &self.paths {
            let (received, sent) = (
                format::bytes(path.bytes_received),
                format::bytes(path.bytes_sent),
            );
            lines.push(format!(
                "  {}: {received} received, {sent} sent",
                format::name(&path.name)
            ));
        }
        if let Some(cut) = &self.cut {
            lines.push(format!(
                "  one path cut: longest gap {:.0} ms",
                cut.longest_gap_ms
            ));
        }
        if let Some(moved) = &self.moved {
            lines.push(format!(
                "  NAT renumbered: data over the new address after {:.0} ms",
                moved.resume_ms
            ));
        }
        if let Some(switch) = &self.switch {
            lines.push(format!(
                "  primary switched: first packet there after {:.1} ms",
                switch.ms
            ));
        }
        let verdict = if self.sha256_ok {
            "the SHA-256 is right"
        } else {
            "the SHA-256 is WRONG"
        };
        lines.push(format!("  {verdict}\n"));
        lines.join("\n")
    }
}

/// User data that paths of these rates carry together, in Mbit/s.
pub(super) fn ceiling(rates: &[u64]) -> f64 {
    rates.iter().sum::<u64>() as f64 * PAYLOAD_SHARE
}
