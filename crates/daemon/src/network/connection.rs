//! One connection from its first byte to its last: HTTP in between, and limits on how long each part may take.

use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::network::limits::Limits;
use crate::network::service::Service;
use crate::network::socket::{ConnectionPhase, Socket, SocketIo};
use crate::network::state::PlaneState;

/// How much is read of the rest of what a refused client sends, in bytes.
const LINGER_BYTES: usize = 4 << 20;

/// How long, at the end of the plane, a call that was answered just now may take to become a reply.
const PENDING_CALL: Duration = Duration::from_millis(100);

/// How long, at the end of the plane, a reply may take to be written.
const PENDING_REPLY: Duration = Duration::from_secs(1);

/// How long, at the end of the plane, the client may take to close its side.
const FAREWELL: Duration = Duration::from_millis(100);

/// Serves one client until either side ends the connection. Returns the connection if it is idle and the next plane is to
/// continue it.
pub async fn serve(
    socket: Rc<Socket>,
    service: Service,
    limits: Limits,
    mut state: watch::Receiver<PlaneState>,
) -> Option<OwnedFd> {
    let mut http = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(limits.head_bytes)
            .title_case_headers(true)
            // A client may close its sending direction and wait for the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(SocketIo(socket.clone())), service)
    );
    let mut ending = state.clone();
    tokio::select! {
        _ = &mut http => {
            socket.enter(ConnectionPhase::Leaving);
            tokio::select! {
                () = close(&socket, &limits) => (),
                () = socket.evicted() => (),
                _ = ending.wait_for(PlaneState::is_ending) => (),
            }
        }
        () = overdue(&socket, &limits) => (),
        () = socket.evicted() => (),
        ended = state.wait_for(PlaneState::is_ending) => {
            let is_handing_over = ended.is_ok_and(|state| *state == PlaneState::HandingOver);
            if is_handing_over && let Some(idle) = socket.hand_over() {
                return Some(idle);
            }
            // The library closes at once what has not begun a request. One whose request is being carried out must learn from its
            // answer that no other will come.
            let has_ended = is_handing_over
                && socket.phase() == ConnectionPhase::Fresh
                && tokio::select! {
                    _ = http.as_mut() => true,
                    _ = timeout(PENDING_REPLY, begun(&socket)) => false,
                };
            if !has_ended {
                http.as_mut().graceful_shutdown();
                finish_reply(&socket, http, is_handing_over).await;
            }
            // Only such an end tells a client of TLS that nothing is missing. Where the client goes on with the next program,
            // it must not find the connection broken by a request that was on its way.
            let farewell = async {
                match is_handing_over {
                    true => close(&socket, &limits).await,
                    false => _ = socket.close_write().await,
                }
            };
            let _ = timeout(FAREWELL, farewell).await;
        }
    }
    None
}

/// Returns when the client has taken too long over what it is doing.
async fn overdue(socket: &Socket, limits: &Limits) {
    loop {
        let end = deadline(socket, limits);
        let expired = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = socket.changed() => (),
            () = expired => {
                // Progress that nobody was told of moves the deadline.
                if deadline(socket, limits).is_some_and(|end| end <= Instant::now()) {
                    return;
                }
            }
        }
    }
}

fn deadline(socket: &Socket, limits: &Limits) -> Option<Instant> {
    let phase = match socket.phase() {
        ConnectionPhase::Fresh | ConnectionPhase::Head => Some(socket.since() + limits.head),
        ConnectionPhase::Idle => Some(socket.since() + limits.idle),
        // The body of a request has time limits of its own.
        ConnectionPhase::Arriving | ConnectionPhase::Handling | ConnectionPhase::Replying => None,
        ConnectionPhase::Streaming | ConnectionPhase::Leaving => return None,
    };
    let write = socket.blocked().map(|blocked| blocked + limits.reply);
    phase.into_iter().chain(write).min()
}

/// Closes a connection in a way that lets the client read the last reply even while it is still sending: a plain close
/// with unread input would destroy what is on its way.
async fn close(socket: &Socket, limits: &Limits) {
    if !socket.has_ended() && socket.close_write().await.is_ok() {
        let _ = timeout(limits.linger, socket.discard(LINGER_BYTES)).await;
    }
}

/// Returns when the client has begun its first request.
async fn begun(socket: &Socket) {
    while socket.phase() == ConnectionPhase::Fresh {
        socket.changed().await;
    }
}

/// Lets a reply that is already known reach the client, for a bounded time. Where another program goes on, it lets a client that has
/// begun its request get to its reply as well: it has been let in, and cannot be handed over any more.
async fn finish_reply<H: Future>(socket: &Socket, mut http: Pin<&mut H>, is_handing_over: bool) {
    tokio::select! {
        _ = &mut http => return,
        () = sleep(PENDING_CALL) => (),
    }
    let begins = is_handing_over && matches!(socket.phase(), ConnectionPhase::Head | ConnectionPhase::Arriving);
    if begins || socket.phase() == ConnectionPhase::Replying || socket.blocked().is_some() {
        let _ = timeout(PENDING_REPLY, http).await;
    }
}
