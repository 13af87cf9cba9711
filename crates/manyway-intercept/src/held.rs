//! A connect that is taken over and waits for the outcome on the remote side.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::connect::{Target, local_name};
use crate::loopback::Loopback;
use crate::names::{Entry, NameGuard};
use crate::notify::Reply;
use crate::parked::Parked;
use crate::program_fds::{self, Place};
use crate::signals::{self, Waiting};
use crate::supervisor::Shared;
use crate::{direct, sockets};

/// The part of a held connect that the watch and the notification loop share with its holder.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) cookie: u64,
    tid: u32,
    cancelled: AtomicBool,
    /// Where the program has the socket, for connects whose program went on.
    place: Option<Place>,
    waiter: Mutex<Waiter>,
}

#[derive(Debug, Default)]
struct Waiter {
    /// The call that waits for the outcome, if one does.
    reply: Option<Reply>,
    /// The socket's own send timeout, which bounds each wait.
    patience: Option<Duration>,
    deadline: Option<Instant>,
    /// The outcome once there is one, for calls that come too late to wait: 0 or an errno.
    outcome: Option<i32>,
    /// The socket of a direct attempt, to be shut down when its program is gone.
    abort: Option<OwnedFd>,
}

impl Waiter {
    fn wait(&mut self, reply: Reply) {
        self.reply = Some(reply);
        self.deadline = self.patience.map(|patience| Instant::now() + patience);
    }
}

impl Held {
    /// A connect whose program waits for `reply`, at most for `patience`.
    pub(crate) fn new(reply: Reply, target: &Target, patience: Option<Duration>) -> Arc<Self> {
        let mut waiter = Waiter {
            patience,
            ..Waiter::default()
        };
        waiter.wait(reply);
        Self::with(target, Place::of(target).ok(), waiter)
    }

    fn with(target: &Target, place: Option<Place>, waiter: Waiter) -> Arc<Self> {
        Arc::new(Self {
            cookie: target.cookie,
            tid: target.tid,
            cancelled: AtomicBool::new(false),
            place,
            waiter: Mutex::new(waiter),
        })
    }

    fn waiter(&self) -> MutexGuard<'_, Waiter> {
        self.waiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_abort(&self, socket: Option<OwnedFd>) {
        self.waiter().abort = socket;
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Lets another call of the program wait for the same outcome: one restarted after a signal,
    /// or a second connect. Handed back when a call waits already.
    pub(crate) fn attach(&self, reply: Reply) -> Result<(), Reply> {
        let mut waiter = self.waiter();
        if waiter.reply.is_some() {
            return Err(reply);
        }
        match waiter.outcome {
            Some(0) => reply.succeed(),
            Some(errno) => reply.fail(errno),
            None => waiter.wait(reply),
        }
        Ok(())
    }

    /// Answers the waiting call, if any, with 0 or an errno; tells whether there was one.
    pub(crate) fn settle(&self, outcome: i32) -> bool {
        self.settle_after(outcome, || {})
    }

    /// As [`settle`](Self::settle), with something to do before the waiting program goes on.
    pub(crate) fn settle_after(&self, outcome: i32, prepare: impl FnOnce()) -> bool {
        let mut waiter = self.waiter();
        waiter.outcome = Some(outcome);
        let Some(reply) = waiter.reply.take() else {
            return false;
        };
        prepare();
        if outcome == 0 {
            reply.succeed();
        } else {
            reply.fail(outcome);
        }
        true
    }

    /// Looks after the waiting program; returns whether it has just given up.
    pub(crate) fn watch(&self) -> bool {
        if self.is_cancelled() {
            return false;
        }
        let mut waiter = self.waiter();
        let gone = match &waiter.reply {
            Some(reply) => !reply.is_waiting(),
            None => self.place.as_ref().is_some_and(|place| !place.is_open()),
        };
        if gone {
            self.cancelled.store(true, Ordering::Release);
            waiter.reply = None;
            if let Some(socket) = waiter.abort.take() {
                let _ = SockRef::from(&socket).shutdown(Shutdown::Both);
            }
            return true;
        }
        self.interrupt(&mut waiter);
        false
    }

    fn interrupt(&self, waiter: &mut Waiter) {
        if waiter.reply.is_none() {
            return;
        }
        if waiter
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            waiter.deadline = None;
            let reply = waiter.reply.take();
            reply
                .into_iter()
                .for_each(|reply| reply.fail(libc::EINPROGRESS));
            return;
        }
        let answer = match signals::waiting(self.tid) {
            Waiting::Nothing => return,
            Waiting::ForThread => Reply::restart,
            // Another thread may take the signal first, and the restart code would then reach the
            // program.
            Waiting::ForProcess => |reply: Reply| reply.fail(libc::EINTR),
        };
        waiter.reply.take().into_iter().for_each(answer);
    }
}

