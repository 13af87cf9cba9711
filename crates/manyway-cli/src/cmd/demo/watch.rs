//! What is seen of the download while it runs: the file's growth, and the brokers' view.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use manyway_api::{Client, FlowView, Role};

/// The growth of the downloaded file.
#[derive(Debug)]
pub(super) struct Growth {
    file: PathBuf,
    pub(super) bytes: u64,
    /// When the first byte was there.
    pub(super) first: Option<Instant>,
    /// When it last grew.
    last: Instant,
    longest_gap: Duration,
}

impl Growth {
    pub(super) fn of(file: PathBuf) -> Self {
        let last = Instant::now();
        Self {
            file,
            bytes: 0,
            first: None,
            last,
            longest_gap: Duration::ZERO,
        }
    }

    /// Looks at the file.
    pub(super) fn sample(&mut self) {
        let now = Instant::now();
        let bytes = std::fs::metadata(&self.file).map_or(0, |meta| meta.len());
        if self.first.is_some() {
            self.longest_gap = self.longest_gap.max(now - self.last);
        }
        if bytes > self.bytes {
            self.bytes = bytes;
            self.last = now;
            self.first.get_or_insert(now);
        }
    }

    /// When it last grew.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// Starts to look for the longest gap anew.
    pub(super) fn restart_gap(&mut self) {
        self.longest_gap = Duration::ZERO;
    }

    pub(super) fn longest_gap(&self) -> Duration {
        self.longest_gap
    }
}

/// Both ends' view of the flow, by the control API like anybody else's.
#[derive(Debug)]
pub(super) struct Flows {
    api: Client,
    pub(super) client: Option<FlowView>,
    pub(super) server: Option<FlowView>,
}

impl Flows {
    pub(super) fn new(runtime: PathBuf) -> Self {
        Self {
            api: Client::with_directories(vec![runtime]),
            client: None,
            server: None,
        }
    }

    /// Asks both brokers. An end that has gone keeps its last view.
    pub(super) async fn refresh(&mut self) {
        for flow in self.api.flows().await.flows {
            let place = match flow.role {
                Role::Client => &mut self.client,
                Role::Server => &mut self.server,
            };
            *place = Some(flow);
        }
    }
}
