//! A plain web server on `std::net` that knows nothing of Manyway: it answers every request with
//! one file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// Serves `file` on `port` until it is killed.
///
/// # Errors
/// When the port cannot be opened.
pub(crate) fn serve(file: &Path, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    for client in listener.incoming() {
        // A client that leaves early is no reason to stop.
        let _ = client.and_then(|client| answer(&client, file));
    }
    Ok(())
}

fn answer(mut client: &TcpStream, path: &Path) -> io::Result<()> {
    let mut lines = BufReader::new(client).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    write!(
        client,
        "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n"
    )?;
    io::copy(&mut file, &mut client).map(drop)
}
