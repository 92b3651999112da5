//! The JSON API of the daemon beside an agent.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::server_sent::{ServerSentDecoder, ServerSentEvent};
use crate::subjects::FleetRole;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;
/// How long a daemon may take to answer what it answers at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaemonAddress {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A host and a port.
    Inet(String, u16),
}

/// A daemon that can be asked.
#[derive(Clone, Debug)]
pub struct DaemonLink {
    address: DaemonAddress,
    /// What proves each role; where there is none for any, the system tells the daemon who asks.
    tokens: BTreeMap<FleetRole, String>,
}

/// A request that has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaemonFailure {
    /// The daemon has not got the request.
    Unreachable(String),
    /// The daemon may have got it; the answer is missing.
    Broken(String),
    /// The daemon refuses.
    Refused(u16, String),
    /// There is no token for this role.
    NoToken(FleetRole),
}

/// An open stream of events.
pub struct DaemonEvents {
    body: Incoming,
    decoder: ServerSentDecoder,
    ready: std::collections::VecDeque<ServerSentEvent>,
}

impl std::str::FromStr for DaemonAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<DaemonAddress, String> {
        if let Some(path) = text.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            return Ok(DaemonAddress::Unix(path.into()));
        }
        let inet = text.strip_prefix("http://").and_then(|rest| {
            let (host, port) = rest.trim_end_matches('/').rsplit_once(':')?;
            Some(DaemonAddress::Inet(host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
        });
        inet.ok_or_else(|| format!("{text:?} is no address of a daemon: write unix:///PATH or http://HOST:PORT"))
    }
}

impl std::fmt::Display for DaemonFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DaemonFailure::Unreachable(text) => write!(f, "the daemon cannot be reached: {text}"),
            DaemonFailure::Broken(text) => write!(f, "the daemon did not answer: {text}"),
            DaemonFailure::Refused(_, detail) => f.write_str(detail),
            DaemonFailure::NoToken(role) => {
                write!(f, "the agent has no token for the role {} (--token {}=FILE)", role.word(), role.word())
            }
        }
    }
}

impl DaemonLink {
    /// A daemon at an address, with a token for each role.
    pub fn new(address: DaemonAddress, tokens: BTreeMap<FleetRole, String>) -> DaemonLink {
        DaemonLink { address, tokens }
    }

    /// What a path answers.
    pub async fn get(&self, path: &str) -> Result<Value, DaemonFailure> {
        self.get_as(FleetRole::Viewer, path).await
    }

    /// What a path answers to this role.
    pub async fn get_as(&self, role: FleetRole, path: &str) -> Result<Value, DaemonFailure> {
        let (_, body) = self.read_as(role, path).await?;
        serde_json::from_slice(&body).map_err(|error| DaemonFailure::Broken(error.to_string()))
    }

    /// Whether a path answers in this time.
    pub async fn answers_within(&self, limit: Duration, path: &str) -> Result<(), DaemonFailure> {
        self.read_within(limit, FleetRole::Viewer, path).await.map(drop)
    }

    /// The headers and the body that a path answers.
    pub async fn read(&self, path: &str) -> Result<(HeaderMap, Bytes), DaemonFailure> {
        self.read_as(FleetRole::Viewer, path).await
    }

    async fn read_as(&self, role: FleetRole, path: &str) -> Result<(HeaderMap, Bytes), DaemonFailure> {
        self.read_within(ANSWER_WITHIN, role, path).await
    }

    async fn read_within(
        &self,
        limit: Duration,
        role: FleetRole,
        path: &str,
    ) -> Result<(HeaderMap, Bytes), DaemonFailure> {
        let request = self.request(role, Method::GET, path, &[], Bytes::new())?;
        within(limit, async { whole(self.send(request).await?).await }).await
    }

    /// Has the daemon do something for somebody. `sent` is told when the request has been sent, and dropped if it cannot be.
    pub async fn act(
        &self,
        role: FleetRole,
        person: &str,
        path: &str,
        body: &Value,
        limit: Duration,
        sent: oneshot::Sender<()>,
    ) -> Result<Value, DaemonFailure> {
        let headers = [("on-behalf-of", person), (CONTENT_TYPE.as_str(), "application/json")];
        let request = self.request(role, Method::POST, path, &headers, body.to_string().into())?;
        let request = request.map(|body| ToldBody { body, sent: Some(sent) });
        let (_, body) = within(limit, async { whole(self.send(request).await?).await }).await?;
        serde_json::from_slice(&body).map_err(|error| DaemonFailure::Broken(error.to_string()))
    }

    /// A stream that goes on behind the event with this id.
    pub async fn stream(&self, path: &str, after: Option<&str>) -> Result<DaemonEvents, DaemonFailure> {
        let mut headers = vec![(ACCEPT.as_str(), "text/event-stream")];
        headers.extend(after.map(|id| ("last-event-id", id)));
        let request = self.request(FleetRole::Viewer, Method::GET, path, &headers, Bytes::new())?;
        let response = within(ANSWER_WITHIN, async { accepted(self.send(request).await?).await }).await?;
        Ok(DaemonEvents { body: response.into_body(), decoder: ServerSentDecoder::default(), ready: [].into() })
    }

