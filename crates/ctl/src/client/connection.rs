//! One HTTP/1.1 connection with a runtime of its own, so that callers can block.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::task::Poll;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder as Http1, SendRequest};
use hyper::ext::ReasonPhrase;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use supervisord_config::client::ClientTls;
use supervisord_sys::socket::refuse_self_connection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};

use super::credentials::Credentials;
use super::error::ClientError;
use super::problem::problem;
use super::timeout::Wait;
use super::tls;
use super::url::{Endpoint, ServerUrl};

/// The longest answer that a client keeps in memory, in bytes: a response may carry a whole log file.
const MAX_RESPONSE_BYTES: usize = 256 << 20;

/// The size of one read, in bytes: small enough for the processor's cache.
const READ_AT_ONCE: usize = 64 << 10;

/// An open connection and the runtime of its I/O.
pub(super) struct Connection {
    runtime: Runtime,
    requests: SendRequest<Full<Bytes>>,
    io: ConnectionIo,
}

/// The reading and writing of a connection. It is no task of its own, so that what arrives reaches whoever waits for it in the
/// same turn, and the runtime need not look for more to do in between.
pub(super) struct ConnectionIo {
    /// `None` after the end of the connection.
    http: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl ConnectionIo {
    /// Reads and writes until `work`, which waits for this connection, is done.
    pub(super) async fn until<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            // It may ask for something that can be read now.
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if let Some(http) = &mut self.http
                && http.as_mut().poll(cx).is_ready()
            {
                self.http = None;
            }
            work.as_mut().poll(cx)
        })
        .await
    }
}

/// The body of an answer that is read chunk by chunk, with its connection.
pub(super) struct OpenBody {
    pub(super) headers: HeaderMap,
    pub(super) runtime: Runtime,
    pub(super) io: ConnectionIo,
    pub(super) body: Incoming,
}

impl Connection {
    /// Connects, trying every address of a host name. Connecting can block, because the backlog of a stopped daemon
    /// fills up.
    pub(super) fn open(url: &ServerUrl, tls: &ClientTls, wait: &mut Wait) -> Result<Connection, ClientError> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(ClientError::Io)?;
        let (requests, io) = match url.endpoint().clone() {
            Endpoint::Unix { path } => {
                let connect = move || UnixStream::connect(path).map_err(ClientError::Connect);
                let socket = wait.run_blocking(connect)?;
                socket.set_nonblocking(true).map_err(ClientError::Io)?;
                runtime.block_on(async {
                    start(tokio::net::UnixStream::from_std(socket).map_err(ClientError::Io)?).await
                })?
            }
            Endpoint::Inet { host, port } => {
                let name = host.clone();
                let socket = wait.run_blocking(move || connect_tcp(&name, port))?;
                socket.set_nodelay(true).map_err(ClientError::Io)?;
                socket.set_nonblocking(true).map_err(ClientError::Io)?;
                runtime.block_on(async {
                    let socket = tokio::net::TcpStream::from_std(socket).map_err(ClientError::Io)?;
                    match url.is_secure() {
                        true => start(wait.run(tls::secure(socket, &host, tls)).await?).await,
                        false => start(socket).await,
                    }
                })?
            }
        };
        Ok(Connection { runtime, requests, io })
    }

    /// Whether the next request can use this connection: the daemon may have closed it.
    pub(super) fn is_usable(&mut self) -> bool {
        let Connection { runtime, requests, io } = self;
        runtime.block_on(async {
            // The runtime learns from the system whether the socket was closed, the next turn notices it.
            tokio::task::yield_now().await;
            io.until(tokio::task::yield_now()).await;
            io.until(requests.ready()).await.is_ok()
        })
    }

    /// Sends a request and passes on the body of a 200 answer in chunks.
    pub(super) fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        wait: &mut Wait,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), ClientError> {
        let Connection { runtime, requests, io } = self;
        runtime.block_on(wait.run(io.until(async {
            let response = requests.send_request(request).await.map_err(broken)?;
            if let Some(refused) = problem(&response) {
                return Err(refused.read(response.into_body()).await);
            }
            let mut body = accepted(response)?;
            let mut length = 0;
            // Each chunk is freed before the next one is read.
            while let Some(frame) = body.frame().await {
                let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
                length += piece.len();
                if length > MAX_RESPONSE_BYTES {
                    return Err(ClientError::TooLong(MAX_RESPONSE_BYTES));
                }
                take(&piece);
            }
            Ok(())
        })))
    }

    /// Sends a request and returns the body of a 200 answer unread.
    pub(super) fn open_body(self, request: Request<Full<Bytes>>, wait: &mut Wait) -> Result<OpenBody, ClientError> {
        let Connection { runtime, mut requests, mut io } = self;
        let head = async { requests.send_request(request).await.map_err(broken) };
        let response = runtime.block_on(wait.run(io.until(head)))?;
        let headers = response.headers().clone();
        Ok(OpenBody { headers, runtime, io, body: accepted(response)? })
    }
}

/// A request with the original's headers, and with Basic credentials if there are any.
pub(super) fn request(
    url: &ServerUrl,
    credentials: Option<&Credentials>,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, ClientError> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, url.host_header())
        .header(USER_AGENT, concat!("supervisorctl/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "text/xml");
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "text/xml");
    }
    if let Some(Credentials { username, password }) = credentials {
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
        let value = HeaderValue::try_from(format!("Basic {token}")).map_err(|error| not_http(&error))?;
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Full::new(body)).map_err(|error| not_http(&error))
}

async fn start<S>(socket: S) -> Result<(SendRequest<Full<Bytes>>, ConnectionIo), ClientError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut http = Http1::new();
    http.read_buf_exact_size(Some(READ_AT_ONCE));
    let (requests, connection) = http.handshake(TokioIo::new(socket)).await.map_err(broken)?;
    // The request that an error interrupts reports that error to the caller.
    let http = Box::pin(async move { drop(connection.await) });
    Ok((requests, ConnectionIo { http: Some(http) }))
}

fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let addresses = (host, port).to_socket_addrs().map_err(resolution)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).and_then(|socket| refuse_self_connection(&socket).map(|()| socket)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(ClientError::Connect(last))
}

fn resolution(error: io::Error) -> ClientError {
    let text = error.to_string();
    ClientError::Resolve(text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned())
}

fn accepted(response: Response<Incoming>) -> Result<Incoming, ClientError> {
    let status = response.status();
    if status.as_u16() == 200 {
        return Ok(response.into_body());
    }
    let sent = response.extensions().get::<ReasonPhrase>();
    let reason = sent.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
    let reason = reason.or_else(|| status.canonical_reason().map(str::to_owned)).unwrap_or_default();
    Err(ClientError::Status { code: status.as_u16(), reason })
}

fn not_http(error: &dyn std::error::Error) -> ClientError {
    ClientError::Http(error.to_string())
}

/// The cause of hyper's error: the socket's error if there is one.
pub(super) fn broken(error: hyper::Error) -> ClientError {
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return ClientError::Closed;
    }
    match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => ClientError::Io(copy(cause)),
        None => not_http(&error),
    }
}

/// `io::Error` is not `Clone`; this copies the error number, or else kind and text.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
