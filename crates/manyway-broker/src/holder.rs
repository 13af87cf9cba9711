//! Who holds a UDP port.

use std::fmt;
use std::fs;
use std::path::Path;

/// A process that holds a UDP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pid: u32,
    program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.program, self.pid)
    }
}

/// The process that holds this UDP port in this network namespace, as far as this user may see it.
pub(crate) fn udp_port_holder(port: u16) -> Option<Holder> {
    let inodes: Vec<u64> = ["/proc/self/net/udp", "/proc/self/net/udp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| inode(line, port))
                .collect::<Vec<_>>()
        })
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        holds_one_of(&process.path(), &inodes).then(|| Holder {
            pid,
            program: fs::read_to_string(process.path().join("comm")).map_or_else(
                |_| "a program".to_owned(),
                |name| name.trim_end().to_owned(),
            ),
        })
    })
}

/// The inode of the socket on a line of `/proc/net/udp`, if the socket is bound to the port.
fn inode(line: &str, port: u16) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
    if u16::from_str_radix(local_port, 16).ok()? != port {
        return None;
    }
    fields.nth(7)?.parse().ok()
}

fn holds_one_of(process: &Path, inodes: &[u64]) -> bool {
    fs::read_dir(process.join("fd"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|target| {
                target
                    .to_str()
                    .and_then(|target| {
                        target
                            .strip_prefix("socket:[")?
                            .strip_suffix(']')?
                            .parse()
                            .ok()
                    })
                    .is_some_and(|inode| inodes.contains(&inode))
            })
        })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn the_holder_of_a_port_is_found() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let holder = udp_port_holder(socket.local_addr().unwrap().port()).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.program.is_empty());
    }

    #[test]
    fn a_line_of_the_kernels_table_is_read() {
        let line = "  415: 00000000:26AB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18213 2 0000000000000000 0";
        assert_eq!(inode(line, 9899), Some(18213));
        assert_eq!(inode(line, 9898), None);
        assert_eq!(inode("  sl  local_address rem_address   st", 9899), None);
        assert_eq!(inode("", 9899), None);
    }
}
