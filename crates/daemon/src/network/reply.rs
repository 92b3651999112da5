//! What is answered: a status, headers in a fixed order, and a body that is whole or grows.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER};
use hyper::{Response, StatusCode};

use crate::memory_budget::Reservation;
use crate::network::socket::{ConnectionPhase, Socket};

/// What the original's HTTP library called itself. Kept, because clients may tell by it whom they talk to.
const SERVER_NAME: HeaderValue = HeaderValue::from_static("Medusa/1.12");

/// A reply on its way to the client.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers after `Server` and `Date`, in the order they are sent.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub content: ReplyContent,
    /// The memory the body takes, where it can be large.
    pub reservation: Option<Reservation>,
}

/// A body without an end.
pub trait Pieces {
    /// The next piece. An error breaks the connection off.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>>;
}

impl std::fmt::Debug for dyn Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").finish_non_exhaustive()
    }
}

/// The body of a reply.
#[derive(Debug)]
pub enum ReplyContent {
    /// All of it.
    Whole(Bytes),
    /// All of it, in pieces that are made when they are sent.
    Generated(GeneratedBody),
    /// Pieces as they come.
    Pieces(Box<dyn Pieces>),
}

impl ReplyContent {
    /// How many bytes are still to come, where that is known.
    fn length(&self) -> Option<usize> {
        match self {
            ReplyContent::Whole(body) => Some(body.len()),
            ReplyContent::Generated(written) => Some(written.left),
            ReplyContent::Pieces(_) => None,
        }
    }
}

/// A body that is made while it is sent.
pub struct GeneratedBody {
    /// How many bytes are still to come.
    left: usize,
    pieces: Box<dyn Iterator<Item = Bytes>>,
}

impl std::fmt::Debug for GeneratedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Why a body ends before its end: the plane stops, or the source failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the reply ends early")
    }
}

impl std::error::Error for Broken {}

impl Reply {
    /// A reply with a whole body and no headers yet.
    pub fn whole(status: StatusCode, body: impl Into<Bytes>) -> Reply {
        Reply { status, headers: Vec::new(), content: ReplyContent::Whole(body.into()), reservation: None }
    }

    /// A reply with a body of so many bytes, in pieces that are made when they are sent, and no headers yet.
    pub fn written(status: StatusCode, length: usize, pieces: impl Iterator<Item = Bytes> + 'static) -> Reply {
        let content = ReplyContent::Generated(GeneratedBody { left: length, pieces: Box::new(pieces) });
        Reply { status, headers: Vec::new(), content, reservation: None }
    }

    /// The page that goes with a status, in the shape of the original's error pages.
    pub fn error(status: StatusCode) -> Reply {
        let (code, message) = (status.as_u16(), status.canonical_reason().unwrap_or("Unknown"));
        let body = format!(
            "<head>\r\n<title>Error response</title>\r\n</head>\r\n<body>\r\n<h1>Error response</h1>\r\n\
             <p>Error code {code}.\r\n<p>Message: {message}.\r\n</body>\r\n"
        );
        Reply::whole(status, body).length().text(CONTENT_TYPE, "text/html")
    }

    /// Adds a header. A value that cannot be sent as one is left out with its header.
    pub fn text(mut self, name: HeaderName, value: impl AsRef<str>) -> Reply {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((name, value));
        }
        self
    }

    /// Adds the length of a whole body.
    pub fn length(mut self) -> Reply {
        if let Some(length) = self.content.length() {
            self.headers.push((CONTENT_LENGTH, HeaderValue::from(length)));
        }
        self
    }

    /// Holds the memory of the body until the client has taken it.
    pub fn within(mut self, reservation: Reservation) -> Reply {
        self.reservation = Some(reservation);
        self
    }

    /// Says to a client of HTTP/1.0 that the connection is kept as it asked, in the spelling of the original. Without a
    /// length it cannot be kept.
    pub fn keeping(mut self) -> Reply {
        if self.headers.iter().any(|(name, _)| name == CONTENT_LENGTH) {
            self.headers.push((CONNECTION, HeaderValue::from_static("Keep-Alive")));
        }
        self
    }

    /// Closes the connection after the reply.
    pub fn closing(mut self) -> Reply {
        self.headers.insert(0, (CONNECTION, HeaderValue::from_static("close")));
        self
    }

    /// Whether the connection is closed after it.
    pub fn is_closing(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == CONNECTION)
    }

    /// The size of the reply as access lines count it: status line, headers, and the body where it is whole.
    pub fn size(&self) -> usize {
        let reason = self.status.canonical_reason().map_or(0, str::len);
        let line = "HTTP/1.1 200 \r\n".len() + reason;
        let fixed = "Server: Medusa/1.12\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n".len();
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
        line + fixed + headers.sum::<usize>() + self.content.length().unwrap_or(0)
    }

    /// The reply in the form the HTTP library takes. `socket` learns how far it has got.
    pub fn into_response(self, socket: Rc<Socket>) -> Response<ReplyBody> {
        socket.enter(match self.content {
            ReplyContent::Whole(_) | ReplyContent::Generated(_) => ConnectionPhase::Replying,
            ReplyContent::Pieces(_) => ConnectionPhase::Streaming,
        });
        let mut response =
            Response::new(ReplyBody { content: Some(self.content), reservation: self.reservation, socket });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(SERVER, SERVER_NAME);
        if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
            headers.insert(DATE, date);
        }
        headers.extend(self.headers);
        response
    }
}

/// A body as the HTTP library pulls it.
pub struct ReplyBody {
    content: Option<ReplyContent>,
    reservation: Option<Reservation>,
    socket: Rc<Socket>,
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        self.socket.enter(ConnectionPhase::Idle);
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.content {
            Some(ReplyContent::Pieces(pieces)) => pieces.poll_piece(cx).map(|piece| Some(piece.map(Frame::data))),
            Some(ReplyContent::Generated(written)) => {
                let piece = written.pieces.next();
                written.left = written.left.saturating_sub(piece.as_ref().map_or(written.left, Bytes::len));
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            _ => match self.content.take() {
                Some(ReplyContent::Whole(body)) if !body.is_empty() => {
                    if let Some(reservation) = self.reservation.take() {
                        self.socket.hold_until_sent(reservation);
                    }
                    Poll::Ready(Some(Ok(Frame::data(body))))
                }
                _ => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.as_ref().is_none_or(|content| content.length() == Some(0))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            None => SizeHint::with_exact(0),
            Some(content) => content.length().map_or_else(SizeHint::default, |left| SizeHint::with_exact(left as u64)),
        }
    }
}
