//! The accepts that wait for a connection.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags};
use socket2::SockRef;

use crate::accept::Accept;
use crate::signals::{self, Waiting};
use crate::supervisor::Shared;

/// How often some of the waiting calls are looked after.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many are looked after at once: their number must not cost more than that.
const LOOKS: usize = 8;

#[derive(Debug)]
struct Waiter {
    accept: Accept,
    /// When the listener's own receive timeout ends the wait.
    deadline: Option<Instant>,
}

/// Accepts on one listener, first come, first served.
#[derive(Debug)]
struct Queue {
    /// Kept no longer than somebody waits, as the kernel itself would.
    listener: OwnedFd,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug, Default)]
struct Arrivals {
    accepts: Vec<(Accept, OwnedFd)>,
    stopped: bool,
}

/// Where accepts wait, and the bell for the thread that serves them.
#[derive(Debug)]
pub(crate) struct Acceptor {
    arrivals: Mutex<Arrivals>,
    bell: OwnedFd,
}

impl Acceptor {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            arrivals: Mutex::default(),
            bell: rustix::event::eventfd(0, flags)?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call wait for the next connection on its listener.
    pub(crate) fn wait(&self, accept: Accept, listener: OwnedFd) {
        self.lock().accepts.push((accept, listener));
        self.look();
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.look();
    }

