//! Which pairs of addresses become paths.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::path::FourTuple;

/// Chooses the pairs of local and remote addresses over which an association of Manyway peers gets
/// paths, when this side opened it. Paths that the application adds and those that the peer opens
/// are not affected.
///
/// ```
/// use manyway_proto::PathManager;
///
/// let manager: PathManager = "ndiffports:3".parse()?;
/// assert_eq!(manager, PathManager::NDiffPorts(3));
/// assert_eq!(manager.to_string(), "ndiffports:3");
/// assert!("all".parse::<PathManager>().is_err());
/// # Ok::<(), manyway_proto::UnknownPathManager>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathManager {
    /// One path; another one takes its place when its local address vanishes: `primary-only`.
    PrimaryOnly,
    /// One path for each local address, to the remote address that the fewest paths use:
    /// `per-interface`.
    #[default]
    PerInterface,
    /// Each local address with each remote one, as far as [`crate::TransportConfig::max_paths`]
    /// goes: `fullmesh`. Seldom better than [`PathManager::PerInterface`]: pairs that share a link
    /// compete on it.
    FullMesh,
    /// So many paths from each local address, from UDP ports of their own: `ndiffports:2`. For
    /// networks that spread flows by their ports. The engine treats them as addresses; its caller
    /// opens the ports.
    NDiffPorts(u8),
}

impl PathManager {
    /// How each is written, for help texts.
    pub const SYNTAX: &'static [&'static str] =
        &["primary-only", "per-interface", "fullmesh", "ndiffports:N"];

    /// UDP ports for each local address, at least one.
    pub const fn ports_per_address(self) -> u8 {
        match self {
            Self::NDiffPorts(ports) if ports > 1 => ports,
            _ => 1,
        }
    }
}

impl fmt::Display for PathManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrimaryOnly => f.write_str("primary-only"),
            Self::PerInterface => f.write_str("per-interface"),
            Self::FullMesh => f.write_str("fullmesh"),
            Self::NDiffPorts(ports) => write!(f, "ndiffports:{ports}"),
        }
    }
}

/// A text that names no path manager.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no path manager; there are {}, N from 1 to 16", PathManager::SYNTAX.join(", "))]
pub struct UnknownPathManager {
    given: String,
}

impl FromStr for PathManager {
    type Err = UnknownPathManager;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ports = |text: &str| {
            let ports = text.strip_prefix("ndiffports:")?.parse().ok();
            ports.filter(|ports| (1..=16).contains(ports))
        };
        match text {
            "primary-only" => Ok(Self::PrimaryOnly),
            "per-interface" => Ok(Self::PerInterface),
            "fullmesh" => Ok(Self::FullMesh),
            _ => ports(text)
                .map(Self::NDiffPorts)
                .ok_or_else(|| UnknownPathManager {
                    given: text.to_owned(),
                }),
        }
    }
}

/// The pairs that shall become paths besides those `in_use`. `avoid` are pairs that were tried and
/// did not answer.
pub(crate) fn wanted_pairs(
    manager: PathManager,
    locals: &[SocketAddr],
    remotes: &[SocketAddr],
    in_use: &[FourTuple],
    avoid: &[FourTuple],
) -> Vec<FourTuple> {
    match manager {
        PathManager::PerInterface | PathManager::NDiffPorts(_) => {
            choose_pairs(locals, remotes, in_use, avoid)
        }
        PathManager::PrimaryOnly => {
            let alive = in_use.iter().any(|pair| locals.contains(&pair.local));
            let wanted = if alive { 0 } else { 1 };
            let mut pairs = choose_pairs(locals, remotes, in_use, avoid);
            pairs.truncate(wanted);
            pairs
        }
        PathManager::FullMesh => {
            // The best pair of each address first, so that a bound leaves out the others.
            let mut pairs = choose_pairs(locals, remotes, in_use, avoid);
            for &local in locals {
                for &remote in remotes {
                    let pair = FourTuple { local, remote };
                    let taken = |other: &FourTuple| {
                        other.local == local && other.remote.ip() == remote.ip()
                    };
                    let new = !in_use.iter().chain(&pairs).any(taken);
                    if new && is_sensible(&pair) {
                        pairs.push(pair);
                    }
                }
            }
            pairs
        }
    }
}

/// Whether packets may get from one end to the other: one family, one carrier, and not from the
/// loopback to elsewhere.
fn is_sensible(pair: &FourTuple) -> bool {
    pair.is_possible() && pair.local.ip().is_loopback() == pair.remote.ip().is_loopback()
}

