//! The unix socket that commands are given by: HTTP/1 with a JSON body, so that curl can give them too.
//!
//! Only whom the file's permissions let in is heard. One command a connection, few connections at once, each with an end.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream as Caller;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::steering::{Command, Steering};

/// Connections at once.
const CONNECTIONS: usize = 8;
/// The longest command.
const BODY: usize = 64 << 10;
/// From the connection to the whole command.
const COMMAND_TIME: Duration = Duration::from_secs(5);
/// From the connection to its end: a large configuration takes its time to be read.
const WHOLE_TIME: Duration = Duration::from_secs(120);
/// The pause when no connection can be taken for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Who may give commands: the server's user, and its group or the one that was named.
const MODE: u32 = 0o660;

/// The running socket. Dropping it stops it without waiting.
pub struct Running {
    path: PathBuf,
    stop: watch::Sender<()>,
    thread: JoinHandle<()>,
}

/// Binds `path` for the server's group, or that of number `group`, and serves there.
pub fn start(path: &Path, group: Option<u32>, steering: Arc<dyn Steering>) -> io::Result<Running> {
    make_way(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = {
        let _inside = runtime.enter();
        UnixListener::bind(path)?
    };
    if let Some(number) = group {
        chown(path, None, group).map_err(|fault| not_given(number, &fault))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    let (stop, stopped) = watch::channel(());
    let thread = thread::Builder::new().name("kkh-control".to_owned()).spawn(move || {
        runtime.block_on(accept(&listener, &steering, stopped));
        runtime.shutdown_background();
    })?;
    Ok(Running { path: path.to_owned(), stop, thread })
}

impl Running {
    /// Takes no more commands, and takes the file away.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the control socket panicked");
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// Takes away the file that a server left behind which was killed. One that answers is another server's.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(fault),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already and is no socket"));
        }
        Ok(_) => {}
    }
    match Caller::connect(path) {
        Err(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(fault) => Err(fault),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another server takes commands there")),
    }
}

/// The kernel gives a file to a group only for one who is in it, and the unit's filter knows no `chown` unless it is told.
fn not_given(group: u32, fault: &io::Error) -> io::Error {
    let hint = "the unit wants SupplementaryGroups= of the group and SystemCallFilter=@chown";
    io::Error::new(
        fault.kind(),
        format!("it cannot be given to group {group}: {fault}; under systemd {hint}"),
    )
}

async fn accept(listener: &UnixListener, steering: &Arc<dyn Steering>, mut stop: watch::Receiver<()>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            // The semaphore is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            next = next => next,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let steering = Arc::clone(steering);
                tokio::spawn(async move {
                    let _ = timeout(WHOLE_TIME, serve(stream, steering)).await;
                    drop(slot);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn serve(stream: UnixStream, steering: Arc<dyn Steering>) {
    let who = stream.peer_cred().map_or_else(
        |_| "somebody".to_owned(),
        |peer| format!("uid {} (process {})", peer.uid(), peer.pid().unwrap_or(0)),
    );
    let service = service_fn(move |request: Request<Incoming>| {
        let (steering, who) = (Arc::clone(&steering), who.clone());
        Box::pin(async move { Ok::<_, Infallible>(reply(request, steering, who).await) })
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(COMMAND_TIME)
        .keep_alive(false)
        .max_headers(32)
        .max_header_size(4 << 10)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn reply(
    request: Request<Incoming>,
    steering: Arc<dyn Steering>,
    who: String,
) -> Response<Full<Bytes>> {
    let command = match (request.method(), request.uri().path()) {
        (&Method::GET, "/status") => Command::Status {},
        (&Method::POST, "/command") => match timeout(COMMAND_TIME, read(request)).await {
            Ok(Ok(command)) => command,
            Ok(Err(why)) => return document(StatusCode::BAD_REQUEST, &wrong(why)),
            Err(_) => {
                return document(StatusCode::REQUEST_TIMEOUT, &wrong("the command did not come to its end"));
            }
        },
        _ => return document(StatusCode::NOT_FOUND, &wrong("there is GET /status and POST /command")),
    };
    if command.changes_something() {
        tracing::info!("{who} orders: {}", command.name());
    }
    match spawn_blocking(move || steering.obey(command)).await {
        Ok(Ok(done)) => document(StatusCode::OK, &done),
        Ok(Err(why)) => document(StatusCode::CONFLICT, &wrong(why)),
        Err(_) => document(StatusCode::INTERNAL_SERVER_ERROR, &wrong("it panicked; the log has more")),
    }
}

async fn read(request: Request<Incoming>) -> Result<Command, String> {
    let body = Limited::new(request.into_body(), BODY).collect().await.map_err(|fault| fault.to_string())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|fault| fault.to_string())
}

fn wrong(why: impl Into<String>) -> Value {
    json!({ "error": why.into() })
}

fn document(code: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::from(body.to_string() + "\n")));
    *reply.status_mut() = code;
    for (name, value) in
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")]
    {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}
