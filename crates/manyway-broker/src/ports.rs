//! The UDP port that peers reach this host's programs on, taken once a program listens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use manyway::{Endpoint, ListenError};
use tokio::sync::{OnceCell, watch};
use tokio::task::AbortHandle;

use crate::config::BrokerConfig;
use crate::flow::FlowTable;
use crate::holder::udp_port_holder;
use crate::server::{Service, serve};

/// A port cannot be offered to peers.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The UDP port cannot be taken.
    #[error("UDP port {port} cannot be used: {reason}")]
    UdpPort {
        /// The port.
        port: u16,
        /// Why, naming the process that holds it where that is known.
        reason: String,
    },
    /// The port is offered already.
    #[error("port {0} is offered already")]
    InUse(u16),
    /// The transport does not listen.
    #[error("port {port} cannot be offered: {reason}")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        reason: String,
    },
    /// The broker is gone.
    #[error("the broker has stopped")]
    Stopped,
}

/// The ports offered to peers.
#[derive(Debug)]
pub(crate) struct Ports {
    config: BrokerConfig,
    endpoint: OnceCell<Endpoint>,
    offered: Mutex<BTreeMap<u16, Offer>>,
    flows: FlowTable,
    drain: watch::Receiver<bool>,
}

/// A port that peers reach one program on, which may listen there on several addresses.
#[derive(Debug)]
struct Offer {
    /// Their sockets' cookies; empty for a program that runs without a supervisor.
    cookies: Vec<u64>,
    task: AbortHandle,
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ports {
    /// No port yet.
    pub(crate) fn new(
        config: BrokerConfig,
        flows: FlowTable,
        drain: watch::Receiver<bool>,
    ) -> Self {
        Self {
            config,
            endpoint: OnceCell::new(),
            offered: Mutex::default(),
            flows,
            drain,
        }
    }

    /// Offers the port of a service until [`withdraw`](Self::withdraw) is called with the cookie of its listener,
    /// if it has one. A program that listens on one port of several addresses is reached through the first.
    ///
    /// # Errors
    /// When the UDP port is somebody else's.
    pub(crate) async fn offer(
        &self,
        cookie: Option<u64>,
        service: Service,
    ) -> Result<(), ServeError> {
        let port = service.port;
        if let Some(offer) = self.offered().get_mut(&port) {
            let Some(cookie) = cookie else {
                return Err(ServeError::InUse(port));
            };
            offer.cookies.push(cookie);
            return Ok(());
        }
        let endpoint = self.endpoint().await?;
        let listener = endpoint.listen(port).map_err(|error| match error {
            ListenError::InUse(_) => ServeError::InUse(port),
            other => ServeError::Listen {
                port,
                reason: other.to_string(),
            },
        })?;
        tracing::info!(port, program = service.program, "peers can reach a program");
        let task = serve(listener, service, self.flows.clone(), self.drain.clone());
        let task = tokio::spawn(task).abort_handle();
        self.offered().insert(
            port,
            Offer {
                cookies: cookie.into_iter().collect(),
                task,
            },
        );
        Ok(())
    }

    /// Takes back what was offered for the listener with this cookie; flows that are open go on.
    pub(crate) fn withdraw(&self, cookie: u64) {
        self.offered().retain(|port, offer| {
            let Some(index) = offer.cookies.iter().position(|known| *known == cookie) else {
                return true;
            };
            offer.cookies.swap_remove(index);
            if offer.cookies.is_empty() {
                tracing::info!(port, "a program listens no more");
            }
            !offer.cookies.is_empty()
        });
    }

    async fn endpoint(&self) -> Result<&Endpoint, ServeError> {
        let port = self.config.udp_port;
        self.endpoint
            .get_or_try_init(|| Endpoint::bind(self.config.endpoint(port)))
            .await
            .map_err(|error| ServeError::UdpPort {
                port,
                reason: udp_port_holder(port)
                    .map_or_else(|| error.to_string(), |holder| format!("{holder} holds it")),
            })
    }

    fn offered(&self) -> MutexGuard<'_, BTreeMap<u16, Offer>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
