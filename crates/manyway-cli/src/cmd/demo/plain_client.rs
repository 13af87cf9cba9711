//! A plain web client on `std::net` that knows nothing of Manyway.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

/// Downloads `path` of the server at `server` into `file`.
///
/// # Errors
/// When the server cannot be reached or sends less than it announced.
pub(crate) fn download(server: SocketAddr, path: &str, file: &Path) -> io::Result<()> {
    let mut connection = TcpStream::connect(server)?;
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n")?;
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
