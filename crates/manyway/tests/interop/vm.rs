//! A virtual machine with Linux' own SCTP, behind the bed's server: 10.9.1.2 and 10.9.2.2,
//! 2001:db8:9:1::2 and 2001:db8:9:2::2.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use manyway_bed::Bed;
use manyway_net::link::{self, Network};

use crate::network::{Ip, soon};
use crate::peer::{Peer, Stack};

/// The machine's addresses, one on each path.
pub(crate) fn addresses(ip: Ip) -> [&'static str; 2] {
    match ip {
        Ip::V4 => ["10.9.1.2", "10.9.2.2"],
        Ip::V6 => ["2001:db8:9:1::2", "2001:db8:9:2::2"],
    }
}

/// The directory with kernel and initial file system, or what is missing to make them.
pub(crate) fn directory() -> Result<&'static Path, &'static str> {
    static DIRECTORY: OnceLock<Result<PathBuf, &'static str>> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(build);
    directory.as_deref().map_err(|missing| *missing)
}

fn build() -> Result<PathBuf, &'static str> {
    if Command::new("qemu-system-x86_64")
        .arg("-version")
        .output()
        .is_err()
    {
        return Err("qemu-system-x86_64 (Debian: qemu-system-x86)");
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine");
    std::fs::create_dir_all(&directory).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/machine/build.sh");
    let status = Command::new("sh")
        .arg(script)
        .arg(&directory)
        .arg(Stack::Linux.program()?)
        .status();
    match status {
        Ok(status) if status.success() => Ok(directory),
        _ => Err("kernel of Debian to be had (machine/build.sh failed)"),
    }
}

/// Starts the machine behind the bed's server; it runs as long as the peer.
pub(crate) async fn start(bed: &Bed) -> Peer {
    let directory = directory().unwrap();
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-M",
        "q35",
        "-m",
        "256",
    ])
    .args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
    ])
    .args(["-serial", "stdio"])
    .arg("-kernel")
    .arg(directory.join("vmlinuz"))
    .arg("-initrd")
    .arg(directory.join("initrd"))
    .args(["-append", "quiet loglevel=0 panic=1 mitigations=off"]);
    for tap in ["t1", "t2"] {
        let back = format!("tap,id={tap},ifname={tap},script=no,downscript=no");
        // With checksum offload the card loses full packets of encapsulated SCTP.
        let front = format!("virtio-net-pci,netdev={tap},romfile=,csum=off,gso=off");
        qemu.args(["-netdev", &back, "-device", &front]);
    }
    let mut peer = Peer::start(bed.server(), qemu);
    // Its interfaces come with it.
    for (tap, path) in [("t1", 1), ("t2", 2)] {
        soon("the machine's interfaces", async {
            while bed.server().enter(|| link::set_up(tap)).unwrap().is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let hosts = [
            Network::new(IpAddr::from([10, 9, path, 1]), 24),
            Network::new(
                IpAddr::from([0x2001, 0xdb8, 9, path.into(), 0, 0, 0, 1]),
                64,
            ),
        ];
        for host in hosts {
            let added = bed.server().enter(|| link::add_address(tap, host));
            added.unwrap().unwrap();
        }
    }
    for forwarding in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        let path = format!("/proc/sys/net/{forwarding}");
        let forward = bed.server().enter(|| std::fs::write(path, "1"));
        forward.unwrap().unwrap();
    }
    peer.event("ready").await;
    peer
}
