//! The flows of a broker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use manyway::Association;
use manyway_api::{PeerKind, Role};
use tokio::sync::watch;

use crate::rates::Rates;

/// What is known of a flow when it begins.
#[derive(Clone, Debug)]
pub(crate) struct FlowOrigin {
    /// The file name of the program, empty when not known.
    pub(crate) program: String,
    /// The process id of the program.
    pub(crate) pid: Option<u32>,
    /// The side the program is on.
    pub(crate) role: Role,
    /// What the other end is.
    pub(crate) peer: PeerKind,
    /// The address the client's program asked for.
    pub(crate) destination: Option<SocketAddr>,
}

/// One flow: a program's connection and the association that carries it.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Its number in this broker, from 1, never used twice.
    pub(crate) number: u64,
    /// What was known of it when it began.
    pub(crate) origin: FlowOrigin,
    /// When it began.
    pub(crate) opened: Instant,
    /// What carries it.
    pub(crate) association: Association,
    /// Rates of its paths.
    pub(crate) rates: Mutex<Rates>,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    closing: AtomicBool,
}

impl Flow {
    /// Counts bytes of the program that were handed to the association.
    pub(crate) fn count_sent(&self, bytes: usize) {
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that were handed to the program.
    pub(crate) fn count_received(&self, bytes: usize) {
        self.bytes_received
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of the program handed to the association so far.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    /// Bytes handed to the program so far.
    pub(crate) fn bytes_received(&self) -> u64 {
        self.bytes_received.load(Ordering::Relaxed)
    }

    /// Notes that one end has finished sending.
    pub(crate) fn mark_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether one end has finished sending.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Inner {
    last_number: u64,
    flows: BTreeMap<u64, Arc<Flow>>,
}

/// Every flow of a broker. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FlowTable {
    inner: Arc<Mutex<Inner>>,
    count: watch::Sender<usize>,
    limit: usize,
}

impl FlowTable {
    /// An empty table for at most `limit` flows.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                last_number: 0,
                flows: BTreeMap::new(),
            })),
            count: watch::Sender::new(0),
            limit,
        }
    }

    /// Lists a flow for as long as the returned guard lives; `None` when the table is full.
    pub(crate) fn add(&self, origin: FlowOrigin, association: Association) -> Option<FlowGuard> {
        let mut inner = self.lock();
        if inner.flows.len() >= self.limit {
            tracing::warn!(limit = self.limit, "too many flows; one was refused");
            return None;
        }
        inner.last_number += 1;
        let flow = Arc::new(Flow {
            number: inner.last_number,
            origin,
            opened: Instant::now(),
            association,
            rates: Mutex::default(),
            bytes_sent: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        inner.flows.insert(flow.number, Arc::clone(&flow));
        self.count.send_replace(inner.flows.len());
        Some(FlowGuard {
            table: self.clone(),
            flow,
        })
    }

    /// The largest number of flows.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether no further flow is allowed.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().flows.len() >= self.limit
    }

    /// The flow with this number.
    pub(crate) fn get(&self, number: u64) -> Option<Arc<Flow>> {
        self.lock().flows.get(&number).cloned()
    }

    /// Every flow, in order of number.
    pub(crate) fn all(&self) -> Vec<Arc<Flow>> {
        self.lock().flows.values().cloned().collect()
    }

    /// Waits until there is no flow. Cancel safe.
    pub(crate) async fn wait_until_empty(&self) {
        // The sender is alive as long as `self` is, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a flow listed.
#[derive(Debug)]
pub(crate) struct FlowGuard {
    table: FlowTable,
    flow: Arc<Flow>,
}

impl Deref for FlowGuard {
    type Target = Flow;

    fn deref(&self) -> &Flow {
        &self.flow
    }
}

impl Drop for FlowGuard {
    fn drop(&mut self) {
        let mut inner = self.table.lock();
        inner.flows.remove(&self.flow.number);
        self.table.count.send_replace(inner.flows.len());
    }
}
