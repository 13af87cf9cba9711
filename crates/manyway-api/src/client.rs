//! The client: asks every broker on the host.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::geteuid;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::{
    API_PREFIX, ApiError, ErrorCode, FlowId, FlowList, FlowView, SetRequest, SetResponse,
    VersionView, runtime_dirs,
};

/// The longest that one broker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// Why a broker gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket any more.
    #[error("no broker answers at {path}")]
    Gone {
        /// The control socket.
        path: PathBuf,
    },
    /// The socket could not be used.
    #[error("cannot ask the broker at {path}: {source}")]
    Io {
        /// The control socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The exchange failed or its content made no sense.
    #[error("the broker at {path} gave no sensible answer: {reason}")]
    Protocol {
        /// The control socket.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// The broker did not answer in time.
    #[error("the broker at {path} did not answer within {} s", TIMEOUT.as_secs())]
    TimedOut {
        /// The control socket.
        path: PathBuf,
    },
    /// The broker refused, or no broker knows the flow.
    #[error("{0}")]
    Api(#[from] ApiError),
}

/// The control socket of one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerSocket {
    path: PathBuf,
}

impl BrokerSocket {
    /// The broker that listens at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the broker listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which broker this is.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn version(&self) -> Result<VersionView, ClientError> {
        self.request(Method::GET, "/version", Vec::new()).await
    }

    /// The broker's flows.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn flows(&self) -> Result<FlowList, ClientError> {
        self.request(Method::GET, "/flows", Vec::new()).await
    }

    /// Changes the flow with this number.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn set(&self, number: u64, request: &SetRequest) -> Result<SetResponse, ClientError> {
        let body = serde_json::to_vec(request).map_err(|error| self.protocol(error))?;
        self.request(Method::POST, &format!("/flows/{number}/set"), body)
            .await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        tokio::time::timeout(TIMEOUT, self.exchange(method, path, body))
            .await
            .map_err(|_elapsed| ClientError::TimedOut {
                path: self.path.clone(),
            })?
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|error| self.io(error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.protocol(error))?;
        let request = Request::builder()
            .method(method)
            .uri(format!("{API_PREFIX}{path}"))
            .header("host", "manyway")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.protocol(error))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await;
            Ok::<_, hyper::Error>((status, body.map(http_body_util::Collected::to_bytes)))
        };
        let mut exchange = pin!(exchange);
        // The connection moves the bytes; it is driven here so that no task is left behind.
        let answer = tokio::select! {
            answer = &mut exchange => answer,
            ended = connection => {
                ended.map_err(|error| self.protocol(error))?;
                exchange.await
            }
        };
        let (status, body) = answer.map_err(|error| self.protocol(error))?;
        let body = body.map_err(|error| self.protocol(error))?;
        self.decode(status, &body)
    }

    fn decode<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        body: &[u8],
    ) -> Result<T, ClientError> {
        if status.is_success() {
            serde_json::from_slice(body).map_err(|error| self.protocol(error))
        } else {
            match serde_json::from_slice::<ApiError>(body) {
                Ok(error) => Err(ClientError::Api(error)),
                Err(_) => Err(self.protocol(format!("HTTP status {status}"))),
            }
        }
    }

    fn io(&self, source: io::Error) -> ClientError {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                ClientError::Gone { path }
            }
            _ => ClientError::Io { path, source },
        }
    }

    fn protocol(&self, reason: impl ToString) -> ClientError {
        ClientError::Protocol {
            path: self.path.clone(),
            reason: reason.to_string(),
        }
    }

    /// Removes the socket of a broker that is gone, when it is this user's to remove.
    fn remove_stale(&self) {
        let uid = geteuid();
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| uid.is_root() || metadata.uid() == uid.as_raw());
        if ours {
            // Another client may have removed it already.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Every flow on the host that this user may see.
#[derive(Debug, Default)]
pub struct HostFlows {
    /// The flows of all brokers, each with a name that is unique among them.
    pub flows: Vec<FlowView>,
    /// Brokers that exist and could not be asked.
    pub failures: Vec<ClientError>,
}

/// A client of every broker on the host.
#[derive(Clone, Debug)]
pub struct Client {
    directories: Vec<PathBuf>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            directories: runtime_dirs(),
        }
    }
}

impl Client {
    /// A client that looks for control sockets in these directories, which the caller trusts.
    pub fn with_directories(directories: Vec<PathBuf>) -> Self {
        Self { directories }
    }

