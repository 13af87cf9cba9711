//! On which paths new data may leave, and what the scheduler says.

use super::Association;
use crate::cmt::buffers;
use crate::path::{Path, PathId, PathState};
use crate::sched::{FlowView, PathView};
use crate::time::Instant;

impl Association {
    /// The path for new data by the scheduler's choice, if they may leave there now.
    pub(super) fn scheduled_path(&mut self, now: Instant) -> Option<PathId> {
        let mut views = std::mem::take(&mut self.views);
        self.collect_views(now, &mut views);
        let selected = self.scheduler.select(&views, self.flow_view());
        let ready = |id: PathId| views.iter().any(|v| v.id == id && v.ready);
        let path = selected.filter(|id| ready(*id)).or_else(|| {
            // Nothing is in flight whose acknowledgement would ask the scheduler again.
            let stuck = views.iter().all(|v| v.in_flight == 0);
            let first = views.iter().find(|v| v.ready).filter(|_| stuck);
            first.map(|v| v.id)
        });
        self.sender.held_back = path.is_none() && views.iter().any(|v| v.ready);
        self.views = views;
        path
    }

    fn flow_view(&self) -> FlowView {
        let unacked = self.sender.outstanding.unacked();
        let own = (self.config.send_buffer as u64).saturating_sub(unacked);
        FlowView {
            waiting: self.sender.queue.bytes() as u64,
            room: own.min(self.sender.peer_window),
        }
    }

    /// The paths for new data.
    fn collect_views(&mut self, now: Instant, views: &mut Vec<PathView>) {
        views.clear();
        let Some(tier) = self.usable_tier() else {
            return;
        };
        let errors = self.tolerated_errors(tier);
        let next = self.sender.queue.next_len().unwrap_or_default();
        let buffers = self.buffers();
        let chosen = self.paths.chosen_primary();
        for position in 0..self.paths.len() {
            let found = self.paths.id_at(position);
            let Some((id, path)) = found.and_then(|id| Some((id, self.paths.get(id)?))) else {
                continue;
            };
            if !tier.admits(path) || path.error_count > errors {
                continue;
            }
            let piece = next.min(path.size.current()) as u64;
            let fits =
                path.has_room() && buffers::may_send(buffers, path.in_flight, path.need(), piece);
            let mut view = path.view();
            view.primary = chosen == Some(id);
            view.ready = fits && self.pace(now, id);
            views.push(view);
        }
    }

    /// What follows from `payload` bytes of new data that left on a path, in packets of `bytes`
    /// bytes together.
    pub(super) fn on_new_data_sent(&mut self, id: PathId, payload: u64, bytes: usize) {
        if payload > 0 {
            self.scheduler.on_sent(id, bytes as u64);
            self.sender
                .copies
                .allow(payload, self.scheduler.redundancy());
        }
    }

    /// The best class of paths of which there is at least one.
    pub(super) fn usable_tier(&self) -> Option<Tier> {
        [Tier::Wanted, Tier::Working, Tier::Suspect, Tier::Any]
            .into_iter()
            .find(|tier| self.paths.iter().any(|p| tier.admits(p)))
    }

    /// The most timeouts in a row that a path of the class may have to carry new data.
    fn tolerated_errors(&self, tier: Tier) -> u32 {
        match tier {
            Tier::Wanted | Tier::Working => u32::MAX,
            //= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
            //# The sender SHOULD choose the destination in PF state with the lowest error count (fewest consecutive timeouts) for data transmission and transmit or retransmit data to this destination.
            //= https://www.rfc-editor.org/rfc/rfc7829#section-4.1
            //# The sender SHOULD choose the destination in inactive state with the lowest error count (fewest consecutive timeouts) for data transmission.
            Tier::Suspect | Tier::Any => {
                let admitted = self.paths.iter().filter(|p| tier.admits(p));
                admitted.map(|p| p.error_count).min().unwrap_or(u32::MAX)
            }
        }
    }
}

/// Classes of paths for data, best first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tier {
    /// Work, and both ends want data there.
    Wanted,
    /// Work.
    Working,
    /// Worked until lately.
    Suspect,
    /// Have worked or may work.
    Any,
}

impl Tier {
    pub(super) fn admits(self, path: &Path) -> bool {
        let verified = !path.candidate && path.state != PathState::Unconfirmed;
        match self {
            Self::Wanted => path.state == PathState::Active && path.is_wanted(),
            Self::Working => path.state == PathState::Active,
            Self::Suspect => path.state == PathState::Suspect,
            Self::Any => verified,
        }
    }
}
