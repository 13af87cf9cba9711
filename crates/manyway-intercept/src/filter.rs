//! The classic-BPF seccomp filter that decides which calls reach the supervisor.
//!
//! Every call that carries a program's data (read, write, epoll, close, fork, …) passes at the
//! cost of a few BPF instructions. Only calls that name an address or report the outcome of a
//! connect are notified.

use std::mem::offset_of;

use libc::{c_long, seccomp_data, sock_filter};

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
/// Set in the call number of the x32 ABI, whose calls otherwise look like x86_64.
const X32_SYSCALL_BIT: u32 = 0x4000_0000;
/// i386's multiplexer for all socket calls, and its own `connect`.
const I386_SOCKETCALL: u32 = 102;
const I386_CONNECT: u32 = 362;
/// `io_uring_setup` has the same number on every architecture.
const IO_URING_SETUP: u32 = 425;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const NOTIFY: u32 = libc::SECCOMP_RET_USER_NOTIF;

/// The calls that are notified whatever their arguments are.
const NOTIFIED: [c_long; 6] = [
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
];

/// The calls that may open a TCP connection by a flag, and the argument which holds the flags.
///
/// A connection opened by TCP Fast Open (RFC 7413) never calls `connect`, so the flag is answered
/// with the error of a kernel where Fast Open is off; programs then call `connect`.
const FAST_OPEN: [(c_long, usize); 3] = [
    (libc::SYS_sendto, 3),
    (libc::SYS_sendmsg, 2),
    (libc::SYS_sendmmsg, 3),
];

const fn op(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Skips `skip` instructions when the comparison fails.
const fn unless(code: u16, k: u32, skip: u8) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: skip,
        k,
    }
}

/// Skips `skip` instructions when the comparison holds.
const fn when(code: u16, k: u32, skip: u8) -> sock_filter {
    sock_filter {
        code,
        jt: skip,
        jf: 0,
        k,
    }
}

const fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA)
}

/// Offset of the low half of an argument: every argument compared here is a C `int`.
const fn argument(index: usize) -> u32 {
    (offset_of!(seccomp_data, args) + 8 * index) as u32
}

/// Builds the filter. The result is well under the kernel's limit of 4,096 instructions.
pub(crate) fn program() -> Vec<sock_filter> {
    let number = offset_of!(seccomp_data, nr) as u32;
    let mut code = vec![op(LOAD, offset_of!(seccomp_data, arch) as u32)];
    foreign_architecture(&mut code, number);
    code.push(op(LOAD, number));
    code.push(unless(JUMP_ANY_BIT, X32_SYSCALL_BIT, 1));
    code.push(op(RETURN, refuse(libc::ENOSYS)));
    for call in NOTIFIED {
        code.push(unless(JUMP_EQUAL, call as u32, 1));
        code.push(op(RETURN, NOTIFY));
    }
    // Calls on a ring are invisible to seccomp; without one, programs fall back to plain calls.
    code.push(unless(JUMP_EQUAL, IO_URING_SETUP, 1));
    code.push(op(RETURN, refuse(libc::ENOSYS)));
    socket_error(&mut code);
    for (call, flags) in FAST_OPEN {
        code.push(unless(JUMP_EQUAL, call as u32, 4));
        code.push(op(LOAD, argument(flags)));
        code.push(unless(JUMP_ANY_BIT, libc::MSG_FASTOPEN as u32, 1));
        code.push(op(RETURN, refuse(libc::EOPNOTSUPP)));
        code.push(op(RETURN, ALLOW));
    }
    code.push(op(RETURN, ALLOW));
    code
}

/// 32-bit calls cannot be interpreted here: those that could open a connection fail, so that no
/// rule is passed by unnoticed; the rest works.
fn foreign_architecture(code: &mut Vec<sock_filter>, number: u32) {
    let i386 = [
        unless(JUMP_EQUAL, AUDIT_ARCH_I386, 8),
        op(LOAD, number),
        unless(JUMP_EQUAL, I386_SOCKETCALL, 1),
        op(RETURN, refuse(libc::ENOSYS)),
        unless(JUMP_EQUAL, I386_CONNECT, 1),
        op(RETURN, refuse(libc::ENOSYS)),
        unless(JUMP_EQUAL, IO_URING_SETUP, 1),
        op(RETURN, refuse(libc::ENOSYS)),
        op(RETURN, ALLOW),
    ];
    code.push(when(JUMP_EQUAL, AUDIT_ARCH_X86_64, i386.len() as u8 + 1));
    code.extend(i386);
    code.push(op(RETURN, refuse(libc::ENOSYS)));
}