    /// Makes the thread look for arrivals and for connections that were handed back.
    pub(crate) fn look(&self) {
        // Only a counter at its limit refuses, and then the bell rings anyway.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Serves the waiting calls until [`stop`](Self::stop); asleep while nothing happens and
    /// nobody waits.
    pub(crate) fn run(&self, shared: &Shared) {
        let mut queues: BTreeMap<u64, Queue> = BTreeMap::new();
        let (mut looked, mut next) = (Instant::now(), 0);
        loop {
            let ready = self.ready(&queues).unwrap_or_else(|error| {
                // Without memory for a poll, calls are served by the clock.
                tracing::error!(%error, "waiting accepts cannot be watched");
                std::thread::sleep(INTERVAL);
                queues.keys().copied().collect()
            });
            serve(&mut queues, ready, shared);
            let Some(arrivals) = self.arrivals() else {
                return;
            };
            for (accept, listener) in arrivals {
                arrive(&mut queues, accept, listener);
            }
            if looked.elapsed() >= INTERVAL {
                look_after(&mut queues, &mut next);
                looked = Instant::now();
            }
            queues.retain(|_, queue| {
                queue.expire();
                !queue.waiters.is_empty()
            });
            let listeners = queues.keys().copied();
            let handed_back = listeners.filter(|c| shared.leftovers.has(*c)).collect();
            serve(&mut queues, handed_back, shared);
        }
    }

    /// The calls that have come since; `None` once the thread is to end.
    fn arrivals(&self) -> Option<Vec<(Accept, OwnedFd)>> {
        let mut arrivals = self.lock();
        (!arrivals.stopped).then(|| std::mem::take(&mut arrivals.accepts))
    }

    /// Waits for the bell or a listener that has something; returns those listeners.
    fn ready(&self, queues: &BTreeMap<u64, Queue>) -> io::Result<Vec<u64>> {
        let timeout = (!queues.is_empty()).then(|| {
            patience(queues)
                .try_into()
                .expect("a fraction of a second fits a timespec")
        });
        let listeners = queues
            .values()
            .map(|queue| PollFd::new(&queue.listener, PollFlags::IN));
        let mut waiting: Vec<_> = std::iter::once(PollFd::new(&self.bell, PollFlags::IN))
            .chain(listeners)
            .collect();
        match rustix::event::poll(&mut waiting, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !waiting[0].revents().is_empty() {
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        }
        let is_ready = waiting[1..].iter().map(|fd| !fd.revents().is_empty());
        let cookies = queues.keys().copied().zip(is_ready);
        Ok(cookies
            .filter_map(|(c, ready)| ready.then_some(c))
            .collect())
    }
}

/// Serves the waiters of these listeners.
fn serve(queues: &mut BTreeMap<u64, Queue>, listeners: Vec<u64>, shared: &Shared) {
    for cookie in listeners {
        if let Some(queue) = queues.remove(&cookie) {
            queues.extend(queue.serve(shared).map(|queue| (cookie, queue)));
        }
    }
}

/// How long nothing has to be done for the waiters if nothing happens.
fn patience(queues: &BTreeMap<u64, Queue>) -> Duration {
    let waiters = queues.values().flat_map(|queue| &queue.waiters);
    let soonest = waiters.filter_map(|waiter| waiter.deadline).min();
    let left = soonest.map(|soonest| soonest.saturating_duration_since(Instant::now()));
    left.map_or(INTERVAL, |left| left.min(INTERVAL))
}

fn arrive(queues: &mut BTreeMap<u64, Queue>, accept: Accept, listener: OwnedFd) {
    let patience = SockRef::from(&listener).read_timeout().ok().flatten();
    let deadline = patience.map(|patience| Instant::now() + patience);
    let queue = queues.entry(accept.cookie).or_insert_with(|| Queue {
        listener,
        waiters: VecDeque::new(),
    });
    queue.waiters.push_back(Waiter { accept, deadline });
}

/// Looks at a few waiting calls, in turn: whether their tasks are alive, and have signals.
fn look_after(queues: &mut BTreeMap<u64, Queue>, next: &mut usize) {
    let total: usize = queues.values().map(|queue| queue.waiters.len()).sum();
    let looks = total.min(LOOKS);
    let first = if *next < total { *next } else { 0 };
    *next = first + looks;
    let mut position = 0;
    for queue in queues.values_mut() {
        let waiters = std::mem::take(&mut queue.waiters);
        for waiter in waiters {
            let turn = (position + total - first) % total < looks;
            position += 1;
            queue
                .waiters
                .extend(if turn { waiter.look() } else { Some(waiter) });
        }
    }
}

impl Queue {
    /// Gives connections to the waiters until one of both has run out.
    fn serve(self, shared: &Shared) -> Option<Self> {
        let Self {
            listener,
            mut waiters,
        } = self;
        while let Some(waiter) = waiters.pop_front() {
            if !waiter.accept.reply.is_waiting() {
                continue;
            }
            match waiter.accept.take(&shared.leftovers, listener.as_fd()) {
                Ok(connection) if waiters.is_empty() => {
                    // The program may close the listener, and expect it closed, once it is told.
                    drop(listener);
                    waiter.accept.deliver(shared, connection);
                    return None;
                }
                Ok(connection) => waiter.accept.deliver(shared, connection),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waiters.push_front(waiter);
                    return Some(Self { listener, waiters });
                }
                Err(error) => waiter.accept.fail(&error),
            }
        }
        None
    }

    /// Ends the waits whose time is over.
    fn expire(&mut self) {
        let now = Instant::now();
        let is_over = |waiter: &Waiter| waiter.deadline.is_some_and(|deadline| deadline <= now);
        if self.waiters.iter().any(is_over) {
            let (over, waiting) = std::mem::take(&mut self.waiters)
                .into_iter()
                .partition(is_over);
            self.waiters = waiting;
            let over: VecDeque<Waiter> = over;
            for waiter in over {
                waiter.accept.reply.fail(libc::EAGAIN);
            }
        }
    }
}

impl Waiter {
    /// Gives the waiter back unless its task is gone or has to handle a signal.
    fn look(self) -> Option<Self> {
        if !self.accept.reply.is_waiting() {
            return None;
        }
        match signals::waiting(self.accept.tid) {
            Waiting::Nothing => return Some(self),
            // The kernel restarts no accept that is bounded by a timeout.
            Waiting::ForThread if self.deadline.is_none() => self.accept.reply.restart(),
            Waiting::ForThread | Waiting::ForProcess => self.accept.reply.fail(libc::EINTR),
        }
        None
    }
}
