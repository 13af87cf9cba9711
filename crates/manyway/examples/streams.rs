//! Streams do not wait for each other, and a scheduler says which goes first:
//! `cargo run --example streams`.
//!
//! A large message and a small one are handed over in this order. The stream of the small one has
//! the higher priority, and messages are interleaved: it arrives first.

use manyway::{Endpoint, EndpointConfig, Message, StreamId, StreamSchedulerKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse()?];
    let server = Endpoint::bind(config.clone()).await?;
    let mut listener = server.listen(7)?;
    let client = Endpoint::bind(config).await?;
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here?, there.ok_or("the endpoint closed")?);

    here.set_stream_scheduler(StreamSchedulerKind::Priority.build());
    here.set_stream_priority(StreamId(1), 10)?;
    here.send(Message::new(1, vec![0; 1_000_000])).await?;
    here.send(Message::new(0, "urgent")).await?;
    for _ in 0..2 {
        let message = there.recv().await?.ok_or("no message")?;
        let line = format!(
            "stream {}: {} bytes\n",
            message.stream.0,
            message.payload.len()
        );
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    }
    tokio::try_join!(here.shutdown(), there.shutdown())?;
    Ok(())
}
