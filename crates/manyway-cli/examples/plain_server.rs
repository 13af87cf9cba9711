//! The demo's plain web server as a program of its own: `plain_server FILE PORT`.

use std::path::Path;

#[path = "../src/cmd/demo/plain_server.rs"]
mod plain_server;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(file), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: plain_server FILE PORT".into());
    };
    Ok(plain_server::serve(
        Path::new(&file),
        port.to_string_lossy().parse()?,
    )?)
}
