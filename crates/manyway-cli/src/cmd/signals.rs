//! The signals that end a command, and passing them on to a program.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, pidfd_open, pidfd_send_signal};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{self, SignalKind};

/// Signals that ask this process to end.
#[derive(Debug)]
pub(crate) struct EndSignals {
    interrupt: unix::Signal,
    quit: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl EndSignals {
    /// Takes these signals over from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            quit: unix::signal(SignalKind::quit())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.quit.recv() => Signal::QUIT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

/// A child that signals can be passed on to.
#[derive(Debug)]
pub(crate) struct Child(Option<OwnedFd>);

impl Child {
    /// The process with this id, which has not been waited for.
    pub(crate) fn new(pid: u32) -> Self {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        Self(pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()))
    }

    /// Passes a signal on, unless the terminal has sent it to the child as well.
    pub(crate) fn pass_on(&self, signal: Signal) {
        let typed = matches!(signal, Signal::INT | Signal::QUIT);
        let foreground = tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp());
        if typed && foreground {
            return;
        }
        if let Some(child) = &self.0
            && let Err(error) = pidfd_send_signal(child, signal)
        {
            tracing::debug!(?signal, %error, "the program was not signalled");
        }
    }
}
