//! Logs that are sent as they grow, until the client has had enough.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS};
use supervisord_core::actor::Actor;
use supervisord_core::call::{Reason, Refusal};
use supervisord_core::output::Channel;
use tokio::sync::Notify;

use crate::api::Api;
use crate::blocking::{BlockingThreads, NotDone};
use crate::follow::{Change, FollowHub, Subscription};
use crate::network::reply::{Broken, Reply, ReplyContent};
use crate::network::route::decode;
use crate::network::socket::Socket;
use crate::network::streams::{StreamSource, Streams};

mod follower;

use follower::{FollowStep, Follower};

/// What a client sees where the file was emptied in place.
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// Tells reverse proxies not to hold back what has come so far.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What is needed to follow logs.
pub struct LogStreams {
    /// Where they are.
    pub api: Arc<Api>,
    /// Tells when they grow.
    pub follow: Arc<FollowHub>,
    /// How they are sent.
    pub streams: Rc<Streams>,
}

impl LogStreams {
    /// Follows the log of the process that a decoded `/logtail/NAME[/CHANNEL]` names.
    pub async fn process(&self, actor: &Actor, socket: &Rc<Socket>, path: &str) -> Reply {
        match named_log(&self.api, actor, path) {
            Err(refusal) => refused(&refusal),
            Ok(None) => Reply::error(StatusCode::NOT_FOUND),
            Ok(Some(log)) => self.follow(socket, log).await,
        }
    }

    /// Follows the activity log.
    pub async fn main(&self, actor: &Actor, socket: &Rc<Socket>) -> Reply {
        match self.api.activity_file(actor) {
            Err(refusal) => refused(&refusal),
            Ok(None) => Reply::error(StatusCode::NOT_FOUND),
            Ok(Some(log)) => self.follow(socket, log.to_owned()).await,
        }
    }

    async fn follow(&self, socket: &Rc<Socket>, log: String) -> Reply {
        let Some(slot) = self.streams.slot() else { return Reply::error(StatusCode::SERVICE_UNAVAILABLE) };
        // Before the file is opened, so that no change in between goes unnoticed.
        let changes = Changes::of(&self.follow, &log);
        match self.api.blocking.run(move || Follower::open(&log)).await {
            Ok(Ok((follower, modified))) => head(
                slot.start(FollowedLog::new(follower, changes, self.api.blocking.clone()), socket.clone()),
                modified,
            ),
            Err(NotDone::NoThread) => Reply::error(StatusCode::SERVICE_UNAVAILABLE),
            Ok(Err(_)) | Err(NotDone::Ended) => Reply::error(StatusCode::NOT_FOUND),
        }
    }
}

fn named_log(api: &Api, actor: &Actor, path: &str) -> Result<Option<String>, Refusal> {
    // The original decodes a second time, and clients may have got used to encoding twice.
    let mut parts = path.split('/').skip(2).map(decode);
    let name = parts.next().unwrap_or_default();
    let channel = parts.next().map_or(Some(Channel::Stdout), |name| Channel::from_name(&name));
    match (channel, parts.next()) {
        (Some(channel), None) => api.process_log(actor, &name, channel),
        _ => Ok(None),
    }
}

/// A refusal as a client that follows a log sees it.
fn refused(refusal: &Refusal) -> Reply {
    Reply::error(match refusal.reason {
        Reason::NotPermitted => StatusCode::FORBIDDEN,
        _ => StatusCode::NOT_FOUND,
    })
}

fn head(content: ReplyContent, modified: SystemTime) -> Reply {
    Reply { status: StatusCode::OK, headers: Vec::new(), content, reservation: None }
        .text(LAST_MODIFIED, httpdate::fmt_http_date(modified))
        .text(CONTENT_TYPE, "text/plain;charset=utf-8")
        .text(ACCEL_BUFFERING, "no")
        // A log may hold what a program was sent by strangers; no browser is to take it for a page.
        .text(X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// Changes of a log, from its first moment on.
struct Changes {
    state: Arc<ChangeState>,
    _subscription: Subscription,
}

#[derive(Default)]
struct ChangeState {
    any: Notify,
    is_replaced: AtomicBool,
}

impl Changes {
    fn of(hub: &Arc<FollowHub>, log: &str) -> Changes {
        let state = Arc::new(ChangeState::default());
        let noted = state.clone();
        let subscription = hub.subscribe(
            log,
            Arc::new(move |change| {
                if change == Change::Replaced {
                    noted.is_replaced.store(true, Ordering::SeqCst);
                }
                noted.any.notify_one();
            }),
        );
        Changes { state, _subscription: subscription }
    }
}

/// A log that one client follows.
struct FollowedLog {
    /// `None` while another thread has it.
    follower: Option<Follower>,
    changes: Changes,
    blocking: BlockingThreads,
    scope: Scope,
}

/// How much of a log has to be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The end of the file: it has grown, as far as is known.
    End,
    /// The end of the file, of which a part was read since it changed last.
    Rest,
    /// Nothing: everything was read that was there when it changed last.
    Nothing,
    /// Everything: the file may have been replaced or emptied.
    All,
}

impl FollowedLog {
    fn new(follower: Follower, changes: Changes, blocking: BlockingThreads) -> FollowedLog {
        FollowedLog { follower: Some(follower), changes, blocking, scope: Scope::All }
    }

    /// What can be read without waiting for a disk, on this thread; `None` if only a full check can tell.
    fn read_cached(&mut self) -> Option<Bytes> {
        if self.scope == Scope::Nothing {
            return Some(Bytes::new());
        }
        let (bytes, is_at_end) = self.follower.as_mut()?.read_cached()?;
        if bytes.is_empty() && self.scope == Scope::End {
            // It is said to have grown: it may have been emptied before.
            return None;
        }
        self.scope = if is_at_end { Scope::Nothing } else { Scope::Rest };
        Some(bytes)
    }

    async fn check(&mut self) -> Result<FollowStep, Broken> {
        let mut follower = self.follower.take().ok_or(Broken)?;
        let checked = self.blocking.run(move || {
            let step = follower.next();
            (follower, step)
        });
        let (follower, step) = checked.await.map_err(|_| Broken)?;
        self.follower = Some(follower);
        step.map_err(|_| Broken)
    }
}

impl StreamSource for FollowedLog {
    async fn read(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.changes.state.is_replaced.swap(false, Ordering::SeqCst) {
            self.scope = Scope::All;
        }
        if self.scope != Scope::All
            && let Some(bytes) = self.read_cached()
        {
            return Ok((!bytes.is_empty()).then_some(bytes));
        }
        self.scope = Scope::All;
        Ok(match self.check().await? {
            FollowStep::Piece(bytes) => Some(bytes),
            FollowStep::Truncated => Some(Bytes::from_static(TRUNCATED)),
            FollowStep::AtEnd => None,
        })
    }

    async fn changed(&mut self) {
        self.changes.state.any.notified().await;
        self.scope = Scope::End;
    }

    fn recheck(&mut self) {
        self.scope = Scope::All;
    }
}
