//! Data that count only with a key that both ends know (RFC 4895):
//! `cargo run --example authenticated`.

use manyway::{AuthSecret, ChunkType, Endpoint, EndpointConfig, KeyId, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse()?];
    let (key, secret) = (KeyId(1), AuthSecret::new(*b"known to both ends"));
    config.transport.auth.chunks = vec![ChunkType::DATA, ChunkType::I_DATA];
    config.transport.auth.keys = vec![(key, secret)];
    config.transport.auth.active_key = key;
    let server = Endpoint::bind(config.clone()).await?;
    let mut listener = server.listen(7)?;
    let client = Endpoint::bind(config).await?;
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here?, there.ok_or("the endpoint closed")?);
    here.send(Message::new(0, "authentic\n")).await?;
    let message = there.recv().await?.ok_or("no message")?;
    std::io::Write::write_all(&mut std::io::stdout(), &message.payload)?;
    tokio::try_join!(here.shutdown(), there.shutdown())?;
    Ok(())
}
