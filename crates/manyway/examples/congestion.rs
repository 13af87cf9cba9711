//! Congestion control is chosen, changed while data flow, and written by oneself:
//! `cargo run --example congestion`.
//!
//! A transfer goes through all of the library's controllers, and then through one of its own.

use manyway::{
    Acked, Congestion, CongestionController, ControllerKind, CustomController, Endpoint,
    EndpointConfig, Instant, Message,
};

/// Adds a packet per round trip and takes an eighth off at each loss.
#[derive(Debug)]
struct Gentle {
    window: u64,
    packet_size: u64,
}

impl CongestionController for Gentle {
    fn on_ack(&mut self, _now: Instant, acked: &Acked<'_>) {
        if acked.window_limited {
            self.window += acked.growth * self.packet_size / self.window;
        }
    }

    fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
        self.window = (self.window - self.window / 8).max(4 * self.packet_size);
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.window = self.packet_size;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn in_slow_start(&self) -> bool {
        false
    }

    fn set_packet_size(&mut self, bytes: u64) {
        self.packet_size = bytes;
    }

    fn name(&self) -> &'static str {
        "gentle"
    }
}

const GENTLE: CustomController = CustomController::new("gentle", |setup| {
    Box::new(Gentle {
        window: setup.initial_window(),
        packet_size: setup.packet_size,
    })
});

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse()?];
    config.transport.controller = ControllerKind::Reno;
    let server = Endpoint::bind(config.clone()).await?;
    let mut listener = server.listen(7)?;
    let client = Endpoint::bind(config).await?;
    let addresses = server.local_addresses();
    let (here, there) = tokio::join!(client.connect(&addresses, 7), listener.accept());
    let (here, there) = (here?, there.ok_or("the endpoint closed")?);

    let mut names = Vec::new();
    let kinds = ControllerKind::ALL.into_iter();
    for kind in kinds.chain([ControllerKind::Custom(GENTLE)]) {
        here.set_congestion_control(kind);
        names.extend(here.paths().first().map(|path| path.controller));
        let receive = async {
            for _ in 0..20 {
                there.recv().await?.ok_or("no message")?;
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        let send = async {
            for _ in 0..20 {
                here.send(Message::new(0, vec![0; 50_000])).await?;
            }
            Ok(())
        };
        tokio::try_join!(send, receive)?;
    }
    let line = format!("{}\n", names.join(" "));
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    tokio::try_join!(here.shutdown(), there.shutdown())?;
    Ok(())
}
