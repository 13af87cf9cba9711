//! Starting a program under the filter and taking the filter's descriptor from it.
#![expect(unsafe_code, reason = "the filter is installed between fork and exec")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::SpawnError;
use crate::notify::Notifier;
use crate::{filter, sockets};

/// A program to start.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Program {
    /// The program and its arguments; the first is looked up in `PATH`.
    pub argv: Vec<OsString>,
    /// Variables added to the inherited environment.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory; inherited when absent.
    pub cwd: Option<PathBuf>,
}

impl Program {
    /// A program with its arguments, in the inherited environment and directory.
    pub fn new<I, S>(argv: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn with_arguments<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.argv.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the environment.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// What the child says before exec: its id and its filter's descriptor or a negative errno.
type Report = [i32; 2];

/// Starts the program; it runs from here on and its calls wait at the notifier.
pub(crate) fn spawn(program: &Program) -> Result<(Child, Notifier), SpawnError> {
    let name = PathBuf::from(program.argv.first().ok_or(SpawnError::Empty)?);
    if let Some(path) = set_id_file(&name) {
        return Err(SpawnError::NeedsPrivileges { program: path });
    }
    let (report, report_in) = pipe()?;
    let (ack, ack_in) = pipe()?;
    let mut command = Command::new(&name);
    command
        .args(&program.argv[1..])
        .envs(program.env.iter().map(|(k, v)| (k, v)));
    if let Some(cwd) = &program.cwd {
        command.current_dir(cwd);
    }
    let code = filter::program();
    let install = move || install_and_hand_over(&code, report_in.as_raw_fd(), ack.as_raw_fd());
    // SAFETY: the closure only makes system calls on memory prepared before the fork.
    unsafe { command.pre_exec(install) };

    let (child, handover) = std::thread::scope(|scope| {
        let taker = scope.spawn(move || take_notifier(report, ack_in));
        let child = command.spawn();
        // Closes this process's end of the report, so that the taker sees the end of a child
        // which died early.
        drop(command);
        (child, taker.join())
    });
    let handover = handover.map_err(|_| io::Error::other("the thread taking the filter died"))?;
    match (child, handover) {
        (Ok(child), Ok(notifier)) => Ok((child, notifier)),
        (Err(error), Ok(_)) => Err(exec_error(name, error)),
        (Err(error), Err(Handover::NoReport)) => Err(error.into()),
        (_, Err(Handover::Filter(error))) => Err(filter_error(error)),
        (_, Err(Handover::Take(error))) => Err(SpawnError::CannotReach { source: error }),
        (Ok(_), Err(Handover::NoReport)) => {
            Err(io::Error::other("the program reported no filter").into())
        }
    }
}

fn pipe() -> Result<(File, File), SpawnError> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    Ok((read.into(), write.into()))
}

fn exec_error(program: PathBuf, source: io::Error) -> SpawnError {
    match source.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => SpawnError::NotFound { program },
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => source.into(),
        _ => SpawnError::NotExecutable { program, source },
    }
}

fn filter_error(source: io::Error) -> SpawnError {
    match source.raw_os_error() {
        Some(libc::EBUSY) => SpawnError::Busy,
        _ => SpawnError::FilterRefused { source },
    }
}

enum Handover {
    /// The child ended before it could install the filter.
    NoReport,
    Filter(io::Error),
    Take(io::Error),
}

/// Runs beside the fork, because `Command::spawn` returns only after exec.
fn take_notifier(mut report: File, mut ack: File) -> Result<Notifier, Handover> {
    let mut bytes = [0; size_of::<Report>()];
    report
        .read_exact(&mut bytes)
        .map_err(|_| Handover::NoReport)?;
    let [pid, fd] = [0, 4]
        .map(|at| i32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    if fd < 0 {
        return Err(Handover::Filter(io::Error::from_raw_os_error(-fd)));
    }
    let taken: io::Result<OwnedFd> =
        sockets::open_task(pid as u32).and_then(|task| sockets::take(task.as_fd(), fd));
    let notifier = Notifier::new(taken.map_err(Handover::Take)?);
    // Without the acknowledgement the child gives up, which `Command::spawn` reports.
    ack.write_all(&[0]).map_err(Handover::Take)?;
    Ok(notifier)
}

/// In the child: async-signal-safe, no allocation.
fn install_and_hand_over(code: &[libc::sock_filter], report: RawFd, ack: RawFd) -> io::Result<()> {
    let installed = install(code);
    let message: Report = [
        // SAFETY: no preconditions.
        unsafe { libc::getpid() },
        match &installed {
            Ok(fd) => *fd,
            Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
        },
    ];
    // SAFETY: the buffer is `message`; a write this small to a pipe is atomic.
    let sent = unsafe { libc::write(report, message.as_ptr().cast(), size_of::<Report>()) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    installed?;
    let mut byte = 0_u8;
    loop {
        // SAFETY: the buffer is one byte which outlives the call.
        match unsafe { libc::read(ack, (&raw mut byte).cast(), 1) } {
            1 => return Ok(()),
            0 => return Err(io::Error::from_raw_os_error(libc::EPERM)),
            _ if io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            _ => return Err(io::Error::last_os_error()),
        }
    }
}

fn install(code: &[libc::sock_filter]) -> io::Result<RawFd> {
    // SAFETY: plain integer arguments.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let program = libc::sock_fprog {
        len: code.len() as u16,
        filter: code.as_ptr().cast_mut(),
    };
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Without WAIT_KILLABLE_RECV (kernel 5.19) a signal restarts a call that is being answered.
    for flags in [
        listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        listener,
    ] {
        // SAFETY: `program` describes `code`; both outlive the call, and the kernel copies them.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        if fd >= 0 {
            return Ok(fd as RawFd);
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL) {
            break;
        }
    }
    Err(io::Error::last_os_error())
}

/// The file of `program` when it would gain privileges that the filter takes away.
fn set_id_file(program: &Path) -> Option<PathBuf> {
    let path = resolve(program)?;
    let metadata = path.metadata().ok()?;
    let mode = metadata.permissions().mode();
    let gains_user =
        mode & libc::S_ISUID != 0 && metadata.uid() != rustix::process::geteuid().as_raw();
    let group_runs = libc::S_ISGID | libc::S_IXGRP;
    let gains_group =
        mode & group_runs == group_runs && metadata.gid() != rustix::process::getegid().as_raw();
    let is_root = rustix::process::geteuid().is_root();
    (!is_root && (gains_user || gains_group)).then_some(path)
}

fn resolve(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return Some(program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    let executable = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(executable)
}
