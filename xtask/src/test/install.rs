//! The programs that tests run, and how to get them.

use std::path::Path;

use crate::process;
use crate::test::outcome::Outcome;
use crate::workspace::Workspace;

/// Something that Debian packages.
#[derive(Debug)]
struct Tool {
    package: &'static str,
    present: Present,
    /// What is left out without it.
    tests: &'static str,
}

#[derive(Debug)]
enum Present {
    Program(&'static str),
    File(&'static str),
}

const fn program(package: &'static str, name: &'static str, tests: &'static str) -> Tool {
    Tool {
        package,
        present: Present::Program(name),
        tests,
    }
}

const TOOLS: &[Tool] = &[
    program(
        "busybox-static",
        "busybox",
        "static programs under interception",
    ),
    program("conntrack", "conntrack", "NATs that forget their mappings"),
    program("curl", "curl", "curl through two NATs"),
    program(
        "ethtool",
        "ethtool",
        "networks without segmentation offload",
    ),
    program("gcc", "gcc", "peers written in C"),
    program("iperf3", "iperf3", "iperf3 as a program"),
    program("iproute2", "ip", "networks of the kernel's own NATs"),
    program("nftables", "nft", "networks of the kernel's own NATs"),
    program("nginx-light", "nginx", "nginx as a server"),
    program("python3", "python3", "python as client and server"),
    program(
        "qemu-system-x86",
        "qemu-system-x86_64",
        "interoperation with the Linux kernel",
    ),
    program(
        "tcpdump",
        "tcpdump",
        "captures of the kernel's own networks",
    ),
    program("tshark", "tshark", "dissection of captures"),
    program("wget", "wget", "wget as a client"),
    Tool {
        package: "libusrsctp-dev",
        present: Present::File("/usr/include/usrsctp.h"),
        tests: "interoperation with usrsctp",
    },
];

impl Tool {
    fn is_present(&self) -> bool {
        match self.present {
            Present::Program(name) => process::is_installed(name),
            Present::File(path) => Path::new(path).is_file(),
        }
    }
}

/// Installs what is missing, when it may; else says what is left out without it.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let missing = || TOOLS.iter().filter(|tool| !tool.is_present());
    let packages: Vec<_> = missing().map(|tool| tool.package).collect();
    if packages.is_empty() {
        return Outcome::Passed;
    }
    if rustix::process::geteuid().is_root() && process::is_installed("apt-get") {
        apt(workspace, &["update", "--quiet"]);
        let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
        install.extend(&packages);
        apt(workspace, &install);
    }
    let mut absent = Vec::new();
    for Tool { package, tests, .. } in missing() {
        eprintln!("{package} is not installed; left out: {tests}");
        absent.push(*package);
    }
    if absent.is_empty() {
        return Outcome::Passed;
    }
    Outcome::Skipped(format!("as root: apt-get install {}", absent.join(" ")))
}

/// A failure shows in what is missing afterwards.
fn apt(workspace: &Workspace, arguments: &[&str]) {
    let mut command = workspace.command("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    if let Err(error) = process::run(command) {
        eprintln!("cannot run apt-get: {error}");
    }
}
