//! The control server: HTTP on a Unix socket of its own.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path as Segment, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use manyway_api::{
    API_PREFIX, ApiError, ErrorCode, FlowList, FlowView, SetRequest, SetResponse, VersionView,
};
use rustix::process::geteuid;
use tokio::net::UnixListener;

use crate::flow::{Flow, FlowTable};
use crate::steer;
use crate::view::{InterfaceCache, flow_view};

/// The API version that is served.
const API_VERSION: u32 = 1;

/// A bound control socket; the file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: Option<UnixListener>,
    path: PathBuf,
}

impl ControlSocket {
    /// Binds `PID.sock` in the directory, for this user only.
    pub(crate) fn bind(directory: &Path) -> io::Result<Self> {
        let pid = std::process::id();
        let path = directory.join(format!("{pid}.sock"));
        // It gets its name when it listens, so that no client takes it for a broker that is gone.
        let nascent = directory.join(format!(".{pid}.nascent"));
        let _ = fs::remove_file(&nascent);
        let listener = UnixListener::bind(&nascent)?;
        fs::set_permissions(&nascent, fs::Permissions::from_mode(0o600))?;
        fs::rename(&nascent, &path)?;
        Ok(Self {
            listener: Some(listener),
            path,
        })
    }

    /// Where the socket is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until dropped.
    pub(crate) async fn serve(mut self, flows: FlowTable) {
        if let Some(listener) = self.listener.take() {
            let service = router(flows).into_make_service_with_connect_info::<Caller>();
            if let Err(error) = axum::serve(listener, service).await {
                tracing::warn!(%error, "the control server ended");
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The user at the other end of a control connection.
#[derive(Clone, Copy, Debug)]
struct Caller {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self {
            uid: stream
                .io()
                .peer_cred()
                .ok()
                .map(|credentials| credentials.uid()),
        }
    }
}

#[derive(Debug)]
struct Shared {
    flows: FlowTable,
    interfaces: InterfaceCache,
}

fn router(flows: FlowTable) -> Router {
    let routes = Router::new()
        .route("/version", get(version))
        .route("/flows", get(list))
        .route("/flows/{number}", get(show))
        .route("/flows/{number}/set", post(set));
    Router::new()
        .nest(API_PREFIX, routes)
        .fallback(unknown)
        .layer(middleware::from_fn(only_owner))
        .with_state(Arc::new(Shared {
            flows,
            interfaces: InterfaceCache::default(),
        }))
}

/// Root and the user this broker runs as may use it; nobody else.
async fn only_owner(
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let allowed = caller
        .uid
        .is_some_and(|uid| uid == 0 || uid == geteuid().as_raw());
    if allowed {
        next.run(request).await
    } else {
        Failure(
            ApiError::new(ErrorCode::Forbidden, "this broker belongs to another user")
                .with_hint("ask as that user or as root"),
        )
        .into_response()
    }
}

async fn version() -> Json<VersionView> {
    Json(VersionView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: API_VERSION,
        broker_pid: std::process::id(),
        uid: geteuid().as_raw(),
    })
}

async fn list(State(shared): State<Arc<Shared>>) -> Json<FlowList> {
    let interfaces = shared.interfaces.get();
    let flows = shared.flows.all();
    Json(FlowList {
        broker_pid: std::process::id(),
        flows: flows
            .iter()
            .map(|flow| flow_view(flow, &interfaces))
            .collect(),
    })
}

async fn show(
    State(shared): State<Arc<Shared>>,
    Segment(number): Segment<String>,
) -> Result<Json<FlowView>, Failure> {
    let flow = find(&shared, &number)?;
    Ok(Json(flow_view(&flow, &shared.interfaces.get())))
}

async fn set(
    State(shared): State<Arc<Shared>>,
    Segment(number): Segment<String>,
    request: Result<Json<SetRequest>, JsonRejection>,
) -> Result<Json<SetResponse>, Failure> {
    let Json(request) = request
        .map_err(|error| Failure(ApiError::new(ErrorCode::BadRequest, error.body_text())))?;
    let flow = find(&shared, &number)?;
    let interfaces = shared.interfaces.get();
    steer::apply(&flow.association, &interfaces, &request).map_err(Failure)?;
    tracing::info!(flow = flow.number, ?request, "a flow was changed");
    Ok(Json(SetResponse {
        flow: flow_view(&flow, &interfaces),
    }))
}

fn find(shared: &Shared, number: &str) -> Result<Arc<Flow>, Failure> {
    number
        .parse()
        .ok()
        .and_then(|number| shared.flows.get(number))
        .ok_or_else(|| {
            Failure(
                ApiError::new(ErrorCode::NotFound, format!("there is no flow {number}"))
                    .with_hint("`manyway flows` lists them all"),
            )
        })
}

async fn unknown() -> Failure {
    Failure(ApiError::new(
        ErrorCode::NotFound,
        "this API has no such resource",
    ))
}

/// An error as an answer.
#[derive(Debug)]
struct Failure(ApiError);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::Conflict => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(self.0)).into_response()
    }
}
