//! What can go wrong when a program is started or a connection is taken over.

use std::io;
use std::path::PathBuf;

use crate::PendingConnect;

/// Why a program could not be started under interception. Each message is one line and names the
/// way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The command line is empty.
    #[error("no program given; name one after `--`")]
    Empty,
    /// No such program.
    #[error("{}: not found; check the name and PATH", program.display())]
    NotFound {
        /// The program as it was named.
        program: PathBuf,
    },
    /// The file exists but cannot be executed.
    #[error("{}: cannot be executed ({source}); check its mode and format", program.display())]
    NotExecutable {
        /// The program as it was named.
        program: PathBuf,
        /// What `execve` said.
        source: io::Error,
    },
    /// The program gains privileges by its file mode, which a filter forbids.
    #[error(
        "{}: runs set-uid or set-gid, which an interception filter takes away; start manyway as \
         that user instead (for example `sudo manyway run -- ...`)",
        program.display()
    )]
    NeedsPrivileges {
        /// The file with the set-id bit.
        program: PathBuf,
    },
    /// Another supervisor already holds this process tree; the kernel allows one.
    #[error(
        "another supervisor (a container runtime, WSL, or another manyway) already intercepts \
         this process tree; start manyway outside of it"
    )]
    Busy,
    /// The kernel or an outer sandbox does not allow the filter.
    #[error(
        "the kernel refused the interception filter ({source}); it needs Linux 5.15 or later and \
         an outer sandbox that allows seccomp"
    )]
    FilterRefused {
        /// What `seccomp` said.
        source: io::Error,
    },
    /// The filter is in place but the program's descriptors cannot be reached.
    #[error(
        "the program's sockets cannot be reached ({source}); set kernel.yama.ptrace_scope to 0 \
         or 1, or allow ptrace of own children in the outer sandbox"
    )]
    CannotReach {
        /// What `pidfd_getfd` said.
        source: io::Error,
    },
    /// The system is short of processes, descriptors, threads or memory.
    #[error("the program could not be started: {0}")]
    System(#[from] io::Error),
}

impl SpawnError {
    /// The exit status a shell gives for this failure: 127 not found, 126 not executable, 125
    /// for a failure of interception itself.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotExecutable { .. } | Self::NeedsPrivileges { .. } => 126,
            _ => 125,
        }
    }
}

/// Why a connect could not be held. The connect is handed back and can still go direct or fail.
#[derive(Debug, thiserror::Error)]
#[error("the program's socket could not be re-aimed: {source}")]
pub struct HoldError {
    /// The undecided connect.
    pub connect: Box<PendingConnect>,
    /// What stood in the way.
    #[source]
    pub source: io::Error,
}
