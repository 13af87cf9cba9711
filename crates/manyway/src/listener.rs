//! Accepting associations.

use std::sync::Arc;

use manyway_proto::Port;
use tokio::sync::mpsc;

use crate::association::Association;
use crate::shared::Shared;

/// Accepts associations on one SCTP port. Dropping it stops listening; associations that were
/// accepted go on.
#[derive(Debug)]
pub struct Listener {
    pub(crate) shared: Arc<Shared>,
    pub(crate) port: u16,
    pub(crate) incoming: mpsc::Receiver<Association>,
}

impl Listener {
    /// The next association; `None` once the endpoint is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn accept(&mut self) -> Option<Association> {
        self.incoming.recv().await
    }

    /// The SCTP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.listeners.remove(&self.port);
        state.proto.unlisten(Port(self.port));
    }
}
