//! The thread that serves the pages: hyper's HTTP/1 on a small runtime, everything about it bounded.
//!
//! One request a connection, a deadline for each, so many connections at once; costly pages take turns ([`turn`](super::turn));
//! the dashboard's streams have a few seats and deadlines of their own. Whoever floods this port waits in the kernel's
//! queue, the thread stands back behind the workers, and DNS does not notice.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant as Moment, sleep, timeout, timeout_at};

use super::dashboard::stream::{Limit, Theatre};
use super::page::{self, Page, Reply};
use super::status::Status;
use super::turn::Turns;

/// Connections at once.
const CONNECTIONS: u32 = 64;
/// The request line and all headers.
const HEAD: usize = 8 << 10;
/// Headers.
const HEADERS: usize = 64;
/// hyper's buffers for a connection.
const BUFFER: usize = 16 << 10;
/// From the connection to the end of the request's head.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// From the connection to the end of the response, however slowly its client reads.
const WHOLE_TIME: Duration = Duration::from_secs(15);
/// What the kernel keeps of a response that is not read yet; it takes twice as much.
const SEND_BUFFER: usize = 64 << 10;
/// What is read, and for how long, of a request that was answered before its end: a reset would lose the answer.
const LINGER: (usize, Duration) = (64 << 10, Duration::from_millis(500));
/// How far whatever is beside the workers stands back (nice(1)), if the process does not stand further back by itself:
/// where a worker needs all of a processor, a tenth of it is left, so that pages and reloads still come to their end.
const NICE: i32 = 10;
/// What open connections get when the server stops.
const DRAIN: Duration = Duration::from_millis(100);
/// The pause when no connection can be taken for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The running endpoint. Dropping it stops it without waiting.
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<()>,
    thread: JoinHandle<()>,
}

/// Binds `address` and serves there.
pub fn start(address: SocketAddr, status: Arc<dyn Status>) -> io::Result<Running> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = runtime.block_on(TcpListener::bind(address))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(());
    let thread = thread::Builder::new().name("control".to_owned()).spawn(move || {
        stand_back("the pages");
        let desk = Arc::new(Desk { status, turns: Turns::default(), theatre: Arc::default() });
        let slots = Arc::new(Semaphore::new(CONNECTIONS as usize));
        runtime.block_on(async {
            accept(&listener, &slots, &desk, stopped).await;
            drop(listener);
            // All slots are free when every connection has ended.
            let _ = timeout(DRAIN, slots.acquire_many(CONNECTIONS)).await;
        });
    })?;
    Ok(Running { address, stop, thread })
}

/// Lowers this thread's own priority: on Linux each thread has one. Where that is not allowed, all is as it would have been.
pub fn stand_back(who: &str) {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0).max(NICE);
    if let Err(fault) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!("{who} keep the priority of the workers: {fault}");
    }
}

impl Running {
    /// Where it listens; tells the port where any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets open ones end for a moment, and returns.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the control thread panicked");
        }
    }
}

/// What every connection needs.
struct Desk {
    status: Arc<dyn Status>,
    turns: Turns,
    theatre: Arc<Theatre>,
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    desk: &Arc<Desk>,
    mut stop: watch::Receiver<()>,
) {
    loop {
        let slot = tokio::select! {
            slot = Arc::clone(slots).acquire_owned() => slot,
            _ = stop.changed() => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        // The semaphore is never closed.
        let Ok(slot) = slot else { return };
        match accepted {
            Ok((stream, _)) => {
                let desk = Arc::clone(desk);
                // What the kernel holds for a slow reader; the system's own bound is megabytes.
                let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
                tokio::spawn(async move {
                    let limit = Limit::within(WHOLE_TIME);
                    let mut serving = pin!(serve(stream, desk, limit.clone()));
                    // Who is slower than this, or sends what is no HTTP, hears nothing more. A stream moves its limit on.
                    while timeout_at(limit.get(), &mut serving).await.is_err() && Moment::now() < limit.get()
                    {
                    }
                    drop(slot);
                });
            }
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

/// Answers one request, whatever else its client sends.
async fn serve(stream: TcpStream, desk: Arc<Desk>, limit: Limit) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (desk, limit) = (Arc::clone(&desk), limit.clone());
        Box::pin(async move { Ok::<_, Infallible>(desk.reply(&request, limit).await) })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .keep_alive(false)
        .max_headers(HEADERS)
        .max_header_size(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    // hyper writes its own 400 or 431 before it gives an error, so both ends are closed alike.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    linger(connection.into_parts().io.into_inner()).await;
}

/// Closes our side, then reads on a little: closing with octets unread resets the connection, and a reset may overtake
/// the response.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let (mut left, time) = LINGER;
    let mut waste = [0; 4 << 10];
    let _ = timeout(time, async {
        while let Ok(length @ 1..) = stream.read(&mut waste).await {
            left = left.saturating_sub(length);
            if left == 0 {
                break;
            }
        }
    })
    .await;
}

impl Desk {
    async fn reply(&self, request: &Request<Incoming>, limit: Limit) -> Reply {
        let page = Page::of(request.method(), request.uri().path()).as_accepted(request.headers());
        let query = request.uri().query().unwrap_or("");
        if page == Page::Live {
            return self.live(request.method(), limit);
        }
        let make = || page.reply(query, self.status.as_ref());
        let whole = if page.is_costly() { self.turns.take(page, make).await } else { make() };
        whole.map(BodyExt::boxed_unsync)
    }

    /// A seat before the dashboard's events. Whoever only asks for the head takes none.
    fn live(&self, method: &Method, limit: Limit) -> Reply {
        let whole = |reply: page::Whole| reply.map(BodyExt::boxed_unsync);
        if method == Method::HEAD {
            let has_room = self.theatre.has_room();
            return whole(if has_room { Page::Live.reply("", self.status.as_ref()) } else { page::full() });
        }
        match self.theatre.sit(&self.status) {
            Some(seat) => page::live(StreamBody::new(seat.watch(limit)).boxed_unsync()),
            None => whole(page::full()),
        }
    }
}
