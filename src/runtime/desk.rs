//! The control socket: HTTP/1.1 and JSON on a Unix socket, for root alone.
//!
//! It is served by a thread of its own. A client that is slow, silent or hostile costs a
//! connection for a while, and neither engine nor daemon a moment.

use std::convert::Infallible;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener as Socket, UnixStream as Probe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::witness::Witness;
use crate::control::request::{self, LONGEST_REQUEST, Planned, Reply, Request};
use crate::sys::process::Identity;

/// Longest wait for the head of a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest life of a connection: a reload with devices and slow names fits in.
const CONNECTION: Duration = Duration::from_secs(60);
/// Most connections at a time.
const CONNECTIONS: usize = 32;
/// Most requests that wait for the daemon.
const WAITING: usize = 16;

/// A request, and where its answer goes.
pub(super) struct Order {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// Requests as they come; the socket goes away with this value.
#[derive(Debug)]
pub(super) struct Desk {
    received: mpsc::Receiver<Order>,
    /// Keeps the channel open where there is no socket.
    _open: mpsc::Sender<Order>,
    path: Option<PathBuf>,
}

impl Desk {
    /// Listens in `folder`. Without a socket there are no requests, which is logged.
    pub(super) fn open(folder: &Path, witness: Witness) -> Self {
        let (orders, received) = mpsc::channel(WAITING);
        let path = folder.join(request::socket_name(std::process::id()));
        let begun = bind(folder, &path).and_then(|socket| begin(socket, orders.clone(), witness));
        let path = match begun {
            Ok(()) => Some(path),
            Err(error) => {
                tracing::warn!("no requests are taken at {}: {error}", path.display());
                None
            }
        };
        Self {
            received,
            _open: orders,
            path,
        }
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Option<Order> {
        self.received.recv().await
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

fn bind(folder: &Path, path: &Path) -> io::Result<Socket> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    remove_orphans(folder);
    // A crashed daemon may have had our number.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let socket = Socket::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Removes sockets at which nobody listens any more.
fn remove_orphans(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_socket = name.to_str().and_then(request::socket_pid).is_some();
        let refused = |e: io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
        if is_socket && Probe::connect(entry.path()).is_err_and(refused) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Starts the thread, which ends with the process.
fn begin(socket: Socket, orders: mpsc::Sender<Order>, witness: Witness) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = {
        let _inside = runtime.enter();
        UnixListener::from_std(socket)?
    };
    let app = routes(orders, witness);
    let body = move || runtime.block_on(accept(listener, app));
    thread::Builder::new()
        .name("vipd-control".to_owned())
        .spawn(body)?;
    Ok(())
}

async fn accept(listener: UnixListener, app: Router) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_allowed(&stream) => {
                // Who finds every seat taken is turned away, and nobody waits.
                if let Ok(seat) = Arc::clone(&seats).try_acquire_owned() {
                    let serving = serve(stream, app.clone());
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(CONNECTION, serving).await;
                        drop(seat);
                    });
                }
            }
            Ok(_) => tracing::warn!("a request of somebody who is not root is refused"),
            Err(error) => {
                // Out of descriptors: it may pass.
                tracing::warn!("a request was lost: {error}");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

/// Root, and whoever runs the daemon. The mode of the socket says so too, but only since it was
/// set.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = Identity::own().uid;
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn serve(stream: UnixStream, app: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(LONGEST_REQUEST)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .await;
    if let Err(error) = served {
        tracing::debug!("a connection to the control socket broke: {error}");
    }
}

/// What handlers know.
#[derive(Clone)]
struct Office {
    orders: mpsc::Sender<Order>,
    witness: Witness,
}

fn routes(orders: mpsc::Sender<Order>, witness: Witness) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/reload", post(reload))
        .route("/v1/plan", post(plan))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(LONGEST_REQUEST))
        .with_state(Office { orders, witness })
}

async fn status(State(office): State<Office>) -> Response {
    match office.witness.status().await {
        Ok(status) => Json(&*status).into_response(),
        Err(error) => failed(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

async fn reload(State(office): State<Office>) -> Response {
    ask(Request::Reload, &office.orders).await
}

async fn plan(State(office): State<Office>, Json(planned): Json<Planned>) -> Response {
    ask(Request::Plan { file: planned.file }, &office.orders).await
}

async fn unknown(method: Method, uri: Uri) -> Result<Response, Infallible> {
    let reason = format!("there is no {method} {}", uri.path());
    Ok(failed(StatusCode::NOT_FOUND, reason))
}

async fn ask(request: Request, to: &mpsc::Sender<Order>) -> Response {
    let (reply, answer) = oneshot::channel();
    let ends = || {
        failed(
            StatusCode::SERVICE_UNAVAILABLE,
            "the daemon ends".to_owned(),
        )
    };
    if to.send(Order { request, reply }).await.is_err() {
        return ends();
    }
    match answer.await {
        Ok(reply @ Reply::Refused { .. }) => (StatusCode::CONFLICT, Json(reply)).into_response(),
        Ok(Reply::Failed { reason }) => failed(StatusCode::INTERNAL_SERVER_ERROR, reason),
        Ok(reply @ (Reply::Reloaded(_) | Reply::Planned(_))) => Json(reply).into_response(),
        Err(_) => ends(),
    }
}

fn failed(code: StatusCode, reason: String) -> Response {
    (code, Json(Reply::Failed { reason })).into_response()
}