/// Only `getsockopt(…, SOL_SOCKET, SO_ERROR, …)` is notified; every other option is the kernel's.
fn socket_error(code: &mut Vec<sock_filter>) {
    code.push(unless(JUMP_EQUAL, libc::SYS_getsockopt as u32, 6));
    code.push(op(LOAD, argument(1)));
    code.push(unless(JUMP_EQUAL, libc::SOL_SOCKET as u32, 3));
    code.push(op(LOAD, argument(2)));
    code.push(unless(JUMP_EQUAL, libc::SO_ERROR as u32, 1));
    code.push(op(RETURN, NOTIFY));
    code.push(op(RETURN, ALLOW));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interprets the filter as the kernel does.
    fn run(arch: u32, nr: u32, args: [u32; 6]) -> u32 {
        run_wide(arch, nr, args.map(u64::from))
    }

    fn run_wide(arch: u32, nr: u32, args: [u64; 6]) -> u32 {
        let code = program();
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        loop {
            let op = code[at];
            at += 1;
            match op.code {
                LOAD => {
                    accumulator = match op.k {
                        0 => nr,
                        4 => arch,
                        k => (args[(k as usize - 16) / 8] >> (k % 8 * 8)) as u32,
                    };
                }
                JUMP_EQUAL => {
                    at += usize::from(if accumulator == op.k { op.jt } else { op.jf });
                }
                JUMP_ANY_BIT => {
                    at += usize::from(if accumulator & op.k != 0 {
                        op.jt
                    } else {
                        op.jf
                    });
                }
                RETURN => return op.k,
                other => panic!("unexpected instruction {other}"),
            }
        }
    }

    fn native(nr: c_long, args: [u32; 6]) -> u32 {
        run(AUDIT_ARCH_X86_64, nr as u32, args)
    }

    #[test]
    fn address_calls_are_notified_and_data_calls_pass() {
        for call in NOTIFIED {
            assert_eq!(native(call, [0; 6]), NOTIFY);
        }
        for call in [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_close,
            libc::SYS_clone,
            libc::SYS_epoll_wait,
            libc::SYS_setsockopt,
            libc::SYS_exit_group,
        ] {
            assert_eq!(native(call, [1; 6]), ALLOW);
        }
    }

    #[test]
    fn only_the_socket_error_option_is_notified() {
        let level = libc::SOL_SOCKET as u32;
        let error = libc::SO_ERROR as u32;
        assert_eq!(
            native(libc::SYS_getsockopt, [3, level, error, 0, 0, 0]),
            NOTIFY
        );
        assert_eq!(native(libc::SYS_getsockopt, [3, level, 3, 0, 0, 0]), ALLOW);
        assert_eq!(native(libc::SYS_getsockopt, [3, 6, error, 0, 0, 0]), ALLOW);
    }

    #[test]
    fn every_accept_is_notified() {
        for call in [libc::SYS_accept, libc::SYS_accept4] {
            for address in [0, 1, 0x7fff_0000_0000] {
                let args = [3, address, 1, 0, 0, 0];
                assert_eq!(run_wide(AUDIT_ARCH_X86_64, call as u32, args), NOTIFY);
            }
        }
    }

    #[test]
    fn fast_open_and_rings_are_refused() {
        let flag = libc::MSG_FASTOPEN as u32;
        for (call, index) in FAST_OPEN {
            let mut args = [0; 6];
            args[index] = libc::MSG_NOSIGNAL as u32;
            assert_eq!(native(call, args), ALLOW);
            args[index] |= flag;
            assert_eq!(native(call, args), refuse(libc::EOPNOTSUPP));
        }
        assert_eq!(native(425, [0; 6]), refuse(libc::ENOSYS));
    }

    #[test]
    fn foreign_calls_cannot_open_connections() {
        let refused = refuse(libc::ENOSYS);
        assert_eq!(run(AUDIT_ARCH_I386, I386_SOCKETCALL, [0; 6]), refused);
        assert_eq!(run(AUDIT_ARCH_I386, I386_CONNECT, [0; 6]), refused);
        assert_eq!(run(AUDIT_ARCH_I386, 3, [0; 6]), ALLOW);
        assert_eq!(
            run(AUDIT_ARCH_X86_64, X32_SYSCALL_BIT | 42, [0; 6]),
            refused
        );
        assert_eq!(run(0xc000_00b7, 203, [0; 6]), refused);
    }
}
