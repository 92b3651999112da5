//! Logs that are sent as they grow, until the client has had enough.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS};
use supervisord_core::output::Channel;
use supervisord_wire::name::Namespec;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::api::Api;
use crate::blocking::{BlockingThreads, NotDone};
use crate::follow::{FollowHub, Subscription};
use crate::network::reply::{Broken, Content, Reply};
use crate::network::route::decode;
use crate::network::socket::Socket;
use crate::network::state::PlaneState;

mod follower;

use follower::{Follower, Step};

/// How often a followed log is looked at although nobody said that it changed: others may write to it too. This is
/// also how soon a client that left a quiet log is noticed.
const LOOK: Duration = Duration::from_secs(1);

/// What a client sees where the file was emptied in place.
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// Tells reverse proxies not to hold back what has come so far.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What is needed to follow logs.
pub struct Logs {
    /// Where they are.
    pub api: Arc<Api>,
    /// Tells when they grow.
    pub follow: Arc<FollowHub>,
    /// How many more may be followed.
    pub streams: Arc<Semaphore>,
    /// Whether the plane ends.
    pub state: watch::Receiver<PlaneState>,
}

impl Logs {
    /// Follows the log of the process that a decoded `/logtail/NAME[/CHANNEL]` names.
    pub async fn process(&self, socket: &Rc<Socket>, path: &str) -> Reply {
        match named_log(&self.api, path) {
            None => Reply::error(StatusCode::NOT_FOUND),
            Some(log) => self.follow(socket, log).await,
        }
    }

    /// Follows the activity log.
    pub async fn main(&self, socket: &Rc<Socket>) -> Reply {
        match self.api.activity_file.clone() {
            None => Reply::error(StatusCode::NOT_FOUND),
            Some(log) => self.follow(socket, log).await,
        }
    }

    async fn follow(&self, socket: &Rc<Socket>, log: String) -> Reply {
        let Ok(permit) = self.streams.clone().try_acquire_owned() else {
            return Reply::error(StatusCode::SERVICE_UNAVAILABLE);
        };
        let grown = Arc::new(Notify::new());
        // Before the file is opened, so that nothing can be written unnoticed in between.
        let subscription = self.follow.subscribe(&log, {
            let grown = grown.clone();
            Arc::new(move || grown.notify_one())
        });
        let opened = self.api.blocking.run(move || Follower::open(&log)).await;
        let (follower, modified) = match opened {
            Ok(Ok(opened)) => opened,
            Err(NotDone::NoThread) => return Reply::error(StatusCode::SERVICE_UNAVAILABLE),
            Ok(Err(_)) | Err(NotDone::Ended) => return Reply::error(StatusCode::NOT_FOUND),
        };
        // One piece waits while another is being sent; the file is read no further than the client follows.
        let (pieces, content) = mpsc::channel(1);
        let blocking = self.api.blocking.clone();
        let stream =
            Stream { blocking, pieces, socket: socket.clone(), grown, _subscription: subscription, _permit: permit };
        spawn_local(stream.run(follower, self.state.clone()));
        head(content, modified)
    }
}

fn named_log(api: &Api, path: &str) -> Option<String> {
    // The original decodes a second time, and clients may have got used to encoding twice.
    let mut parts = path.split('/').skip(2).map(decode);
    let name = Namespec::parse(&parts.next()?);
    let row = api.view.row(&name.group, &name.process?)?;
    let channel = parts.next().map_or(Some(Channel::Stdout), |name| Channel::from_name(&name))?;
    if parts.next().is_some() {
        return None;
    }
    match channel {
        Channel::Stdout => row.stdout_logfile.clone(),
        Channel::Stderr => row.stderr_logfile.clone(),
    }
}

fn head(content: mpsc::Receiver<Result<Bytes, Broken>>, modified: SystemTime) -> Reply {
    let reply =
        Reply { status: StatusCode::OK, headers: Vec::new(), content: Content::Pieces(content), reservation: None };
    reply
        .text(LAST_MODIFIED, httpdate::fmt_http_date(modified))
        .text(CONTENT_TYPE, "text/plain;charset=utf-8")
        .text(ACCEL_BUFFERING, "no")
        // A log may hold what a program was sent by strangers; no browser is to take it for a page.
        .text(X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// One client following one log.
struct Stream {
    blocking: BlockingThreads,
    pieces: mpsc::Sender<Result<Bytes, Broken>>,
    socket: Rc<Socket>,
    grown: Arc<Notify>,
    _subscription: Subscription,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    /// Sends until the client leaves, the file can no longer be read, or the plane stops. The last two are breaks:
    /// the end of the log they are not.
    async fn run(self, mut follower: Follower, mut state: watch::Receiver<PlaneState>) {
        let end = async {
            loop {
                let step;
                (follower, step) = look(&self.blocking, follower).await?;
                match step {
                    Step::Piece(bytes) => self.send(bytes.into()).await?,
                    Step::Truncated => self.send(Bytes::from_static(TRUNCATED)).await?,
                    Step::AtEnd => self.wait().await?,
                }
            }
        };
        let end: Result<std::convert::Infallible, End> = tokio::select! {
            end = end => end,
            () = self.pieces.closed() => return,
            _ = state.wait_for(PlaneState::is_ending) => Err(End::Broken),
        };
        if let Err(End::Broken) = end {
            let _ = self.pieces.send(Err(Broken)).await;
        }
    }

    async fn send(&self, piece: Bytes) -> Result<(), End> {
        self.pieces.send(Ok(piece)).await.map_err(|_| End::Left)
    }

    /// Waits until the log may have changed.
    async fn wait(&self) -> Result<(), End> {
        tokio::select! {
            () = self.grown.notified() => Ok(()),
            () = sleep(LOOK) => match self.socket.is_hung_up() {
                // The HTTP library does not look for the end of a client that has sent something after its request,
                // and supervisorctl does: an empty line.
                true => Err(End::Broken),
                false => Ok(()),
            },
        }
    }
}

/// Why a stream ends.
enum End {
    /// The client has gone.
    Left,
    /// The connection is to be broken off.
    Broken,
}

async fn look(blocking: &BlockingThreads, mut follower: Follower) -> Result<(Follower, Step), End> {
    let looked = blocking.run(move || {
        let step: io::Result<Step> = follower.next();
        (follower, step)
    });
    match looked.await {
        Ok((follower, Ok(step))) => Ok((follower, step)),
        Ok((_, Err(_))) | Err(_) => Err(End::Broken),
    }
}
