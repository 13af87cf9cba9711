//! The paths of an association.

use std::time::Duration;

use crate::config::TransportConfig;
use crate::path::{FourTuple, Path, PathId, PathInfo, PathState};
use crate::time::Instant;

/// The choice of a primary, and how long it took until a packet left on it.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    path: PathId,
    at: Instant,
    delay: Option<Duration>,
}

/// All paths. Few, so that a scan is the fastest look-up.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    list: Vec<Path>,
    next: u32,
    chosen: Option<Chosen>,
}

impl Paths {
    pub(crate) fn add(
        &mut self,
        tuple: FourTuple,
        config: &TransportConfig,
        now: Instant,
    ) -> PathId {
        self.next += 1;
        let id = PathId::new(self.next);
        self.list.push(Path::new(id, tuple, config, now));
        id
    }

    pub(crate) fn remove(&mut self, id: PathId) -> Option<Path> {
        let at = self.list.iter().position(|p| p.id == id)?;
        if self.chosen.is_some_and(|c| c.path == id) {
            self.chosen = None;
        }
        Some(self.list.remove(at))
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Path> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Path> {
        self.list.iter_mut()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = PathId> + use<> {
        self.list
            .iter()
            .map(|p| p.id)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The path at a position; positions behind a removed path move up.
    pub(crate) fn id_at(&self, position: usize) -> Option<PathId> {
        self.list.get(position).map(|p| p.id)
    }

    pub(crate) fn get(&self, id: PathId) -> Option<&Path> {
        self.list.iter().find(|p| p.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: PathId) -> Option<&mut Path> {
        self.list.iter_mut().find(|p| p.id == id)
    }

    pub(crate) fn by_tuple(&self, tuple: &FourTuple) -> Option<PathId> {
        self.list.iter().find(|p| p.tuple == *tuple).map(|p| p.id)
    }

    /// The path that is used first: the chosen one, else the first that works, else the first.
    pub(crate) fn primary(&self) -> Option<PathId> {
        self.chosen.map(|c| c.path).or_else(|| {
            let works = |p: &&Path| p.state == PathState::Active && p.is_wanted();
            self.list
                .iter()
                .find(works)
                .or_else(|| self.list.first())
                .map(|p| p.id)
        })
    }

    /// The primary that somebody chose, if anybody did.
    pub(crate) fn chosen_primary(&self) -> Option<PathId> {
        self.chosen.map(|c| c.path)
    }

    pub(crate) fn choose_primary(&mut self, now: Instant, path: PathId) {
        self.chosen = Some(Chosen {
            path,
            at: now,
            delay: None,
        });
    }

    pub(crate) fn on_packet_sent(&mut self, now: Instant, path: PathId) {
        if let Some(chosen) = &mut self.chosen
            && chosen.path == path
            && chosen.delay.is_none()
        {
            chosen.delay = Some(now - chosen.at);
        }
    }

    /// The best path for something that must leave now: working and wanted, then working, then
    /// any that may come back; the chosen primary first within each.
    pub(crate) fn best(&self) -> Option<PathId> {
        let chosen = self.chosen_primary();
        let rank = |p: &&Path| {
            let state = match p.state {
                PathState::Active => usize::from(!p.is_wanted()),
                PathState::Suspect => 2,
                PathState::Unconfirmed => 3,
                PathState::Failed => 4,
            };
            let candidate = p.candidate;
            (
                candidate,
                state,
                Some(p.id) != chosen,
                p.rtt.srtt().unwrap_or(Duration::MAX),
            )
        };
        self.list.iter().min_by_key(rank).map(|p| p.id)
    }

    /// The smallest packet size of the paths that work or worked lately: what fits it can go on
    /// any of them.
    pub(crate) fn smallest_packet(&self) -> Option<usize> {
        let in_use = |p: &&Path| matches!(p.state, PathState::Active | PathState::Suspect);
        self.list
            .iter()
            .filter(in_use)
            .map(|p| p.size.current())
            .min()
    }

    pub(crate) fn infos(&self) -> impl Iterator<Item = PathInfo> + '_ {
        let primary = self.primary();
        self.list.iter().map(move |p| {
            let delay = self.chosen.filter(|c| c.path == p.id).and_then(|c| c.delay);
            p.info(primary == Some(p.id), delay)
        })
    }
}
