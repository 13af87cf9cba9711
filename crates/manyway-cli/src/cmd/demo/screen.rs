//! What is shown while the download runs: on a terminal a few lines that change in place, else a
//! line a second.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use manyway_api::FlowView;

use super::watch::Growth;
use crate::format;

const BAR: usize = 40;

/// Shows progress on stderr.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    /// Lines drawn that the next drawing replaces.
    drawn: usize,
    last: Option<Instant>,
    start: Instant,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            drawn: 0,
            last: None,
            start: Instant::now(),
        }
    }

    /// Whether it is time to draw again.
    pub(super) fn is_due(&self) -> bool {
        let pause = Duration::from_millis(if self.terminal { 100 } else { 1000 });
        self.last.is_none_or(|last| last.elapsed() >= pause)
    }

    /// Something happened.
    pub(super) fn event(&mut self, text: &str) {
        let at = self.start.elapsed().as_secs_f64();
        self.write(&format!("{at:5.1} s  {text}\n"), 0);
    }

    /// Progress and paths as they are now.
    pub(super) fn draw(&mut self, growth: &Growth, size: u64, client: Option<&FlowView>) {
        self.last = Some(Instant::now());
        let share = (growth.bytes as f64 / size as f64).min(1.0);
        let paths = client.map(|flow| flow.paths.as_slice()).unwrap_or_default();
        let mut text = String::new();
        if self.terminal {
            let full = (share * BAR as f64) as usize;
            let _ = writeln!(
                text,
                "  [{}{}] {:3.0} %",
                "#".repeat(full),
                "-".repeat(BAR - full),
                share * 100.0
            );
            for path in paths {
                let rtt = path
                    .rtt_us
                    .map_or_else(|| "-".to_owned(), format::microseconds);
                let rate = format::rate(path.rate_received_bps);
                let primary = if path.primary { "primary" } else { "" };
                let name = format::name(&path.name);
                let _ = writeln!(
                    text,
                    "  {name:<4} {:<11} {rate:>13}  RTT {rtt:>8}  {primary}",
                    path.state.to_string()
                );
            }
        } else {
            let _ = write!(
                text,
                "{:5.1} s  {:3.0} %",
                self.start.elapsed().as_secs_f64(),
                share * 100.0
            );
            for path in paths {
                let rate = format::rate(path.rate_received_bps);
                let _ = write!(text, "  {} {} {rate}", format::name(&path.name), path.state);
            }
            text.push('\n');
        }
        let lines = if self.terminal {
            text.lines().count()
        } else {
            0
        };
        self.write(&text, lines);
    }

    fn write(&mut self, text: &str, replaceable: usize) {
        let mut out = io::stderr().lock();
        if self.drawn > 0 {
            let _ = write!(out, "\x1b[{}A\x1b[J", self.drawn);
        }
        // With stderr gone there is nobody to show anything.
        let _ = out.write_all(text.as_bytes());
        self.drawn = replaceable;
    }
}
