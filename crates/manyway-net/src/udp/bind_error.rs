//! Why a socket could not be bound, and who holds the port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Why [`UdpSocket::bind`](super::UdpSocket::bind) failed.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another socket has the port.
    #[error(
        "UDP port {} on {} is in use by {}; choose another port or stop it",
        address.port(), address.ip(), holder.as_deref().unwrap_or("another program")
    )]
    PortInUse {
        /// The address that was wanted.
        address: SocketAddr,
        /// The program that has it, as `name (pid 123)`, where the system lets us see it.
        holder: Option<String>,
    },
    /// No interface has the address, or it is still being checked for duplicates.
    #[error("{} is not an address of this machine, or not yet usable", address.ip())]
    AddressNotAvailable {
        /// The address that was wanted.
        address: SocketAddr,
    },
    /// No interface has the wanted name.
    #[error("there is no network interface named {interface:?}")]
    NoInterface {
        /// The name that was wanted.
        interface: String,
    },
    /// The system forbids it.
    #[error(
        "no permission to bind {address}; ports below net.ipv4.ip_unprivileged_port_start need \
         CAP_NET_BIND_SERVICE"
    )]
    Permission {
        /// The address that was wanted.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot open a UDP socket on {address}: {source}")]
    Io {
        /// The address that was wanted.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    /// Reads the error of `bind(2)`.
    pub(super) fn from_bind(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse {
                address,
                holder: holder_of(address),
            },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { address },
            io::ErrorKind::PermissionDenied => Self::Permission { address },
            _ => Self::Io { address, source },
        }
    }
}

/// The program whose socket stands in the way of binding `wanted`, as `name (pid 123)`.
fn holder_of(wanted: SocketAddr) -> Option<String> {
    // The calling thread may live in another network namespace than the process.
    let file = if wanted.is_ipv4() { "udp" } else { "udp6" };
    let table = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).ok()?;
    let inode = table
        .lines()
        .skip(1)
        .find_map(|line| conflicting_inode(line, wanted))?;
    holder_of_inode(inode)
}

/// The inode of a line of `/proc/net/udp` whose socket conflicts with `wanted`.
fn conflicting_inode(line: &str, wanted: SocketAddr) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (ip, port) = fields.nth(1)?.split_once(':')?;
    if u16::from_str_radix(port, 16).ok()? != wanted.port() {
        return None;
    }
    let ip = parse_hex_ip(ip)?;
    if ip != wanted.ip() && !ip.is_unspecified() && !wanted.ip().is_unspecified() {
        return None;
    }
    fields.nth(7)?.parse().ok()
}

/// Addresses are printed as 32-bit words in the byte order of the machine.
fn parse_hex_ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut octets = [0; 16];
            for (part, at) in octets.chunks_exact_mut(4).zip((0..32).step_by(8)) {
                part.copy_from_slice(&word(at)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

fn holder_of_inode(inode: u64) -> Option<String> {
    let target = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?;
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = descriptors.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path()).is_ok_and(|link| link.as_os_str() == &*target)
        });
        if holds {
            let command = std::fs::read_to_string(process.path().join("comm")).ok();
            let command = command.as_deref().map_or("unknown", str::trim_end);
            return Some(format!("{command} (pid {pid})"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "  501: 0100007F:26AB 00000000:0000 07 00000000:00000000 00:00000000 \
                        00000000     0        0 4711 2 0000000000000000 0";

    #[test]
    fn a_line_of_proc_net_udp_names_its_inode() {
        let same = "127.0.0.1:9899".parse().unwrap();
        assert_eq!(conflicting_inode(LINE, same), Some(4711));
        let wildcard = "0.0.0.0:9899".parse().unwrap();
        assert_eq!(conflicting_inode(LINE, wildcard), Some(4711));
        let other = "127.0.0.2:9899".parse().unwrap();
        assert_eq!(conflicting_inode(LINE, other), None);
        let port = "127.0.0.1:9898".parse().unwrap();
        assert_eq!(conflicting_inode(LINE, port), None);
    }

    #[test]
    fn ipv6_words_are_read_in_machine_order() {
        let parsed = parse_hex_ip("00000000000000000000000001000000");
        assert_eq!(parsed, Some("::1".parse().unwrap()));
        assert_eq!(parse_hex_ip("zz"), None);
    }
}
