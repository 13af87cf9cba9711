//! A plain web client on `std::net` that knows nothing of Manyway: `plain_client ADDRESS:PORT FILE`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

/// Downloads what the server at `server` has into `file`.
///
/// # Errors
/// When the server cannot be reached or sends less than it announced.
pub fn download(server: SocketAddr, file: &Path) -> io::Result<()> {
    let mut connection = TcpStream::connect(server)?;
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut reader = BufReader::new(connection);
    let mut expected = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(length) = line.strip_prefix("Content-Length:") {
            expected = length.trim().parse::<u64>().ok();
        }
    }
    let got = io::copy(&mut reader, &mut File::create(file)?)?;
    match expected {
        Some(expected) if expected != got => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[cfg_attr(
    not(test),
    allow(dead_code, reason = "`manyway demo` includes this file as a module")
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, file] = arguments.as_slice() else {
        return Err("usage: plain_client ADDRESS:PORT FILE".into());
    };
    Ok(download(server.parse()?, Path::new(file))?)
}
