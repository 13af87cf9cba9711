//! The network: its hosts, its routers, and what runs there.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::running::{Running, eventually, execute};

const URL: &str = "http://192.0.2.2:8080/data";

const PROGRAMS: [&str; 9] = [
    "conntrack",
    "curl",
    "ethtool",
    "ip",
    "nft",
    "python3",
    "tc",
    "tcpdump",
    "tshark",
];

/// One network at a time: what a core is busy with is missing elsewhere.
static ONE: Mutex<()> = Mutex::new(());

/// A router that gives nothing away: a new random port for each destination, nothing in from outside.
const NAT: &str = "
table ip nat {
  chain post {
    type nat hook postrouting priority 100; policy accept;
    oifname \"out\" masquerade random,fully-random
  }
}
table ip filter {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname \"in\" accept
  }
}
";

/// Commands of iproute2 that lay the network out; the first word is the host.
const LAYOUT: &str = "
client link add c1 type veth peer name in netns nat1
client link add c2 type veth peer name in netns nat2
server link add s1 type veth peer name out netns nat1
server link add s2 type veth peer name out netns nat2
client addr add 10.1.0.2/24 dev c1
client addr add 10.2.0.2/24 dev c2
nat1 addr add 10.1.0.1/24 dev in
nat2 addr add 10.2.0.1/24 dev in
nat1 addr add 192.0.2.1/24 dev out
nat2 addr add 198.51.100.1/24 dev out
server addr add 192.0.2.2/24 dev s1
server addr add 198.51.100.2/24 dev s2
client link set c1 up
client link set c2 up
nat1 link set in up
nat1 link set out up
nat2 link set in up
nat2 link set out up
server link set s1 up
server link set s2 up
client route add default via 10.1.0.1 dev c1 metric 10
client route add default via 10.2.0.1 dev c2 metric 20
client rule add from 10.1.0.2 lookup 101
client rule add from 10.2.0.2 lookup 102
client route add default via 10.1.0.1 dev c1 table 101
client route add default via 10.2.0.1 dev c2 table 102
nat1 route add 198.51.100.0/24 via 192.0.2.2
nat2 route add 192.0.2.0/24 via 198.51.100.2
";

const HOSTS: [&str; 4] = ["client", "nat1", "nat2", "server"];

/// Every interface, each with its host.
const INTERFACES: [(&str, &str); 8] = [
    ("client", "c1"),
    ("client", "c2"),
    ("nat1", "in"),
    ("nat1", "out"),
    ("nat2", "in"),
    ("nat2", "out"),
    ("server", "s1"),
    ("server", "s2"),
];

