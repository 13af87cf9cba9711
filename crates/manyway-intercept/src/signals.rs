//! Signals that wait for a thread which waits for its answer.
//!
//! While a notified call is being answered, the kernel lets only fatal signals through. A program
//! that bounds `connect` by `alarm`, or stops at Ctrl-Z, needs its other signals too.

/// What waits for a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Nothing that would be delivered.
    Nothing,
    /// A signal that only this thread can take.
    ForThread,
    /// A signal that another thread of the process may take first.
    ForProcess,
}

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Signals that stop a process unless it catches or ignores them.
const STOPPING: u64 =
    bit(libc::SIGSTOP) | bit(libc::SIGTSTP) | bit(libc::SIGTTIN) | bit(libc::SIGTTOU);

/// Looks at the signals of the thread `tid`.
pub(crate) fn waiting(tid: u32) -> Waiting {
    std::fs::read_to_string(format!("/proc/{tid}/status"))
        .map_or(Waiting::Nothing, |status| parse(&status))
}

fn parse(status: &str) -> Waiting {
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.trim())
    };
    let mask = |name| {
        field(name)
            .and_then(|v| u64::from_str_radix(v, 16).ok())
            .unwrap_or(0)
    };
    let deliverable = !mask("SigBlk:") & (mask("SigCgt:") | (STOPPING & !mask("SigIgn:")));
    let alone = field("Threads:") == Some("1");
    if mask("SigPnd:") & deliverable != 0 {
        Waiting::ForThread
    } else if mask("ShdPnd:") & deliverable == 0 {
        Waiting::Nothing
    } else if alone {
        Waiting::ForThread
    } else {
        Waiting::ForProcess
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(threads: u32, thread: u64, process: u64, blocked: u64, caught: u64) -> String {
        format!(
            "Name:\tx\nThreads:\t{threads}\nSigPnd:\t{thread:016x}\nShdPnd:\t{process:016x}\n\
             SigBlk:\t{blocked:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{caught:016x}\n",
            0
        )
    }

    #[test]
    fn only_signals_that_would_be_delivered_count() {
        let alarm = bit(libc::SIGALRM);
        assert_eq!(parse(&status(1, 0, 0, 0, alarm)), Waiting::Nothing);
        assert_eq!(parse(&status(1, 0, alarm, 0, alarm)), Waiting::ForThread);
        assert_eq!(parse(&status(2, 0, alarm, 0, alarm)), Waiting::ForProcess);
        assert_eq!(parse(&status(2, alarm, 0, 0, alarm)), Waiting::ForThread);
        assert_eq!(parse(&status(1, 0, alarm, alarm, alarm)), Waiting::Nothing);
        assert_eq!(parse(&status(1, 0, alarm, 0, 0)), Waiting::Nothing);
        assert_eq!(
            parse(&status(1, 0, bit(libc::SIGTSTP), 0, 0)),
            Waiting::ForThread
        );
    }
}
