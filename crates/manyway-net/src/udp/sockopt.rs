//! Socket options that no safe interface offers.
#![expect(
    unsafe_code,
    reason = "setsockopt(2) reads memory whose length the caller states"
)]

use std::io;
use std::num::NonZeroU16;
use std::os::fd::AsRawFd;

use libc::{c_int, sock_filter, sock_fprog};
use socket2::Socket;

/// Turns the kernel's receive timestamps off.
///
/// `quinn-udp` 0.6 turns them on but leaves no room for them: in a coalesced receive the last
/// control message, which has the ECN code point, is then cut off.
pub(super) fn disable_timestamps(socket: &Socket) -> io::Result<()> {
    let off: c_int = 0;
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &off)
}

/// Keeps ICMP errors in the socket's error queue.
///
/// `quinn-udp` wants more of an IPv6 socket than a raw one can.
pub(super) fn report_errors(socket: &Socket, ipv6: bool) -> io::Result<()> {
    let on: c_int = 1;
    match ipv6 {
        true => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &on),
        false => set(socket, libc::IPPROTO_IP, libc::IP_RECVERR, &on),
    }
}

/// Whether IP may fragment what the socket sends, here and on the way. Otherwise "don't fragment"
/// is set, and the kernel's idea of the path MTU is ignored.
pub(super) fn set_fragmentation(socket: &Socket, ipv6: bool, allowed: bool) -> io::Result<()> {
    let (level, option, mode) = match (ipv6, allowed) {
        (false, true) => (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
        ),
        (false, false) => (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_PROBE,
        ),
        (true, true) => (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
        ),
        (true, false) => (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_PROBE,
        ),
    };
    let mode: c_int = mode;
    set(socket, level, option, &mode)?;
    if ipv6 {
        // Where it is set, nothing else matters.
        let never = c_int::from(!allowed);
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, &never)?;
    }
    Ok(())
}

/// Lets each datagram of the socket's `SO_REUSEPORT` group go to the socket whose place in the
/// order of binding is the SCTP verification tag modulo `sockets`; INITs, whose tag is zero, go
/// anywhere (RFC 9260, section 3.1).
pub(super) fn steer_by_tag(socket: &Socket, sockets: NonZeroU16) -> io::Result<()> {
    /// Bytes before the verification tag in the SCTP common header.
    const TAG_OFFSET: u32 = 4;
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump_if_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let modulo = (libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K) as u16;
    let give_back = (libc::BPF_RET | libc::BPF_A) as u16;
    let random = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM) as u32;
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut program = [
        instruction(load, 0, 0, TAG_OFFSET),
        instruction(jump_if_equal, 0, 1, 0),
        instruction(load, 0, 0, random),
        instruction(modulo, 0, 0, sockets.get().into()),
        instruction(give_back, 0, 0, 0),
    ];
    let program = sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    set(
        socket,
        libc::SOL_SOCKET,
        libc::SO_ATTACH_REUSEPORT_CBPF,
        &program,
    )
}

/// Sends without UDP checksums, which segmentation offload cannot do.
#[cfg(test)]
pub(super) fn disable_checksums(socket: &Socket) -> io::Result<()> {
    let on: c_int = 1;
    set(socket, libc::SOL_SOCKET, libc::SO_NO_CHECK, &on)
}

/// `T` has to be the type that the option takes.
fn set<T>(socket: &Socket, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let value: *const T = value;
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` points to `len` live bytes. Of the options above only the filter has a
    // pointer in it, to instructions that live until this returns; the kernel copies them.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.cast(), len) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