/// One pair for each local address that has none, preferring remote addresses that no path uses
/// yet: a second interface reaches the peer's second address if there is one. `avoid` are pairs
/// that were tried and did not answer.
pub(crate) fn choose_pairs(
    locals: &[SocketAddr],
    remotes: &[SocketAddr],
    in_use: &[FourTuple],
    avoid: &[FourTuple],
) -> Vec<FourTuple> {
    let mut chosen: Vec<FourTuple> = Vec::new();
    for &local in locals {
        if in_use.iter().any(|pair| pair.local == local) {
            continue;
        }
        let uses = |remote: &SocketAddr| {
            in_use
                .iter()
                .chain(&chosen)
                .filter(|pair| pair.remote.ip() == remote.ip())
                .count()
        };
        let tried = |remote: &SocketAddr| {
            avoid.contains(&FourTuple {
                local,
                remote: *remote,
            })
        };
        let best = remotes
            .iter()
            .filter(|&&remote| is_sensible(&FourTuple { local, remote }))
            .min_by_key(|remote| (tried(remote), uses(remote)));
        if let Some(&remote) = best {
            chosen.push(FourTuple { local, remote });
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(s: &str) -> SocketAddr {
        s.parse().unwrap()
    }

    #[test]
    fn each_interface_gets_the_least_used_remote() {
        let locals = [addr("10.1.0.2:5000"), addr("10.2.0.2:5001")];
        let remotes = [addr("192.0.2.2:9899"), addr("198.51.100.2:9899")];
        let in_use = [FourTuple {
            local: locals[0],
            remote: remotes[0],
        }];
        let pairs = choose_pairs(&locals, &remotes, &in_use, &[]);
        assert_eq!(
            pairs,
            [FourTuple {
                local: locals[1],
                remote: remotes[1]
            }]
        );
        let again = choose_pairs(&locals, &remotes, &in_use, &pairs);
        assert_eq!(
            again,
            [FourTuple {
                local: locals[1],
                remote: remotes[0]
            }]
        );
    }

    #[test]
    fn udp_and_ip_itself_are_not_mixed() {
        let remotes = [addr("192.0.2.2:9899"), addr("192.0.2.2:0")];
        for (local, remote) in [("10.1.0.2:5000", 0), ("10.1.0.2:0", 1)] {
            let pairs = choose_pairs(&[addr(local)], &remotes, &[], &[]);
            assert_eq!(pairs[0].remote, remotes[remote]);
            assert_eq!(pairs[0].is_raw(), remote == 1);
        }
    }

    #[test]
    fn families_are_not_mixed() {
        let pairs = choose_pairs(
            &[addr("[2001:db8::1]:1")],
            &[addr("192.0.2.2:9899")],
            &[],
            &[],
        );
        assert!(pairs.is_empty());
    }

    fn pairs(manager: PathManager, locals: &[&str], in_use: &[(&str, &str)]) -> Vec<FourTuple> {
        let locals: Vec<_> = locals.iter().map(|l| addr(l)).collect();
        let remotes = [addr("192.0.2.2:9899"), addr("198.51.100.2:9899")];
        let pair = |(l, r): &(&str, &str)| FourTuple {
            local: addr(l),
            remote: addr(r),
        };
        let in_use: Vec<_> = in_use.iter().map(pair).collect();
        wanted_pairs(manager, &locals, &remotes, &in_use, &[])
    }

    #[test]
    fn a_full_mesh_has_each_pair_once_and_the_loopback_in_none() {
        let locals = ["10.1.0.2:1", "10.2.0.2:2", "127.0.0.1:3", "[2001:db8::1]:4"];
        let used = ("10.1.0.2:1", "192.0.2.2:9899");
        let found = pairs(PathManager::FullMesh, &locals, &[used]);
        assert_eq!(found.len(), 3, "{found:?}");
        let mut once = found.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), 3, "{found:?}");
        assert_eq!(found[0].local, addr("10.2.0.2:2"), "a new interface first");
    }

    #[test]
    fn primary_only_opens_no_second_path_and_replaces_one_whose_address_is_gone() {
        let used = ("10.1.0.2:1", "192.0.2.2:9899");
        let both = ["10.1.0.2:1", "10.2.0.2:2"];
        assert!(pairs(PathManager::PrimaryOnly, &both, &[used]).is_empty());
        let left = pairs(PathManager::PrimaryOnly, &both[1..], &[used]);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].local, addr("10.2.0.2:2"));
    }

    #[test]
    fn ports_are_like_addresses() {
        let locals = ["10.1.0.2:1", "10.1.0.2:2"];
        let used = ("10.1.0.2:1", "192.0.2.2:9899");
        let found = pairs(PathManager::NDiffPorts(2), &locals, &[used]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].local, addr("10.1.0.2:2"));
        assert_eq!(PathManager::NDiffPorts(0).ports_per_address(), 1);
    }

    #[test]
    fn what_names_no_manager_is_refused() {
        for text in [
            "",
            "ndiffports",
            "ndiffports:0",
            "ndiffports:17",
            "ndiffports:x",
            "mesh",
        ] {
            let error = text.parse::<PathManager>().unwrap_err();
            assert!(error.to_string().contains("fullmesh"), "{error}");
        }
        for manager in [
            PathManager::PrimaryOnly,
            PathManager::PerInterface,
            PathManager::FullMesh,
        ] {
            assert_eq!(manager.to_string().parse(), Ok(manager));
        }
    }
}
