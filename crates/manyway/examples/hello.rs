//! The library in a dozen lines: `cargo run --example hello`.

use manyway::{Endpoint, EndpointConfig, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse()?];
    let server = Endpoint::bind(config.clone()).await?;
    let mut listener = server.listen(7)?;
    let client = Endpoint::bind(config).await?;
    let addresses = server.local_addresses();
    let connecting = client.connect(&addresses, 7);
    let (here, there) = tokio::join!(connecting, listener.accept());
    let (here, there) = (here?, there.ok_or("the endpoint closed")?);
    here.send(Message::new(0, "hello, many ways")).await?;
    let message = there.recv().await?.ok_or("no message")?;
    std::io::Write::write_all(&mut std::io::stdout(), &message.payload)?;
    tokio::try_join!(here.shutdown(), there.shutdown())?;
    Ok(())
}
