//! What happens to the paths, while it happens: `cargo run --example paths`.
//!
//! The server has two addresses; the client's second path comes up by itself and is then taken out
//! of use again.

use manyway::{Endpoint, EndpointConfig, Event};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse()?, "127.0.0.2".parse()?];
    let server = Endpoint::bind(config.clone()).await?;
    let mut listener = server.listen(7)?;
    let client = Endpoint::bind(config).await?;
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here?, there.ok_or("the endpoint closed")?);

    let mut events = here.events();
    let mut lines = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Event::PathUp { path } => {
                lines.push("a path is up");
                here.remove_path(path)?;
            }
            Event::PathRemoved { .. } => {
                lines.push("a path was removed");
                break;
            }
            _ => {}
        }
    }
    let text = lines.join("\n") + "\n";
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    tokio::try_join!(here.shutdown(), there.shutdown())?;
    Ok(())
}
