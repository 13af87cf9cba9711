//! The demo's plain web client as a program of its own: `plain_client ADDRESS:PORT PATH FILE`.

use std::path::Path;

#[path = "../src/cmd/demo/plain_client.rs"]
mod plain_client;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, path, file] = arguments.as_slice() else {
        return Err("usage: plain_client ADDRESS:PORT PATH FILE".into());
    };
    Ok(plain_client::download(
        server.parse()?,
        path,
        Path::new(file),
    )?)
}