/// The network, the files of one test, and the right to be the only one.
pub(crate) struct Net {
    directory: TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Net {
    /// Builds the network; `None`, and a line that says why, where that cannot be done.
    pub(crate) fn build() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root to make network namespaces");
            return None;
        }
        let missing: Vec<_> = PROGRAMS.iter().filter(|name| !is_installed(name)).collect();
        if !missing.is_empty() {
            println!("skipped: not installed: {missing:?}");
            return None;
        }
        // From here on, whatever fails takes the namespaces with it.
        let net = Self {
            _one: ONE.lock().unwrap_or_else(PoisonError::into_inner),
            directory: TempDir::new().unwrap(),
        };
        for host in HOSTS {
            execute(Command::new("ip").args(["netns", "add", &name(host)]));
            net.ip(host, "link set lo up");
        }
        for line in LAYOUT.trim().lines() {
            let (host, rest) = line.split_once(' ').unwrap();
            net.ip(host, rest);
        }
        net.shape();
        Some(net)
    }

    /// Makes routers of the routers, and slow links of the links.
    fn shape(&self) {
        for (host, interface) in INTERFACES {
            // A rate limit counts a packet of 64 KiB as one, and a capture would show it whole.
            let off = "tso off gso off gro off tx-udp-segmentation off";
            let args = ["-K", interface].into_iter().chain(off.split(' '));
            self.run(host, "ethtool", &args.collect::<Vec<_>>());
        }
        for host in ["nat1", "nat2", "server"] {
            self.run(host, "sysctl", &["-qw", "net.ipv4.ip_forward=1"]);
        }
        for (router, rate) in [("nat1", "50mbit"), ("nat2", "20mbit")] {
            self.nft(router, NAT);
            for interface in ["in", "out"] {
                let limit = format!(
                    "qdisc add dev {interface} root tbf rate {rate} burst 16kb limit 100kb"
                );
                self.run(router, "tc", &limit.split(' ').collect::<Vec<_>>());
            }
        }
    }

    fn ip(&self, host: &str, arguments: &str) {
        let words = arguments.split(' ').map(|word| {
            if HOSTS.contains(&word) {
                name(word)
            } else {
                word.to_owned()
            }
        });
        execute(Command::new("ip").args(["-n", &name(host)]).args(words));
    }

    /// Adds rules to a router.
    pub(crate) fn nft(&self, host: &str, rules: &str) {
        let mut nft = self.on(host, "nft");
        let mut nft = nft.args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin
            .take()
            .unwrap()
            .write_all(rules.as_bytes())
            .unwrap();
        assert!(nft.wait().unwrap().success());
    }

    /// A command on a host, in the test's folder.
    fn on(&self, host: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &name(host), program])
            .current_dir(self.directory.path())
            .env("MANYWAY_RUNTIME_DIR", self.directory.path().join("run"))
            .env_remove("MANYWAY_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command on a host and returns what it prints.
    pub(crate) fn run(&self, host: &str, program: &str, arguments: &[&str]) -> String {
        execute(self.on(host, program).args(arguments))
    }

    /// Starts a command on a host; what it prints goes to the file `NAME.log`.
    pub(crate) fn start(
        &self,
        host: &str,
        log: &str,
        program: &str,
        arguments: &[&str],
    ) -> Running {
        let log = self.path(&format!("{log}.log"));
        let file = File::create(&log).unwrap();
        let mut command = self.on(host, program);
        command
            .args(arguments)
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        Running {
            child: Some(command.spawn().unwrap()),
            log,
        }
    }

    fn manyway(&self, host: &str, log: &str, arguments: &[&str]) -> Running {
        self.start(host, log, env!("CARGO_BIN_EXE_manyway"), arguments)
    }

    /// A file of the test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the file `data` of random bytes.
    pub(crate) fn random_file(&self, length: u64) {
        let random = File::open("/dev/urandom").unwrap();
        let mut file = File::create(self.path("data")).unwrap();
        std::io::copy(&mut random.take(length), &mut file).unwrap();
    }

    /// Python's web server, which serves the test's folder to peers.
    pub(crate) fn web_server(&self) -> Running {
        let program = ["-v", "run", "--", "python3", "-m", "http.server", "8080"];
        let server = self.manyway("server", "server", &program);
        server.await_log("peers can reach a program");
        server
    }

    /// curl, which makes the file `copy`.
    pub(crate) fn download(&self, options: &[&str]) -> Running {
        let program = ["-v", "run", "--", "curl", "-sS", "-o", "copy"];
        self.manyway("client", "client", &[&program, options, &[URL]].concat())
    }

    /// Checks that what curl made is what the server has.
    #[track_caller]
    pub(crate) fn assert_copied(&self) {
        let sum = |name| {
            let line = execute(Command::new("sha256sum").arg(self.path(name)));
            line.split(' ').next().unwrap().to_owned()
        };
        assert_eq!(sum("data"), sum("copy"), "the copy differs");
    }

    /// The paths of curl's flow, as `manyway paths` tells them; none when curl has ended.
    pub(crate) fn paths(&self) -> Vec<Value> {
        let mut command = self.on("client", env!("CARGO_BIN_EXE_manyway"));
        let output = command.args(["paths", "--json"]).output().unwrap();
        let mut paths: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        paths.retain(|path| path["program"] == "curl");
        paths
    }

    /// Waits until the paths of curl's flow are as awaited, and returns them.
    #[track_caller]
    pub(crate) fn await_paths(&self, what: &str, ready: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut last = Vec::new();
        let found = eventually(|| {
            last = self.paths();
            ready(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| {
            let log = fs::read_to_string(self.path("client.log")).unwrap_or_default();
            panic!("waited in vain for {what}: {last:#?}\n{log}")
        })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for host in HOSTS {
            // Those that were not made are not there to be deleted.
            let _ = Command::new("ip")
                .args(["netns", "delete", &name(host)])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// The namespace of a host: this process's own, so that test runs do not meet.
fn name(host: &str) -> String {
    format!("manyway-nat-{}-{host}", std::process::id())
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
