//! The broker: one thread that owns everything about its flows.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use manyway_api::{RuntimeDirError, create_runtime_dir};
use manyway_intercept::{LoopbackListener, PeerNames, Program, SpawnError, Supervisor};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::client::Connector;
use crate::config::BrokerConfig;
use crate::control::ControlSocket;
use crate::flow::FlowTable;
use crate::intercepted::{self, Intercepted, Reporter};
use crate::ports::{Ports, ServeError};
use crate::rates;
use crate::server::Service;

/// How long flows that are cut off may take to say so.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// A broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no place for its control socket.
    #[error(transparent)]
    RuntimeDir(#[from] RuntimeDirError),
    /// The control socket cannot be bound.
    #[error("cannot bind a control socket in {}: {source}", .directory.display())]
    Control {
        /// The directory for it.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Programs' sockets cannot be met on loopback.
    #[error("cannot listen on loopback: {0}")]
    Loopback(io::Error),
    /// The system gives no thread or no event queue.
    #[error("cannot start the broker's thread: {0}")]
    Thread(io::Error),
}

/// What the rest of the process asks of the broker's thread.
#[derive(Debug)]
pub(crate) enum Command {
    /// Something a program did.
    Intercepted(Intercepted),
    /// Offer the port of a program that runs already.
    Expose {
        target: SocketAddr,
        reply: oneshot::Sender<Result<(), ServeError>>,
    },
    /// End when every flow has, or after this time.
    Stop {
        /// The time.
        patience: Duration,
    },
}

/// A running broker, on a thread of its own. Dropping it resets every flow and waits for the thread;
/// [`Broker::request_stop`] lets flows end before.
#[derive(Debug)]
pub struct Broker {
    commands: mpsc::UnboundedSender<Command>,
    control_path: PathBuf,
    ended: watch::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker and its control server.
    ///
    /// # Errors
    /// As [`StartError`] says. Ports are taken when they are first needed, so a port that is taken is no error here.
    pub fn start(config: BrokerConfig) -> Result<Self, StartError> {
        let directory = match &config.control_dir {
            Some(directory) => directory.clone(),
            None => create_runtime_dir()?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let control = {
            let _inside = runtime.enter();
            ControlSocket::bind(&directory)
                .map_err(|source| StartError::Control { directory, source })?
        };
        let control_path = control.path().to_owned();
        let loopback = LoopbackListener::bind().map_err(StartError::Loopback)?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let worker = Worker::new(config, loopback);
        let (running, ended) = watch::channel(());
        let thread = thread::Builder::new()
            .name("broker".to_owned())
            .spawn(move || {
                run(&runtime, &worker, control, inbox);
                drop((runtime, running));
            })
            .map_err(StartError::Thread)?;
        Ok(Self {
            commands,
            control_path,
            ended,
            thread: Some(thread),
        })
    }

    /// Where the control socket is.
    pub fn control_path(&self) -> &Path {
        &self.control_path
    }

    /// Runs a program, and every process it starts, with its flows carried by this broker.
    ///
    /// # Errors
    /// When the program cannot be started or not be intercepted.
    pub fn supervise(&self, program: Program) -> Result<Supervisor, SpawnError> {
        let names = Arc::<OnceLock<PeerNames>>::default();
        let reporter = Reporter::new(self.commands.clone(), Arc::clone(&names));
        let supervisor = Supervisor::spawn(program, Arc::new(reporter))?;
        // A client that is accepted before this shows the broker's own address, in the first microseconds.
        let _ = names.set(supervisor.peer_names());
        Ok(supervisor)
    }

    /// Lets peers reach the program that listens on this port of loopback. Waits for the outcome.
    ///
    /// # Errors
    /// When the UDP port is somebody else's, or the port is offered already.
    ///
    /// # Panics
    /// On a thread that runs asynchronous tasks, which must not wait.
    pub fn expose(&self, port: u16) -> Result<(), ServeError> {
        let (reply, answer) = oneshot::channel();
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.commands
            .send(Command::Expose { target, reply })
            .map_err(|_| ServeError::Stopped)?;
        answer.blocking_recv().map_err(|_| ServeError::Stopped)?
    }

    /// Asks the broker to end when every flow has delivered what its program sent, or after `patience`, which resets
    /// those that have not. Asked again, the newest patience counts.
    pub fn request_stop(&self, patience: Duration) {
        // A broker that has ended need not be told.
        let _ = self.commands.send(Command::Stop { patience });
    }

    /// Waits until the broker has ended. Cancel safe.
    pub async fn stopped(&mut self) {
        // Nothing is ever sent: the channel closes when the thread ends.
        let _ = self.ended.changed().await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.request_stop(Duration::ZERO);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the broker's thread panicked");
        }
    }
}

/// What the tasks on the broker's thread share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) config: BrokerConfig,
    pub(crate) connector: Connector,
    pub(crate) ports: Ports,
    pub(crate) flows: FlowTable,
    pub(crate) loopback: LoopbackListener,
    pub(crate) drain: watch::Sender<bool>,
}

impl Worker {
    fn new(config: BrokerConfig, loopback: LoopbackListener) -> Arc<Self> {
        let flows = FlowTable::new(config.max_flows);
        let drain = watch::Sender::new(false);
        Arc::new(Self {
            connector: Connector::new(config.clone()),
            ports: Ports::new(config.clone(), flows.clone(), drain.subscribe()),
            flows,
            loopback,
            drain,
            config,
        })
    }

    async fn expose(&self, target: SocketAddr) -> Result<(), ServeError> {
        let service = Service {
            port: target.port(),
            target,
            program: String::new(),
            pid: None,
            names: Arc::default(),
        };
        self.ports.offer(None, service).await
    }
}

/// The life of the broker's thread. Dropping the runtime afterwards resets whatever is left.
fn run(
    runtime: &Runtime,
    worker: &Arc<Worker>,
    control: ControlSocket,
    mut inbox: mpsc::UnboundedReceiver<Command>,
) {
    runtime.block_on(async {
        tokio::spawn(control.serve(worker.flows.clone()));
        tokio::spawn(rates::sample_all(worker.flows.clone()));
        let mut deadline = None;
        loop {
            let command = tokio::select! {
                biased;
                command = inbox.recv() => command,
                () = worker.flows.wait_until_empty(), if deadline.is_some() => break,
                () = until(deadline) => break,
            };
            match command {
                Some(Command::Stop { patience }) => {
                    worker.drain.send_replace(true);
                    deadline = Some(Instant::now() + patience);
                }
                Some(command) => take_up(worker, command),
                None => break,
            }
        }
        cut_off(&worker.flows).await;
    });
}

/// Resets the flows that are left, and gives their last packets the time to leave.
async fn cut_off(flows: &FlowTable) {
    let left = flows.all();
    for flow in &left {
        flow.association.abort(b"the broker has ended");
    }
    if !left.is_empty() {
        drop(left);
        let _ = tokio::time::timeout(LAST_WORDS, flows.wait_until_empty()).await;
        tokio::time::sleep(LAST_WORDS).await;
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn take_up(worker: &Arc<Worker>, command: Command) {
    match command {
        Command::Intercepted(event) => intercepted::handle(worker, event),
        Command::Expose { target, reply } => {
            let worker = Arc::clone(worker);
            tokio::spawn(async move {
                let _ = reply.send(worker.expose(target).await);
            });
        }
        Command::Stop { .. } => {}
    }
}
