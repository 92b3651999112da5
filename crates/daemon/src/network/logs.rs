//! Logs that are sent as they grow, until the client has had enough.

use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS};
use supervisord_core::actor::Actor;
use supervisord_core::call::{Reason, Refusal};
use supervisord_core::output::Channel;

use crate::api::{Api, LogPlace};
use crate::blocking::NotDone;
use crate::follow::FollowHub;
use crate::network::reply::{Broken, Reply, ReplyContent};
use crate::network::route::decode;
use crate::network::socket::Socket;
use crate::network::streams::{StreamSource, Streams};
use crate::rotated_log::RotatedLog;

mod download;
mod events;
mod followed;
mod followed_file;
mod follower;
mod memory_follower;
mod reader;
mod successor;

use download::Download;
use events::LogEvents;
use followed::{Changes, FollowedLog};
use follower::FollowStep;
use reader::LogReader;

pub use follower::LogPosition;

/// How much of the log that is there already is shown first to those who follow it as text.
const FIRST: u64 = 1024;

/// What a client sees where the file was emptied in place.
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

/// What a client sees where files were removed that it has not read.
const GAP: &[u8] = b"==> Rotated files were removed before they were read <==\n";

/// Tells reverse proxies not to hold back what has come so far.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where a client goes on with a log, or how many bytes before its end where that is not possible.
#[derive(Clone, Copy, Debug)]
pub enum Resume {
    /// It has not been here before.
    AtEnd(u64),
    /// It has read up to here.
    After(LogPosition, u64),
    /// It has been here before; nobody knows where.
    Elsewhere(u64),
}

/// Why a log cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfollowed {
    /// There are too many streams, or the system gives no thread.
    TooMany,
    /// There is no such file, or it cannot be read.
    NoFile,
}

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
            Ok(Some(place)) => self.follow(socket, place).await,
        }
    }

    /// Follows the activity log.
    pub async fn main(&self, actor: &Actor, socket: &Rc<Socket>) -> Reply {
        match self.api.activity_file(actor) {
            Err(refusal) => refused(&refusal),
            Ok(None) => Reply::error(StatusCode::NOT_FOUND),
            Ok(Some(path)) => {
                let log = RotatedLog { path: path.to_owned(), dates: None };
                self.follow(socket, LogPlace::File(log)).await
            }
        }
    }

    async fn follow(&self, socket: &Rc<Socket>, place: LogPlace) -> Reply {
        let Some(slot) = self.streams.slot() else { return Reply::error(StatusCode::SERVICE_UNAVAILABLE) };
        // Before the file is opened, so that no change in between goes unnoticed.
        let changes = Changes::of(&self.follow, &place.follow_name());
        match self.api.blocking.run(move || LogReader::open(&place, FIRST)).await {
            Ok(Ok((reader, modified))) => {
                let log = PlainLog(FollowedLog::new(reader, changes, self.api.blocking.clone()));
                head(slot.start(log, socket.clone()), modified)
            }
            Err(NotDone::NoThread) => Reply::error(StatusCode::SERVICE_UNAVAILABLE),
            Ok(Err(_)) | Err(NotDone::Ended) => Reply::error(StatusCode::NOT_FOUND),
        }
    }
}

impl LogStreams {
    /// A log as events from where the client goes on.
    pub async fn events(
        &self,
        socket: &Rc<Socket>,
        place: LogPlace,
        resume: Resume,
    ) -> Result<ReplyContent, Unfollowed> {
        let slot = self.streams.slot().ok_or(Unfollowed::TooMany)?;
        let changes = Changes::of(&self.follow, &place.follow_name());
        let opened = self.api.blocking.run(move || {
            let (before_end, is_back) = match resume {
                Resume::AtEnd(before_end) => (before_end, false),
                Resume::Elsewhere(before_end) => (before_end, true),
                Resume::After(position, before_end) => match LogReader::open_at(&place, position)? {
                    Some(reader) => return Ok((reader, false)),
                    None => (before_end, true),
                },
            };
            Ok::<_, std::io::Error>((LogReader::open(&place, before_end)?.0, is_back))
        });
        let (reader, is_rotated) = opened.await.map_err(unfollowed)?.map_err(|_| Unfollowed::NoFile)?;
        let position = reader.position();
        let log = FollowedLog::new(reader, changes, self.api.blocking.clone());
        Ok(slot.start(LogEvents::new(log, position, is_rotated), socket.clone()))
    }

    /// A whole log, and how many bytes it has.
    pub async fn download(&self, socket: &Rc<Socket>, log: String) -> Result<(ReplyContent, u64), Unfollowed> {
        let slot = self.streams.slot().ok_or(Unfollowed::TooMany)?;
        let blocking = self.api.blocking.clone();
        let opened = self.api.blocking.run(move || Download::open(&log, blocking)).await.map_err(unfollowed)?;
        let (download, size) = opened.map_err(|_| Unfollowed::NoFile)?;
        Ok((slot.start(download, socket.clone()), size))
    }
}

fn unfollowed(why: NotDone) -> Unfollowed {
    match why {
        NotDone::NoThread => Unfollowed::TooMany,
        NotDone::Ended => Unfollowed::NoFile,
    }
}

fn named_log(api: &Api, actor: &Actor, path: &str) -> Result<Option<LogPlace>, Refusal> {
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

/// A log as it is, with a line where it was emptied.
struct PlainLog(FollowedLog);

impl StreamSource for PlainLog {
    async fn read(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            return Ok(match self.0.step().await? {
                Some(FollowStep::Piece(bytes)) => Some(bytes),
                Some(FollowStep::Truncated) => Some(Bytes::from_static(TRUNCATED)),
                Some(FollowStep::Skipped(count)) => Some(format!("==> {count} bytes skipped <==\n").into()),
                Some(FollowStep::Gap) => Some(Bytes::from_static(GAP)),
                Some(FollowStep::Replaced) => continue,
                Some(FollowStep::AtEnd) | None => None,
            });
        }
    }

    async fn changed(&mut self) {
        self.0.changed().await;
    }

    fn recheck(&mut self) {
        self.0.recheck();
    }
}