/// A connect that was taken over with [`PendingConnect::hold`] and waits for its outcome. Dropped
/// without one, it fails with `ECONNABORTED`.
///
/// [`PendingConnect::hold`]: crate::PendingConnect::hold
#[derive(Debug)]
pub struct HeldConnect(Option<Inner>);

#[derive(Debug)]
struct Inner {
    held: Arc<Held>,
    shared: Arc<Shared>,
    destination: SocketAddr,
    loopback: Arc<Loopback>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has happened to the socket yet.
    Untouched(Target),
    /// Connecting to the broker without end. No duplicate of the program's socket is kept,
    /// so that the program's close closes it.
    Parked(Parked),
}

impl HeldConnect {
    pub(crate) fn blocking(reply: Reply, target: Target, loopback: Arc<Loopback>) -> Self {
        let patience = SockRef::from(&target.socket).write_timeout().ok().flatten();
        let held = Held::new(reply, &target, patience);
        target.shared.hold(target.cookie, &held);
        let (shared, destination) = (Arc::clone(&target.shared), target.destination);
        let stage = Stage::Untouched(target);
        Self(Some(Inner {
            held,
            shared,
            destination,
            loopback,
            stage,
        }))
    }

    pub(crate) fn nonblocking(
        reply: Reply,
        target: Target,
        loopback: Arc<Loopback>,
    ) -> Result<Self, (Reply, Target, io::Error)> {
        let socket = target.socket.as_fd();
        let place = match Place::of(&target) {
            Ok(place) => place,
            Err(error) => return Err((reply, target, error)),
        };
        let parked = match Parked::new(socket, &loopback, target.destination) {
            Ok(parked) => parked,
            Err(error) => return Err((reply, target, error)),
        };
        let held = Held::with(&target, Some(place), Waiter::default());
        let Target {
            shared,
            destination,
            cookie,
            socket,
            ..
        } = target;
        shared.hold(cookie, &held);
        drop(socket);
        reply.fail(libc::EINPROGRESS);
        let stage = Stage::Parked(parked);
        Ok(Self(Some(Inner {
            held,
            shared,
            destination,
            loopback,
            stage,
        })))
    }

    fn inner(&self) -> &Inner {
        self.0
            .as_ref()
            .expect("taken only by the methods that consume this value")
    }

    fn take(&mut self) -> Inner {
        self.0
            .take()
            .expect("taken only by the methods that consume this value")
    }

    /// Where the program wants to connect to.
    pub fn destination(&self) -> SocketAddr {
        self.inner().destination
    }

    /// The socket's cookie.
    pub fn cookie(&self) -> u64 {
        self.inner().held.cookie
    }

    /// Whether the program gave up: it was killed, or closed the socket. Known within about a
    /// tenth of a second; [`Handler::on_cancelled`](crate::Handler::on_cancelled) tells it too.
    pub fn is_cancelled(&self) -> bool {
        self.inner().held.is_cancelled()
    }

    /// The remote side is there: the program's connect succeeds. Returns the broker's end of the
    /// loopback connection, non-blocking and at full speed. Takes microseconds.
    ///
    /// The program's names for the socket are remembered until the table overflows; see
    /// [`succeed_named`](Self::succeed_named).
    ///
    /// # Errors
    /// When the loopback connection failed; the program's connect then failed, too.
    pub fn succeed(self) -> io::Result<TcpStream> {
        let (stream, names) = self.succeed_named(None)?;
        names.leave();
        Ok(stream)
    }

