//! The router of one path: a thread that moves packets between two TUN devices in due time.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use manyway_net::tun::Tun;
use manyway_sim::{Instant, Outcome};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::BedError;
use crate::capture::Capture;
use crate::path::{BedPath, Shared};
use crate::translate;
use crate::{ipv4, ipv6};

/// Packets read from a device before what is due gets its turn.
const BATCH: usize = 32;
/// Most packets on their way in one direction. At 1500 bytes this is 1 s of 780 Mbit/s.
const MAX_IN_FLIGHT: usize = 65_536;
/// Buffers kept for the next packets.
const MAX_SPARE: usize = 1024;
/// The largest IP packet.
const MAX_PACKET: usize = 65_535;

/// A running router; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// One of a router's two sides.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) tun: Tun,
    pub(crate) capture: Capture,
}

impl Relay {
    /// Starts a router between the client's and the server's side of `path`.
    pub(crate) fn start(path: &BedPath, client: Port, server: Port) -> Result<Self, BedError> {
        let relay = |source| BedError::Relay { source };
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(|e| relay(e.into()))?;
        let stop = Arc::new(stop);
        let mut router = Router {
            path: path.clone(),
            epoch: std::time::Instant::now(),
            client,
            server,
            up: VecDeque::new(),
            down: VecDeque::new(),
            spare: Vec::new(),
            scratch: vec![0; MAX_PACKET],
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(format!("bed-path-{}", path.index + 1))
            .spawn(move || {
                // Without it the kernel may sleep 50 µs longer than asked.
                if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
                    tracing::debug!(%error, "timers stay coarse");
                }
                if let Err(error) = router.run(&stopped) {
                    tracing::error!(%error, "a router of the test network stops");
                }
            })
            .map_err(relay)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Err(error) = rustix::io::write(&self.stop, &1u64.to_ne_bytes()) {
            tracing::error!(%error, "cannot stop a router of the test network");
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a router of the test network has panicked");
        }
    }
}

/// A packet on its way.
#[derive(Debug)]
struct InFlight {
    due: Instant,
    packet: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// What is routed here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    /// The family of a packet that may be routed.
    fn of(packet: &[u8]) -> Option<Self> {
        if ipv4::header_len(packet).is_some() {
            return Some(Self::V4);
        }
        ipv6::is_routable(packet).then_some(Self::V6)
    }
}

