//! Which pairs of addresses become paths: the `per-interface` path manager.

use std::net::SocketAddr;

use crate::path::FourTuple;

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
            .filter(|&&remote| FourTuple { local, remote }.is_possible())
            .filter(|remote| remote.ip().is_loopback() == local.ip().is_loopback())
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
}
