//! A plain relay between a program's loopback connection and its destination.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;

const BUFFER: usize = 128 << 10;

/// Relays until both directions have ended. Blocks; half-close and reset pass through.
pub(crate) fn run(program: TcpStream, remote: TcpStream) {
    if let Err(error) = both_ways(&program, &remote) {
        tracing::debug!(%error, "a relayed connection was reset");
        for end in [&program, &remote] {
            let end = SockRef::from(end);
            let _ = end.set_linger(Some(Duration::ZERO));
            // Wakes the other direction; the reset goes out when both ends are closed.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn both_ways(program: &TcpStream, remote: &TcpStream) -> io::Result<()> {
    for end in [program, remote] {
        end.set_nonblocking(false)?;
        end.set_nodelay(true)?;
    }
    std::thread::scope(|scope| {
        let back = std::thread::Builder::new().name("direct-relay".to_owned());
        let back = back.spawn_scoped(scope, || copy(remote, program))?;
        let forth = copy(program, remote);
        let back = back
            .join()
            .map_err(|_| io::Error::other("a relay thread panicked"))?;
        forth.and(back)
    })
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let result = loop {
        match from.read(&mut buffer) {
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(read) => {
                if let Err(error) = to.write_all(&buffer[..read]) {
                    break Err(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    // The other direction must not wait for a peer that is gone.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
    result
}