#[derive(Debug)]
struct Router {
    path: BedPath,
    epoch: std::time::Instant,
    client: Port,
    server: Port,
    /// In order of time, as links never reorder.
    up: VecDeque<InFlight>,
    down: VecDeque<InFlight>,
    spare: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Router {
    fn run(&mut self, stop: &OwnedFd) -> io::Result<()> {
        loop {
            let more_up = self.receive(Way::Up)?;
            self.deliver(Way::Up);
            let more_down = self.receive(Way::Down)?;
            self.deliver(Way::Down);
            let wait = if more_up || more_down {
                Some(Duration::ZERO)
            } else {
                self.next_due()
            };
            if self.wait(stop, wait)? {
                self.client.capture.flush();
                self.server.capture.flush();
                return Ok(());
            }
        }
    }

    /// Waits for packets, for the time to deliver one, or to be stopped; true if stopped.
    fn wait(&mut self, stop: &OwnedFd, most: Option<Duration>) -> io::Result<bool> {
        let timeout = most.map(|most| Timespec {
            tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: most.subsec_nanos().into(),
        });
        let mut fds = [
            PollFd::new(stop, PollFlags::IN),
            PollFd::from_borrowed_fd(self.client.tun.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.server.tun.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => Ok(fds[0].revents().contains(PollFlags::IN)),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn next_due(&self) -> Option<Duration> {
        let now = self.now();
        let due = self
            .up
            .front()
            .into_iter()
            .chain(self.down.front())
            .map(|next| next.due)
            .min();
        due.map(|due| due - now)
    }

    fn now(&self) -> Instant {
        now(self.epoch)
    }

    /// Gives what one host has sent to its link; true if there is more.
    fn receive(&mut self, way: Way) -> io::Result<bool> {
        let Self {
            path,
            epoch,
            client,
            server,
            up,
            down,
            spare,
            scratch,
        } = self;
        let (from, flying) = match way {
            Way::Up => (client, up),
            Way::Down => (server, down),
        };
        let mut shared = None;
        for _ in 0..BATCH {
            let len = match from.tun.read(scratch) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            let now = now(*epoch);
            let packet = &mut scratch[..len];
            from.capture.record(now, packet);
            let shared = shared.get_or_insert_with(|| path.lock());
            let Some(due) = admit(shared, way, now, packet) else {
                continue;
            };
            if flying.len() >= MAX_IN_FLIGHT {
                shared.router.overflow += 1;
                continue;
            }
            let mut buffer = spare.pop().unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(packet);
            flying.push_back(InFlight {
                due,
                packet: buffer,
            });
        }
        Ok(true)
    }

    /// Hands what is due to the other host.
    fn deliver(&mut self, way: Way) {
        let Self {
            path,
            epoch,
            client,
            server,
            up,
            down,
            spare,
            ..
        } = self;
        let (to, flying) = match way {
            Way::Up => (server, up),
            Way::Down => (client, down),
        };
        let mut shared = None;
        loop {
            let now = now(*epoch);
            let Some(InFlight { due, mut packet }) = flying.pop_front_if(|next| next.due <= now)
            else {
                return;
            };
            let shared = shared.get_or_insert_with(|| path.lock());
            if release(shared, way, now, &mut packet) {
                let lateness = now - due;
                shared.router.max_lateness = shared.router.max_lateness.max(lateness);
                shared.router.total_lateness += lateness;
                to.capture.record(now, &packet);
                shared.router.refused += u64::from(to.tun.write(&packet).is_err());
            }
            if spare.len() < MAX_SPARE {
                spare.push(packet);
            }
        }
    }
}

fn now(epoch: std::time::Instant) -> Instant {
    Instant::from_nanos(u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Routes a packet into its link; when it is due at the far end, unless it is dropped.
fn admit(shared: &mut Shared, way: Way, now: Instant, packet: &mut [u8]) -> Option<Instant> {
    let family = Family::of(packet);
    let goes_on = match family {
        Some(Family::V4) => ipv4::take_hop(packet),
        Some(Family::V6) => ipv6::take_hop(packet),
        None => {
            shared.router.unsupported += 1;
            return None;
        }
    };
    if !goes_on {
        shared.router.hops_exceeded += 1;
        return None;
    }
    let link = match way {
        Way::Up => &mut shared.up,
        Way::Down => {
            // The NAT is at the server's end of the link.
            if let Some(nat) = shared.nat.as_mut().filter(|_| family == Some(Family::V4))
                && !translate::inbound(nat, now, packet)
            {
                shared.router.unsupported += u64::from(ipv4::is_foreign(packet));
                return None;
            }
            &mut shared.down
        }
    };
    match link.enqueue(now, packet.len()) {
        Outcome::Deliver { at, mark } => {
            if mark {
                match family {
                    Some(Family::V6) => ipv6::mark_congestion(packet),
                    _ => ipv4::mark_congestion(packet),
                }
            }
            Some(at)
        }
        Outcome::Dropped(_) => None, // counted by the link
    }
}

/// Takes a packet out of its link; whether it goes on to the host.
fn release(shared: &mut Shared, way: Way, now: Instant, packet: &mut [u8]) -> bool {
    match way {
        Way::Down => shared.down.arrive(packet.len()),
        Way::Up => {
            if !shared.up.arrive(packet.len()) {
                return false;
            }
            let is_ipv4 = Family::of(packet) == Some(Family::V4);
            let Some(nat) = shared.nat.as_mut().filter(|_| is_ipv4) else {
                return true;
            };
            let passes = translate::outbound(nat, now, packet);
            shared.router.unsupported += u64::from(!passes && ipv4::is_foreign(packet));
            passes
        }
    }
}
