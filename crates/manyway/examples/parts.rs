//! A message larger than both buffers, read in parts while it arrives: `cargo run --example parts`.

use manyway::{Endpoint, EndpointConfig, Message, PartStatus};

const SIZE: usize = 900_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse()?];
    config.transport.receive_buffer = 128 << 10;
    config.transport.partial_delivery_point = Some(32 << 10);
    let server = Endpoint::bind(config.clone()).await?;
    let mut listener = server.listen(7)?;
    let client = Endpoint::bind(config).await?;
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here?, there.ok_or("the endpoint closed")?);
    here.send(Message::new(0, vec![7; SIZE])).await?;

    let (mut parts, mut bytes) = (0, 0);
    loop {
        let part = there.recv_part().await?.ok_or("no message")?;
        parts += 1;
        bytes += part.payload.len();
        if part.status == PartStatus::Complete {
            break;
        }
    }
    let line = format!("{bytes} bytes, more than one part: {}\n", parts > 1);
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    tokio::try_join!(here.shutdown(), there.shutdown())?;
    Ok(())
}
