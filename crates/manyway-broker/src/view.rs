//! Flows and paths as the control API shows them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use manyway::{PathInfo, PathState, Wish};
use manyway_api as api;

use crate::flow::Flow;
use crate::rates::Rates;

/// Names of interfaces by their addresses, as they are now.
#[derive(Debug, Default)]
pub(crate) struct Interfaces(HashMap<IpAddr, String>);

impl Interfaces {
    /// Asks the system. When it does not answer, interfaces have no names.
    fn read() -> Self {
        match manyway_net::interfaces::addresses() {
            Ok(all) => Self(
                all.into_iter()
                    .map(|one| (one.address, one.interface))
                    .collect(),
            ),
            Err(error) => {
                tracing::debug!(%error, "the addresses of interfaces cannot be read");
                Self::default()
            }
        }
    }

    /// The interface that has this address.
    pub(crate) fn of(&self, address: IpAddr) -> Option<&str> {
        self.0.get(&address.to_canonical()).map(String::as_str)
    }
}

/// How long the names of interfaces are believed.
const FRESH: Duration = Duration::from_secs(1);

/// Remembers the names of interfaces, so that a burst of commands asks the system once: a command shall take effect
/// within a fraction of the time that asking takes.
#[derive(Debug, Default)]
pub(crate) struct InterfaceCache(Mutex<Option<(Instant, Arc<Interfaces>)>>);

impl InterfaceCache {
    /// The names, not older than a second.
    pub(crate) fn get(&self) -> Arc<Interfaces> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((read, interfaces)) if read.elapsed() < FRESH => Arc::clone(interfaces),
            _ => {
                let interfaces = Arc::new(Interfaces::read());
                *cached = Some((Instant::now(), Arc::clone(&interfaces)));
                interfaces
            }
        }
    }
}

/// A flow as it is now.
pub(crate) fn flow_view(flow: &Flow, interfaces: &Interfaces) -> api::FlowView {
    let rates = flow.rates.lock().unwrap_or_else(PoisonError::into_inner);
    let mut paths: Vec<api::PathView> = flow
        .association
        .paths()
        .iter()
        .map(|path| path_view(path, &rates, interfaces))
        .collect();
    paths.sort_by_key(|path| path.id);
    api::FlowView {
        id: api::FlowId::short(flow.number),
        broker_pid: std::process::id(),
        program: flow.origin.program.clone(),
        pid: flow.origin.pid,
        role: flow.origin.role,
        transport: "sctp".to_owned(),
        state: if flow.is_closing() {
            api::FlowState::Closing
        } else {
            api::FlowState::Open
        },
        peer: flow.origin.peer,
        destination: flow.origin.destination,
        opened_seconds: flow.opened.elapsed().as_secs_f64(),
        bytes_sent: flow.bytes_sent(),
        bytes_received: flow.bytes_received(),
        sealed: false,
        paths,
    }
}

fn path_view(path: &PathInfo, rates: &Rates, interfaces: &Interfaces) -> api::PathView {
    let id = path.id.number();
    let interface = interfaces.of(path.four_tuple.local.ip()).map(str::to_owned);
    let rate = rates.of(path.id);
    api::PathView {
        id: u64::from(id),
        name: interface.clone().unwrap_or_else(|| format!("path {id}")),
        interface,
        local: path.four_tuple.local,
        remote: path.four_tuple.remote,
        state: match path.state {
            PathState::Unconfirmed => api::PathState::Unconfirmed,
            PathState::Active => api::PathState::Active,
            PathState::Suspect => api::PathState::Suspect,
            PathState::Failed => api::PathState::Failed,
        },
        wish: wish_view(path.wish),
        peer_wish: Some(wish_view(path.peer_wish)),
        primary: path.primary,
        rtt_us: path.srtt.map(microseconds),
        rto_us: Some(microseconds(path.rto)),
        cwnd: Some(path.cwnd),
        in_flight: path.in_flight,
        queue: None,
        loss: loss(path),
        rate_sent_bps: rate.sent_bps,
        rate_received_bps: rate.received_bps,
        bytes_sent: path.bytes_sent,
        bytes_received: path.bytes_received,
        retransmitted_bytes: path.retransmitted_bytes,
        mtu: path.mtu as u64,
        primary_first_packet_us: path.switch_delay.map(microseconds),
    }
}

fn wish_view(wish: Wish) -> api::Wish {
    match wish {
        Wish::Active => api::Wish::Active,
        Wish::Backup => api::Wish::Backup,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
fn loss(path: &PathInfo) -> Option<f64> {
    (path.packets_sent > 0).then(|| path.lost_packets as f64 / path.packets_sent as f64)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