    /// As [`succeed`](Self::succeed), with a guard that forgets the socket's names when dropped,
    /// and with the local address that `getsockname` shows to the program. By default that is the
    /// one a direct connection would have had.
    ///
    /// # Errors
    /// As for [`succeed`](Self::succeed).
    pub fn succeed_named(
        mut self,
        local: Option<SocketAddr>,
    ) -> io::Result<(TcpStream, NameGuard)> {
        let Inner {
            held,
            shared,
            destination,
            loopback,
            stage,
        } = self.take();
        let name = |own: Option<SocketAddr>| {
            let local = local.or_else(|| local_name(own?, destination));
            let entry = Entry::Connected {
                remote: destination,
                local,
                untold: false,
            };
            shared.names.insert(held.cookie, entry);
        };
        let was_blocking = matches!(stage, Stage::Untouched(_));
        let result = match stage {
            Stage::Untouched(target) => {
                let stream = loopback.meet(target.socket.as_fd(), destination);
                let own = sockets::local_address(target.socket.as_fd());
                name(own.ok().map(sockets::normalised));
                stream
            }
            Stage::Parked(parked) => {
                // Named before the program can see that it is connected.
                name(Some(parked.program()));
                parked.open()
            }
        };
        let guard = NameGuard::new(Arc::clone(&shared.names), held.cookie);
        match result {
            Ok(stream) => {
                // One that was interrupted by a signal learns of it from its next connect.
                if !held.settle(0) && was_blocking {
                    shared.names.set_untold(held.cookie);
                }
                Ok((stream, guard))
            }
            Err(error) => {
                tracing::warn!(%error, %destination, "a program's socket could not be re-aimed");
                shared
                    .names
                    .insert(held.cookie, Entry::Failed(libc::ECONNABORTED));
                guard.leave();
                held.settle(libc::ECONNABORTED);
                Err(error)
            }
        }
    }

    /// There is no remote side: the program gets exactly `errno`, as the result of a blocking
    /// connect, or by `SO_ERROR` and the next connect on a non-blocking one.
    pub fn fail(mut self, errno: i32) {
        self.take().fail(errno);
    }

    /// The peer has no Manyway: a blocking program's own socket is connected straight to its
    /// destination, with no relay.
    ///
    /// A non-blocking program has gone on with a socket that is connected to the broker, and would
    /// see it disconnected. It is served by a plain relay on threads of the supervisor; decide by
    /// [`PendingConnect::direct`](crate::PendingConnect::direct) before holding to avoid that.
    pub fn direct(mut self) {
        match self.0.take() {
            Some(Inner {
                held,
                stage: Stage::Untouched(target),
                ..
            }) => {
                direct::connect_blocking(held, target);
            }
            inner => direct::relay(Self(inner)),
        }
    }
}

impl Drop for HeldConnect {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            inner.fail(libc::ECONNABORTED);
        }
    }
}

impl Inner {
    fn fail(self, errno: i32) {
        let Self {
            held,
            shared,
            destination,
            loopback,
            stage,
        } = self;
        match stage {
            Stage::Untouched(target) => {
                if !held.settle_after(errno, || shared.names.remove(held.cookie)) {
                    let socket = target.socket.as_fd();
                    fail_socket(&shared, &held, &loopback, socket, (destination, errno));
                }
            }
            Stage::Parked(parked) => match held.place.as_ref().and_then(Place::reacquire) {
                Some(socket) => {
                    fail_socket(
                        &shared,
                        &held,
                        &loopback,
                        socket.as_fd(),
                        (destination, errno),
                    );
                }
                // Out of reach: a connection that is reset at once is all it sees.
                None => {
                    shared.names.remove(held.cookie);
                    if let Ok(stream) = parked.open() {
                        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                    }
                }
            },
        }
    }
}

/// Makes the socket show a failed connect, with `errno` as its error.
fn fail_socket(
    shared: &Shared,
    held: &Held,
    loopback: &Loopback,
    socket: BorrowedFd<'_>,
    (destination, errno): (SocketAddr, i32),
) {
    // Told first: the socket shows the failure from the next line on.
    shared.names.insert(held.cookie, Entry::Failed(errno));
    let changeover = shared.changeover();
    match loopback.refuse(socket, destination) {
        // What the kernel itself remembers is exact.
        Ok(()) if errno == libc::ECONNREFUSED => shared.names.remove(held.cookie),
        Ok(()) => {}
        Err(error) => tracing::debug!(%error, "a failed connect shows as a reset"),
    }
    drop(changeover);
    held.settle_after(errno, || {
        program_fds::forget_failure(socket);
        shared.names.remove(held.cookie);
    });
}
