//! A message that is worthless when late, and the report that it was given up:
//! `cargo run --example lifetime`.
//!
//! The peer does not read, so that its window fills and the message cannot leave in time.

use std::time::Duration;

use manyway::{Endpoint, EndpointConfig, Event, Message, Reliability, SendOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse()?];
    config.transport.receive_buffer = 64 << 10;
    let server = Endpoint::bind(config.clone()).await?;
    let mut listener = server.listen(7)?;
    let client = Endpoint::bind(config).await?;
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here?, there.ok_or("the endpoint closed")?);

    here.report_abandoned(true);
    let mut events = here.events();
    for _ in 0..200 {
        here.send(Message::new(0, vec![0; 1000])).await?;
    }
    let fresh = Reliability::RELIABLE.with_lifetime(Duration::from_millis(50));
    let options = SendOptions::default()
        .with_reliability(fresh)
        .with_context(42);
    here.send_with(Message::new(1, "the weather now"), options)
        .await?;
    while let Some(event) = events.next().await {
        if let Event::Abandoned { context, sent, .. } = event {
            let line = format!("message {context} was given up; begun: {sent}\n");
            std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
            break;
        }
    }
    here.abort(b"the example is over");
    drop(there);
    Ok(())
}
