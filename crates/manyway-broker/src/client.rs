//! Flows that programs open: which of them an association carries, and which go directly.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use manyway::{Association, ConnectError, Endpoint};
use manyway_api::PeerKind;
use tokio::sync::OnceCell;

use crate::config::BrokerConfig;
use crate::memory::Memory;
use crate::records::{Errno, Record};
use crate::relay::Framing;

/// How long a peer that has accepted the association may take to open the flow.
const OPENED_TIMEOUT: Duration = Duration::from_secs(10);

/// How an attempt to reach a destination by association ended.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The peer's program accepted.
    Opened(Opened),
    /// There is no broker, or it does not serve this port: the program's own socket connects.
    Direct(DirectReason),
    /// The peer's broker could not reach its program, which the client's program shall see.
    Failed(Errno),
}

/// A flow that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What carries it.
    pub(crate) association: Association,
    /// What the other end is.
    pub(crate) peer: PeerKind,
    /// Bytes that the peer has sent already.
    pub(crate) first: Option<Bytes>,
}

impl Opened {
    /// How the flow's bytes are put into messages.
    pub(crate) fn framing(&self) -> Framing {
        match self.peer {
            PeerKind::Manyway => Framing::Records,
            PeerKind::Plain => Framing::Plain,
        }
    }
}

/// Why a destination is reached directly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectReason {
    /// It is under a rule to be left alone.
    #[error("it is to be reached directly")]
    Configured,
    /// It did not answer lately.
    #[error("it had no Manyway a short while ago")]
    Remembered,
    /// It did not answer in time.
    #[error("nothing answered within {} ms", .0.as_millis())]
    NoAnswer(Duration),
    /// It refused, or cannot be reached.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// It accepted and then did not open the flow.
    #[error("the peer did not open the flow")]
    NotOpened,
    /// This host cannot send UDP.
    #[error("{0}")]
    Endpoint(String),
}

impl DirectReason {
    /// Whether the next connect to the same destination should not even try.
    fn is_worth_remembering(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Connect(_) | Self::NotOpened => true,
            Self::Configured | Self::Remembered | Self::Endpoint(_) => false,
        }
    }
}

/// Opens flows.
#[derive(Debug)]
pub(crate) struct Connector {
    config: BrokerConfig,
    endpoint: OnceCell<Endpoint>,
    memory: Mutex<Memory>,
}

impl Connector {
    /// A connector that takes a UDP port once it is first needed.
    pub(crate) fn new(config: BrokerConfig) -> Self {
        Self {
            config,
            endpoint: OnceCell::new(),
            memory: Mutex::default(),
        }
    }

    /// Whether the destination is to be reached directly without asking, as far as that is known.
    pub(crate) fn is_direct(&self, destination: SocketAddr) -> Option<DirectReason> {
        if destination.port() == 0 || self.config.is_direct(destination.ip()) {
            return Some(DirectReason::Configured);
        }
        let network = self.network();
        let remembered = self
            .memory()
            .is_direct(Instant::now(), network, destination);
        remembered.then_some(DirectReason::Remembered)
    }

    /// Tries to open a flow to the destination by association. Dropping the future gives the attempt up.
    pub(crate) async fn open(&self, destination: SocketAddr) -> Attempt {
        let attempt = match self.try_open(destination).await {
            Ok(attempt) => attempt,
            Err(reason) => Attempt::Direct(reason),
        };
        let network = self.network();
        match &attempt {
            Attempt::Direct(reason) if reason.is_worth_remembering() => {
                self.memory()
                    .learn_direct(Instant::now(), network, destination);
            }
            Attempt::Direct(_) => {}
            Attempt::Opened(_) | Attempt::Failed(_) => self.memory().forget(destination),
        }
        attempt
    }

    async fn try_open(&self, destination: SocketAddr) -> Result<Attempt, DirectReason> {
        let endpoint = self.endpoint().await?;
        let remote = SocketAddr::new(destination.ip().to_canonical(), self.config.udp_port);
        let head_start = self.config.head_start;
        // OPEN travels with the handshake, which saves a round trip.
        let open = Record::Open { destination }.into_message();
        let remotes = std::slice::from_ref(&remote);
        let connect = endpoint.connect_with(remotes, destination.port(), open);
        let association = tokio::time::timeout(head_start, connect)
            .await
            .map_err(|_elapsed| DirectReason::NoAnswer(head_start))??;
        let answer = tokio::time::timeout(OPENED_TIMEOUT, answer_to_open(&association)).await;
        match answer {
            Ok(Some(Answer::Opened)) => Ok(Attempt::Opened(Opened {
                association,
                peer: PeerKind::Manyway,
                first: None,
            })),
            Ok(Some(Answer::Plain(first))) => Ok(Attempt::Opened(Opened {
                association,
                peer: PeerKind::Plain,
                first: Some(first),
            })),
            Ok(Some(Answer::Refused(errno))) => {
                association.abort(b"the flow was not opened");
                Ok(Attempt::Failed(errno))
            }
            Ok(None) | Err(_) => {
                association.abort(b"the flow was not opened");
                Err(DirectReason::NotOpened)
            }
        }
    }

    async fn endpoint(&self) -> Result<&Endpoint, DirectReason> {
        self.endpoint
            .get_or_try_init(|| Endpoint::bind(self.config.endpoint(0)))
            .await
            .map_err(|error| DirectReason::Endpoint(error.to_string()))
    }

    /// Stands for the network this host is on: the set of its addresses.
    fn network(&self) -> u64 {
        let mut addresses: Vec<IpAddr> = self
            .endpoint
            .get()
            .map(|endpoint| {
                endpoint
                    .local_addresses()
                    .iter()
                    .map(SocketAddr::ip)
                    .collect()
            })
            .unwrap_or_default();
        addresses.sort_unstable();
        let mut hasher = DefaultHasher::new();
        addresses.hash(&mut hasher);
        hasher.finish()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the peer said to an OPEN.
#[derive(Debug)]
enum Answer {
    Opened,
    Refused(Errno),
    Plain(Bytes),
}

/// Asks the peer to open the flow; `None` when it ended the association or broke the rules.
async fn answer_to_open(association: &Association) -> Option<Answer> {
    let message = association.recv().await.ok()??;
    match Record::from_message(message) {
        Ok(Record::Opened { result: Ok(()) }) => Some(Answer::Opened),
        Ok(Record::Opened { result: Err(errno) }) => Some(Answer::Refused(errno)),
        Ok(Record::Plain(bytes)) => Some(Answer::Plain(bytes)),
        Ok(record) => {
            tracing::debug!(?record, "the peer answered OPEN with something else");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "the peer answered OPEN with nonsense");
            None
        }
    }
}