    /// The control sockets there are, in order of name. Some may have been left behind by a broker that was killed.
    pub fn sockets(&self) -> Vec<BrokerSocket> {
        let mut paths: Vec<PathBuf> = self
            .directories
            .iter()
            .flat_map(|directory| fs::read_dir(directory).into_iter().flatten().flatten())
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "sock")
            })
            .collect();
        paths.sort();
        paths.into_iter().map(BrokerSocket::new).collect()
    }

    /// Every flow of every broker.
    ///
    /// A flow is named by its number where no other broker has that number, else by broker and number.
    pub async fn flows(&self) -> HostFlows {
        let (lists, failures) = self.ask_all().await;
        let mut uses: HashMap<u64, usize> = HashMap::new();
        for flow in lists.iter().flat_map(|(_, list)| &list.flows) {
            *uses.entry(flow.id.number).or_default() += 1;
        }
        let mut flows: Vec<FlowView> = lists.into_iter().flat_map(|(_, list)| list.flows).collect();
        for flow in &mut flows {
            flow.id = if uses[&flow.id.number] == 1 {
                FlowId::short(flow.id.number)
            } else {
                FlowId::long(flow.broker_pid, flow.id.number)
            };
        }
        flows.sort_by_key(|flow| (flow.id.number, flow.broker_pid));
        HostFlows { flows, failures }
    }

    /// Changes one flow.
    ///
    /// # Errors
    /// [`ClientError::Api`] when no broker has the flow, when several have one with that number, or when its broker
    /// refuses; the others when its broker cannot be asked.
    pub async fn set(&self, id: FlowId, request: &SetRequest) -> Result<SetResponse, ClientError> {
        let (lists, failures) = self.ask_all().await;
        let mut owners = lists.iter().filter(|(_, list)| {
            list.flows
                .iter()
                .any(|flow| id.matches(list.broker_pid, flow.id.number))
        });
        match (owners.next(), owners.next()) {
            (Some((socket, _)), None) => {
                let mut response = socket.set(id.number, request).await?;
                response.flow.id = id;
                Ok(response)
            }
            (Some((_, one)), Some((_, other))) => Err(ApiError::new(
                ErrorCode::BadRequest,
                format!("several brokers have a flow {id}"),
            )
            .with_hint(format!(
                "say which: {} or {}",
                FlowId::long(one.broker_pid, id.number),
                FlowId::long(other.broker_pid, id.number)
            ))
            .into()),
            (None, _) => Err(failures
                .into_iter()
                .next()
                .unwrap_or_else(|| unknown_flow(id))),
        }
    }

    async fn ask_all(&self) -> (Vec<(BrokerSocket, FlowList)>, Vec<ClientError>) {
        let mut lists = Vec::new();
        let mut failures = Vec::new();
        for socket in self.sockets() {
            match socket.flows().await {
                Ok(list) => lists.push((socket, list)),
                Err(ClientError::Gone { .. }) => socket.remove_stale(),
                Err(error) => failures.push(error),
            }
        }
        (lists, failures)
    }
}

fn unknown_flow(id: FlowId) -> ClientError {
    ApiError::new(ErrorCode::NotFound, format!("there is no flow {id}"))
        .with_hint("`manyway flows` lists them all")
        .into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_socket_without_a_listener_is_skipped_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.sock");
        drop(UnixListener::bind(&path).unwrap());
        let client = Client::with_directories(vec![directory.path().to_owned()]);
        let found = client.flows().await;
        assert!(found.flows.is_empty());
        assert!(found.failures.is_empty());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn files_that_are_no_sockets_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.sock");
        fs::write(&path, "not a socket").unwrap();
        let client = Client::with_directories(vec![directory.path().to_owned()]);
        assert!(client.sockets().is_empty());
        client.flows().await;
        assert!(path.exists());
    }

    #[tokio::test]
    async fn an_unknown_flow_is_not_found_and_says_where_to_look() {
        let directory = tempfile::tempdir().unwrap();
        let client = Client::with_directories(vec![directory.path().to_owned()]);
        let error = client
            .set(FlowId::short(9), &SetRequest::default())
            .await
            .unwrap_err();
        let ClientError::Api(error) = error else {
            panic!("{error}")
        };
        assert_eq!(error.code, ErrorCode::NotFound);
        assert!(error.hint.unwrap().contains("manyway flows"));
    }

    #[tokio::test]
    async fn a_broker_that_hangs_up_is_a_failure_and_not_an_empty_list() {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("1.sock")).unwrap();
        let hang_up = std::thread::spawn(move || drop(listener.accept()));
        let client = Client::with_directories(vec![directory.path().to_owned()]);
        let found = client.flows().await;
        hang_up.join().unwrap();
        assert_eq!(found.failures.len(), 1, "{:?}", found.failures);
    }
}
