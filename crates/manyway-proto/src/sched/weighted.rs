//! Fixed shares.

use crate::path::PathId;
use crate::sched::{FlowView, PathView, Scheduler};

/// Packets by which a path may run ahead of its share.
const SLACK: u64 = 16;

/// Each path carries its share of the bytes, whatever it could carry: for links that cost
/// differently. The slowest path in proportion to its weight thus sets the rate of all.
///
/// The weights are those of the paths in the order in which they were opened; a path without one
/// has 1, and a path with 0 is used only while no other works.
///
/// ```
/// use manyway_proto::{FlowView, PathId, PathView, Scheduler, Weighted};
///
/// let paths = [1, 2].map(|n| PathView::new(PathId::new(n)));
/// let mut scheduler = Weighted::new([3, 1]);
/// let mut sent = [0; 2];
/// for _ in 0..4000 {
///     let path = scheduler.select(&paths, FlowView::default()).expect("both are ready");
///     scheduler.on_sent(path, 1000);
///     sent[path.number() as usize - 1] += 1;
/// }
/// assert_eq!(sent, [3000, 1000]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Weighted {
    weights: Vec<u32>,
    /// What each path has carried, in bytes divided by its weight.
    carried: Vec<(PathId, f64)>,
}

impl Weighted {
    /// A scheduler with these weights.
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        Self {
            weights: weights.into_iter().collect(),
            carried: Vec::new(),
        }
    }

    fn weight(&self, path: PathId) -> u32 {
        let at = (path.number() as usize).checked_sub(1);
        at.and_then(|at| self.weights.get(at)).copied().unwrap_or(1)
    }

    /// Keeps count of the paths that are there; a new one begins where the others are, so that it
    /// has nothing to make up for.
    fn follow(&mut self, paths: &[PathView]) {
        self.carried
            .retain(|(id, _)| paths.iter().any(|p| p.id == *id));
        let least = self.carried.iter().map(|c| c.1).min_by(f64::total_cmp);
        for path in paths {
            if !self.carried.iter().any(|(id, _)| *id == path.id) {
                self.carried.push((path.id, least.unwrap_or(0.0)));
            }
        }
        // Only differences count, and sums would lose their last digits some day.
        if let Some(least) = least.filter(|least| *least > 1e9) {
            self.carried.iter_mut().for_each(|c| c.1 -= least);
        }
    }
}

impl Scheduler for Weighted {
    fn select(&mut self, paths: &[PathView], _flow: FlowView) -> Option<PathId> {
        self.follow(paths);
        let useful = self.carried.iter().filter(|c| self.weight(c.0) > 0);
        let (behind, carried) = useful
            .copied()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .or_else(|| self.carried.first().copied())?;
        let view = |id: PathId| paths.iter().find(|p| p.id == id);
        if view(behind).is_some_and(|p| p.ready) {
            return Some(behind);
        }
        // Others may run ahead a little, so that one late acknowledgement does not stop all.
        let ahead = self.carried.iter().filter(|(id, sum)| {
            let weight = f64::from(self.weight(*id));
            view(*id).is_some_and(|p| {
                let slack = (SLACK * p.packet_size) as f64;
                p.ready && (sum - carried) * weight < slack
            }) && weight > 0.0
        });
        ahead.min_by(|a, b| a.1.total_cmp(&b.1)).map(|c| c.0)
    }

    fn on_sent(&mut self, path: PathId, bytes: u64) {
        let weight = f64::from(self.weight(path).max(1));
        if let Some((_, sum)) = self.carried.iter_mut().find(|c| c.0 == path) {
            *sum += bytes as f64 / weight;
        }
    }

    fn burst(&self) -> usize {
        4
    }

    fn name(&self) -> &'static str {
        "weighted"
    }
}
