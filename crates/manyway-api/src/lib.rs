//! Types of the control API and its client.
//!
//! Every broker (the one embedded in a `manyway run` or `manyway expose`, or a daemon) serves HTTP/1.1 with
//! JSON on a Unix socket of its own. This crate holds what both ends agree on:
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/version` | [`VersionView`] |
//! | `GET /v1/flows` | [`FlowList`] |
//! | `GET /v1/flows/{number}` | [`FlowView`] |
//! | `POST /v1/flows/{number}/set` with a [`SetRequest`] | [`SetResponse`] |
//!
//! An answer that is not 2xx carries an [`ApiError`]. Fields are only ever added within `/v1`, so a client
//! ignores those it does not know.
//!
//! [`Client`] asks every broker it may ask and merges their answers into one list. A broker numbers its flows
//! from 1, so two brokers may use the same number: see [`FlowId`] for how a flow is named then.

mod client;
mod error;
mod id;
mod runtime_dir;
mod set;
mod view;

pub use client::{BrokerSocket, Client, ClientError, HostFlows};
pub use error::{ApiError, ErrorCode};
pub use id::{FlowId, ParseFlowIdError};
pub use runtime_dir::{RuntimeDirError, create_runtime_dir, runtime_dirs};
pub use set::{SetRequest, SetResponse};
pub use view::{
    FlowList, FlowState, FlowView, PathState, PathView, PeerKind, Role, VersionView, Wish,
};

/// The path prefix of this version of the API.
pub const API_PREFIX: &str = "/v1";
