//! The receive filter: a classic BPF program that lets only some destination ports pass.
#![expect(
    unsafe_code,
    reason = "setsockopt(2) reads a program whose address the caller states"
)]

use std::io;
use std::os::fd::AsRawFd;

use libc::{sock_filter, sock_fprog};
use socket2::Socket;

/// Ports that a program can name: each costs an instruction, of which the kernel takes 4096 in all
/// and whose jumps reach 255 ahead.
pub(super) const MAX_PORTS: usize = 200;

/// Where the SCTP header has the destination port.
const DESTINATION_PORT: u32 = 2;

/// A program that takes packets for `ports`, and from more than [`MAX_PORTS`] on for all ports.
/// In IPv4 it sees the IP header too, in IPv6 the SCTP packet alone.
fn program(ports: &[u16], ipv6: bool) -> Vec<sock_filter> {
    let instruction = |code: u32, jt: u8, jf: u8, k: u32| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let take = instruction(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX);
    if ports.len() > MAX_PORTS {
        return vec![take];
    }
    let mut program = match ipv6 {
        true => vec![instruction(
            libc::BPF_LD | libc::BPF_H | libc::BPF_ABS,
            0,
            0,
            DESTINATION_PORT,
        )],
        false => vec![
            // X = the length of the IP header.
            instruction(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 0),
            instruction(
                libc::BPF_LD | libc::BPF_H | libc::BPF_IND,
                0,
                0,
                DESTINATION_PORT,
            ),
        ],
    };
    for (at, port) in ports.iter().enumerate() {
        // Over the other comparisons and the refusal; at most MAX_PORTS, which fits.
        let ahead = (ports.len() - at) as u8;
        program.push(instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            ahead,
            0,
            (*port).into(),
        ));
    }
    program.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0, 0));
    program.push(take);
    program
}

/// Lets only packets for these ports reach the socket.
pub(super) fn attach(socket: &Socket, ports: &[u16], ipv6: bool) -> io::Result<()> {
    let mut instructions = program(ports, ipv6);
    let program = sock_fprog {
        len: instructions.len() as u16,
        filter: instructions.as_mut_ptr(),
    };
    let value: *const sock_fprog = &program;
    // SAFETY: `value` points to a live `sock_fprog` of the stated length, and that to `len` live
    // instructions; the kernel copies both before the call returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            value.cast(),
            size_of::<sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the few instructions that [`program`] uses.
    fn takes(program: &[sock_filter], packet: &[u8]) -> bool {
        let half = |at: usize| u32::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
        let (mut at, mut a, mut x) = (0, 0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            match u32::from(code) {
                0x28 => a = half(k as usize),
                0x48 => a = half(x + k as usize),
                0xb1 => x = usize::from(packet[k as usize] & 0xf) * 4,
                0x15 => at += usize::from(if a == k { jt } else { jf }),
                0x06 => return k > 0,
                other => panic!("{other:#x}"),
            }
        }
    }

    fn ipv4(header_words: usize, port: u16) -> Vec<u8> {
        let mut packet = vec![0; header_words * 4];
        packet[0] = 0x40 | header_words as u8;
        packet.extend(sctp(port));
        packet
    }

    fn sctp(port: u16) -> Vec<u8> {
        let mut packet = vec![0; 12];
        packet[2..4].copy_from_slice(&port.to_be_bytes());
        packet
    }

    #[test]
    fn only_listed_ports_pass_whatever_the_length_of_the_ip_header() {
        let most: Vec<u16> = (1000..1000 + MAX_PORTS as u16).collect();
        for ports in [&[][..], &[7], &[7, 9], &most] {
            for port in [0, 6, 7, 8, 9, 1000, 1001, 1199, 1200] {
                let wanted = ports.contains(&port);
                assert_eq!(takes(&program(ports, true), &sctp(port)), wanted);
                for words in [5, 6, 15] {
                    let packet = ipv4(words, port);
                    assert_eq!(takes(&program(ports, false), &packet), wanted, "{port}");
                }
            }
        }
    }

    #[test]
    fn too_many_ports_let_everything_pass() {
        let many = vec![7; MAX_PORTS + 1];
        assert!(takes(&program(&many, true), &sctp(8)));
    }
}
