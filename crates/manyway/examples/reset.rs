//! A stream is reset and serves another conversation, and streams are added:
//! `cargo run --example reset`.

use manyway::{Association, Endpoint, EndpointConfig, Event, Message, StreamDirection, StreamId};

const STREAM: StreamId = StreamId(3);

/// What the other side is told of the streams that it receives on.
async fn told(peer: &Association, lines: &mut Vec<String>) {
    let mut events = peer.events();
    while let Some(event) = events.next().await {
        match event {
            Event::StreamsReset {
                direction: StreamDirection::Incoming,
                streams,
            } => lines.push(format!("stream {} begins anew", streams[0])),
            Event::StreamsAdded { count, .. } => {
                lines.push(format!("{count} streams were added"));
                break;
            }
            _ => {}
        }
    }
}

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

    let mut lines = Vec::new();
    let work = async {
        here.send(Message::new(STREAM.0, "one conversation"))
            .await?;
        here.reset_streams(&[STREAM])?;
        here.send(Message::new(STREAM.0, "another one")).await?;
        for text in ["one conversation", "another one"] {
            let message = there.recv().await?.ok_or("no message")?;
            assert_eq!(message.payload, text);
        }
        here.add_streams(8, 0)?;
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    let (done, ()) = tokio::join!(work, told(&there, &mut lines));
    done?;
    let text = lines.join("\n") + "\n";
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    tokio::try_join!(here.shutdown(), there.shutdown())?;
    Ok(())
}