    fn request(
        &self,
        role: FleetRole,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, DaemonFailure> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(USER_AGENT, concat!("supervisor-fleet/", env!("CARGO_PKG_VERSION")));
        // Who has more may read, too.
        let token = self.tokens.range(role..).next().filter(|(has, _)| **has == role || role == FleetRole::Viewer);
        match token {
            Some((_, token)) => request = request.header(AUTHORIZATION, format!("Bearer {token}")),
            None if self.tokens.is_empty() => {}
            None => return Err(DaemonFailure::NoToken(role)),
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body)).map_err(|error| DaemonFailure::Unreachable(error.to_string()))
    }

    async fn send<B: RequestBody>(&self, request: Request<B>) -> Result<Response<Incoming>, DaemonFailure> {
        let unreachable = |error: std::io::Error| DaemonFailure::Unreachable(error.to_string());
        match &self.address {
            DaemonAddress::Unix(path) => exchange(UnixStream::connect(path).await.map_err(unreachable)?, request).await,
            DaemonAddress::Inet(host, port) => {
                exchange(TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?, request).await
            }
        }
    }
}

/// What can be sent with a request.
pub trait RequestBody: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static> RequestBody for B {}

/// A body that tells when the connection has taken it, and writes it.
struct ToldBody {
    body: Full<Bytes>,
    sent: Option<oneshot::Sender<()>>,
}

impl Body for ToldBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let told = self.get_mut();
        let frame = ready!(Pin::new(&mut told.body).poll_frame(context));
        if let Some(sent) = told.sent.take() {
            let _ = sent.send(());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl DaemonEvents {
    /// The next event; none at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<ServerSentEvent>, DaemonFailure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| DaemonFailure::Broken(error.to_string()))?;
            if let Ok(piece) = frame.into_data() {
                let events = self.decoder.push(&piece);
                self.ready.extend(events.map_err(|_| DaemonFailure::Broken("an event is too long".to_owned()))?);
            }
        }
    }

    /// Those that have come already, without waiting.
    pub fn take_ready(&mut self) -> Option<ServerSentEvent> {
        self.ready.pop_front()
    }
}

/// Sends one request over a connection of its own.
pub async fn exchange<S, B>(socket: S, request: Request<B>) -> Result<Response<Incoming>, DaemonFailure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: RequestBody,
{
    let broken = |error: hyper::Error| DaemonFailure::Broken(error.to_string());
    let mut http = http1::Builder::new();
    http.max_buf_size(64 << 10);
    let (mut requests, connection) = http.handshake(TokioIo::new(socket)).await.map_err(broken)?;
    // It ends with the request; an error reaches whoever waits for the answer.
    tokio::spawn(async move { drop(connection.await) });
    requests.send_request(request).await.map_err(broken)
}

async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, DaemonFailure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = Limited::new(response.into_body(), 64 << 10).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let told = |member: &str| problem.get(member).and_then(Value::as_str);
    let detail = told("detail").or_else(|| told("title")).map_or_else(|| status.to_string(), str::to_owned);
    Err(DaemonFailure::Refused(status.as_u16(), detail))
}

async fn whole(response: Response<Incoming>) -> Result<(HeaderMap, Bytes), DaemonFailure> {
    let response = accepted(response).await?;
    let headers = response.headers().clone();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    Ok((headers, body.map_err(|error| DaemonFailure::Broken(error.to_string()))?.to_bytes()))
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, DaemonFailure>>) -> Result<T, DaemonFailure> {
    let late = || DaemonFailure::Broken(format!("no answer within {} s", limit.as_secs()));
    timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

/// A text as a part of a path or a query.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'_' | b'a'..=b'z' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_or_a_port() {
        assert_eq!("unix:///run/s.sock".parse(), Ok(DaemonAddress::Unix("/run/s.sock".into())));
        assert_eq!("http://[::1]:9001/".parse(), Ok(DaemonAddress::Inet("::1".to_owned(), 9001)));
        for text in ["", "unix://x", "http://h", "https://h:1", "x"] {
            assert!(text.parse::<DaemonAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_role_without_a_token_is_not_given_another_ones() {
        let link = |roles: &[FleetRole]| {
            let tokens = roles.iter().map(|role| (*role, role.word().to_owned())).collect();
            DaemonLink::new(DaemonAddress::Unix("/x".into()), tokens)
        };
        let token = |link: &DaemonLink, role| {
            let request = link.request(role, Method::GET, "/", &[], Bytes::new())?;
            Ok(request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default().to_owned()))
        };
        let operator = link(&[FleetRole::Operator]);
        assert_eq!(token(&operator, FleetRole::Operator), Ok(Some("Bearer operator".to_owned())));
        assert_eq!(token(&operator, FleetRole::Viewer), Ok(Some("Bearer operator".to_owned())));
        assert_eq!(token(&operator, FleetRole::Admin), Err(DaemonFailure::NoToken(FleetRole::Admin)));
        let admin = link(&[FleetRole::Viewer, FleetRole::Admin]);
        assert_eq!(token(&admin, FleetRole::Operator), Err(DaemonFailure::NoToken(FleetRole::Operator)));
        assert_eq!(token(&link(&[]), FleetRole::Admin), Ok(None));
    }
}
