//! What programs do, as their supervisor reports it, and what becomes of it.

use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use manyway_api::Role;
use manyway_intercept::{
    Handler, HeldConnect, ListenerInfo, LoopbackListener, PeerNames, PendingConnect,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::broker::{Command, Worker};
use crate::client::{Attempt, Opened};
use crate::flow::FlowOrigin;
use crate::relay::relay;
use crate::server::{Service, target_of};

/// How often to look whether the program has given its connect up.
const CANCEL_CHECK: Duration = Duration::from_millis(100);

/// Something a program did.
#[derive(Debug)]
pub(crate) enum Intercepted {
    /// It connects.
    Connect(PendingConnect),
    /// It listens.
    Listen(ListenerInfo, Arc<OnceLock<PeerNames>>),
    /// It has closed the listener with this cookie.
    ListenerClosed(u64),
}

/// Passes what a supervisor reports on to the broker's thread.
#[derive(Debug)]
pub(crate) struct Reporter {
    commands: mpsc::UnboundedSender<Command>,
    names: Arc<OnceLock<PeerNames>>,
}

impl Reporter {
    /// A reporter for one supervisor, whose names appear once it runs.
    pub(crate) fn new(
        commands: mpsc::UnboundedSender<Command>,
        names: Arc<OnceLock<PeerNames>>,
    ) -> Self {
        Self { commands, names }
    }

    /// A broker that has ended drops the event; a connect then fails instead of waiting for ever.
    fn report(&self, event: Intercepted) {
        let _ = self.commands.send(Command::Intercepted(event));
    }
}

impl Handler for Reporter {
    fn on_connect(&self, connect: PendingConnect) {
        self.report(Intercepted::Connect(connect));
    }

    fn on_listen(&self, listener: ListenerInfo) {
        self.report(Intercepted::Listen(listener, Arc::clone(&self.names)));
    }

    fn on_listener_closed(&self, cookie: u64) {
        self.report(Intercepted::ListenerClosed(cookie));
    }
}

/// Takes up one event.
pub(crate) fn handle(worker: &Arc<Worker>, event: Intercepted) {
    match event {
        Intercepted::Connect(pending) => connect(worker, pending),
        Intercepted::Listen(listener, names) => listen(worker, &listener, names),
        Intercepted::ListenerClosed(cookie) => worker.ports.withdraw(cookie),
    }
}

fn connect(worker: &Arc<Worker>, pending: PendingConnect) {
    let destination = pending.destination();
    if let Some(reason) = worker.connector.is_direct(destination) {
        tracing::debug!(%destination, %reason, "direct");
        pending.direct();
        return;
    }
    if worker.flows.is_full() {
        tracing::warn!(%destination, "too many flows; this one goes directly");
        pending.direct();
        return;
    }
    let origin = FlowOrigin {
        program: pending.program_name(),
        pid: Some(pending.pid()),
        role: Role::Client,
        peer: manyway_api::PeerKind::Manyway,
        destination: Some(destination),
    };
    match hold(pending, &worker.loopback) {
        Some(held) => {
            tokio::spawn(decide(Arc::clone(worker), held, origin));
        }
        None => {
            tracing::warn!(%destination, "a connection could not be taken over; it goes directly");
        }
    }
}

/// Takes the connect over, or lets it go directly.
fn hold(pending: PendingConnect, loopback: &LoopbackListener) -> Option<HeldConnect> {
    match pending.hold(loopback) {
        Ok(held) => Some(held),
        Err(error) => {
            tracing::debug!(error = %error.source, "hold failed");
            error.connect.direct();
            None
        }
    }
}

/// Finds out how the destination is reached, and lets the program have it.
async fn decide(worker: Arc<Worker>, held: HeldConnect, origin: FlowOrigin) {
    let destination = held.destination();
    let attempt = tokio::select! {
        attempt = worker.connector.open(destination) => attempt,
        () = given_up(&held) => return,
    };
    match attempt {
        Attempt::Opened(opened) => carry(&worker, held, opened, origin).await,
        Attempt::Direct(reason) => {
            tracing::info!(%destination, program = origin.program, %reason, "plain TCP");
            held.direct();
        }
        Attempt::Failed(errno) => {
            tracing::info!(%destination, program = origin.program, errno = errno.0, "refused by the peer");
            held.fail(errno.0);
        }
    }
}

async fn given_up(held: &HeldConnect) {
    while !held.is_cancelled() {
        tokio::time::sleep(CANCEL_CHECK).await;
    }
}

async fn carry(worker: &Worker, held: HeldConnect, opened: Opened, origin: FlowOrigin) {
    let framing = opened.framing();
    let origin = FlowOrigin {
        peer: opened.peer,
        ..origin
    };
    let Some(flow) = worker.flows.add(origin, opened.association) else {
        held.direct();
        return;
    };
    // The guard keeps the flow's names shown to the program as long as the flow lives.
    let Ok((stream, _names)) = held.succeed_named(None) else {
        flow.association.abort(b"the program's socket is gone");
        return;
    };
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "a program's connection cannot be served");
            flow.association.abort(b"the broker is short of resources");
            return;
        }
    };
    tracing::info!(
        flow = flow.number,
        program = flow.origin.program,
        destination = flow.origin.destination.map(tracing::field::display),
        "a flow is open"
    );
    if let Err(error) = relay(
        stream,
        &flow,
        framing,
        opened.first,
        worker.drain.subscribe(),
    )
    .await
    {
        tracing::info!(flow = flow.number, %error, "a flow was cut off");
    }
}

fn listen(worker: &Arc<Worker>, listener: &ListenerInfo, names: Arc<OnceLock<PeerNames>>) {
    if !worker.config.serve {
        return;
    }
    let Some(target) = target_of(listener.local_addr) else {
        tracing::debug!(address = %listener.local_addr, "a listener on loopback is not offered to peers");
        return;
    };
    let service = Service {
        port: listener.port(),
        target,
        program: program_name(listener.pid),
        pid: Some(listener.pid),
        names,
    };
    let (worker, cookie) = (Arc::clone(worker), listener.cookie);
    tokio::spawn(async move {
        if let Err(error) = worker.ports.offer(Some(cookie), service).await {
            tracing::warn!(%error, "peers cannot reach the program by Manyway; plain TCP still works");
        }
    });
}

fn program_name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|name| name.trim_end().to_owned())
        .unwrap_or_default()
}
