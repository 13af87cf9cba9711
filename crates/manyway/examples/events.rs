//! What an association tells besides messages: `cargo run --example events`.
//!
//! The second path comes up and is made the primary; when the peer has every message it is shut
//! down.

use manyway::{Endpoint, EndpointConfig, Event, Message};

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
                lines.push("a path is up".to_owned());
                here.set_primary(path)?;
            }
            Event::PrimaryChanged { .. } => {
                lines.push("it is the primary".to_owned());
                for number in 0..100 {
                    here.send(Message::new(0, vec![number; 1000])).await?;
                }
                here.report_sender_dry(true);
            }
            Event::SenderDry => {
                lines.push("the peer has everything".to_owned());
                tokio::try_join!(here.shutdown(), there.shutdown())?;
            }
            Event::Closed { reason } => lines.push(reason.to_string()),
            _ => {}
        }
    }
    let text = lines.join("\n") + "\n";
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}
