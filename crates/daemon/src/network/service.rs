//! One request: authentication, dispatch, and the reply with its line in the log.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use supervisord_config::model::{HttpServer, LogLevel, ServerAddress};
use supervisord_core::actor::{Actor, ClientPeer, Way};
use supervisord_core::scope::ProgramScope;
use supervisord_sys::host::node_name;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinError, JoinHandle, spawn_local};

use crate::api::Api;
use crate::audit::AuditResult;
use crate::follow::FollowHub;
use crate::memory_budget::{MemoryBudget, Reservation, is_possible};
use crate::network::access::{AccessEntry, PeerName};
use crate::network::api_v1::{Caller, ProgramTexts, Sent};
use crate::network::assets::Assets;
use crate::network::auth::{Authentication, Logins, Principal};
use crate::network::limits::Limits;
use crate::network::logs::LogStreams;
use crate::network::origin::{KnownNames, Sender};
use crate::network::reply::{Broken, Reply, ReplyBody};
use crate::network::request_body;
use crate::network::route::{self, PageRoute};
use crate::network::socket::{ConnectionPhase, Socket};
use crate::network::state::PlaneState;
use crate::network::streams::Streams;
use crate::network::web::{PageRequest, RequestKind};
use crate::network::{api_v1, assets, auth, metrics, origin, web};
use crate::xmlrpc::{Body, Document, Responder, Unanswered};

/// Why a request is refused, for the audit log.
const REBOUND: &str = "the browser asked by a name that is not known to be the server's own";
const FORGED: &str = "the request may come from a page of another site";

/// What all connections of the plane have in common.
pub struct PlaneContext {
    /// The daemon.
    pub api: Arc<Api>,
    /// The daemon, as XML-RPC shows it.
    pub xmlrpc: Arc<Responder>,
    /// What is needed to follow logs.
    pub logs: LogStreams,
    /// Time and size limits.
    pub limits: Limits,
    /// The programs as the JSON API listed them last.
    pub program_texts: ProgramTexts,
    /// Told when a client has left.
    pub left: Notify,
    assets: Assets,
    bodies: MemoryBudget,
    calls: Semaphore,
    authenticator: auth::Authenticator,
}

impl PlaneContext {
    /// For a plane that sends at most `streams` streams at a time.
    pub fn new(
        xmlrpc: Arc<Responder>,
        follow: Arc<FollowHub>,
        limits: Limits,
        state: watch::Receiver<PlaneState>,
        streams: usize,
    ) -> Rc<PlaneContext> {
        let streams = Rc::new(Streams::new(streams, limits.all_streams_bytes, state));
        let logs = LogStreams { api: xmlrpc.api.clone(), follow, streams };
        Rc::new(PlaneContext {
            logs,
            authenticator: auth::Authenticator::new(xmlrpc.api.blocking.clone()),
            api: xmlrpc.api.clone(),
            xmlrpc,
            limits,
            program_texts: ProgramTexts::default(),
            left: Notify::new(),
            assets: Assets::new(),
            bodies: MemoryBudget::new(limits.all_bodies_bytes),
            calls: Semaphore::new(limits.calls),
        })
    }
}

/// A configured server as its connections see it.
pub struct Server {
    /// Its configuration.
    pub config: HttpServer,
    /// Who may use it.
    logins: Logins,
}

impl Server {
    /// A server nobody has logged in to yet.
    pub fn new(config: HttpServer) -> Rc<Server> {
        Rc::new(Server { logins: Logins::new(&config), config })
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub struct Service {
    shared: Rc<PlaneContext>,
    server: Rc<Server>,
    socket: Rc<Socket>,
    /// Who sends the request; none before that is known, and for whom it cannot be found out.
    identity: Option<Principal>,
}

impl Service {
    /// For the connection on `socket`, which was accepted by `server`.
    pub fn new(shared: Rc<PlaneContext>, server: Rc<Server>, socket: Rc<Socket>) -> Service {
        Service { shared, server, socket, identity: None }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<ReplyBody>, Broken> {
        let access = AccessEntry::of(&request, self.socket.client(), &self.shared.api.activity);
        let keeps = is_old_and_keeps(&request);
        let is_for_api = api_v1::below(request.uri().path()).is_some();
        // A task of its own, so that a panic ends only this request, and a client that leaves does not end what it
        // has asked for as a whole.
        let task = spawn_local(self.clone().handle(request));
        let reply = match (HandledRequest { task, socket: self.socket.clone() }).await {
            Ok(reply) => reply?,
            Err(failure) if failure.is_panic() => {
                let text = format!("{}:Server Error: the handling of {access} failed", PeerName(self.socket.client()));
                self.shared.api.activity.log(LogLevel::Error, &text);
                Reply::error(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Err(_) => return Err(Broken),
        };
        let reply = if is_for_api { api_v1::with_problem(reply) } else { reply };
        let reply = if keeps && !reply.is_closing() { reply.keeping() } else { reply };
        self.shared.api.explain().await;
        access.log(&self.shared.api, &reply);
        Ok(reply.into_response(self.socket))
    }

    async fn handle(mut self, request: Request<Incoming>) -> Result<Reply, Broken> {
        if !is_possible(0) {
            return Ok(refused(StatusCode::SERVICE_UNAVAILABLE));
        }
        // Who is asked decides what is refused to browsers: there must be no doubt about it.
        if request.headers().get_all(HOST).iter().nth(1).is_some() {
            return Ok(refused(StatusCode::BAD_REQUEST));
        }
        let (authenticator, logins) = (&self.shared.authenticator, &self.server.logins);
        match authenticator.identify(logins, request.headers(), &self.socket, || self.slowed()).await {
            Authentication::Admitted(identity) => self.identity = Some(identity),
            Authentication::Refused => {
                self.note_attempt(request.headers(), "wrong user name, password or token");
                return Ok(auth::refusal());
            }
            Authentication::TooMany => {
                self.note_attempt(request.headers(), "too many wrong passwords");
                return Ok(auth::too_many());
            }
            Authentication::NoMemory => return Ok(refused(StatusCode::SERVICE_UNAVAILABLE)),
        }
        if api_v1::below(request.uri().path()).is_some() {
            return Ok(self.resource(request).await);
        }
        let path = route::decode(request.uri().path()).into_owned();
        match route::find(request.method(), &path) {
            None => Ok(Reply::error(StatusCode::BAD_REQUEST)),
            Some(endpoint) => match self.sender(request.headers()) {
                Sender::Rebound if endpoint.tells_something() => {
                    self.note_foreign(Way::Page, "GET", REBOUND);
                    Ok(web::rebinding_refusal())
                }
                sender => self.dispatch(endpoint, sender, &path, request).await,
            },
        }
    }

    /// Notes in the audit log that somebody has tried to log in in vain.
    fn note_attempt(&self, headers: &HeaderMap, reason: &str) {
        let audit = &self.shared.api.audit;
        if let Some(attempt) = audit.is_kept().then(|| auth::attempt(headers)).flatten() {
            audit.record(&self.actor(Way::Rpc), &attempt, AuditResult::Refused(reason));
        }
    }

    /// Notes in the audit log that a page of another site has sent a request.
    fn note_foreign(&self, way: fn(ClientPeer) -> Way, method: &str, reason: &str) {
        self.shared.api.audit.record(&self.actor(way), method, AuditResult::Refused(reason));
    }

    fn slowed(&self) {
        let (peer, section) = (PeerName(self.socket.client()), &self.server.config.section);
        let text = format!("Server '{section}' slows down {peer}, which has presented too many wrong passwords");
        self.shared.api.activity.log(LogLevel::Warn, &text);
    }

    /// Who sent a request. The name it was sent to matters where nobody but people on this machine is expected.
    fn sender(&self, headers: &HeaderMap) -> Sender {
        if !origin::is_browser(headers) {
            return Sender::Program;
        }
        let allowed = &self.server.config.allowed_hosts;
        if let (false, ServerAddress::Inet { host, .. }) = (allowed.is_empty(), &self.server.config.address) {
            let own = node_name();
            let names: Vec<&str> = allowed.iter().map(String::as_str).chain([&**host, &*own]).collect();
            return origin::sender(headers, Some(KnownNames { port: None, names: &names }));
        }
        let local = self.socket.local_address().filter(|local| origin::is_loopback(local.ip()));
        match (&self.server.config.address, local) {
            (ServerAddress::Inet { host, .. }, Some(local)) if self.server.logins.is_open() => {
                let names = [&**host, &node_name()];
                origin::sender(headers, Some(KnownNames { port: Some(local.port()), names: &names }))
            }
            _ => origin::sender(headers, None),
        }
    }

    async fn dispatch(
        self,
        endpoint: PageRoute,
        sender: Sender,
        path: &str,
        request: Request<Incoming>,
    ) -> Result<Reply, Broken> {
        if !endpoint.reads_body() {
            self.has_arrived();
        }
        match endpoint {
            PageRoute::Rpc => self.rpc(sender, request).await,
            PageRoute::ProcessLog => {
                Ok(self.shared.logs.process(&self.actor(Way::LogStream), &self.socket, path).await)
            }
            PageRoute::MainLog => Ok(self.shared.logs.main(&self.actor(Way::LogStream), &self.socket).await),
            PageRoute::StatusPage => self.status_page(sender, request).await,
            PageRoute::TailPage => match self.fields(request).await {
                Err(status) => Ok(refused(status)),
                Ok((fields, _reservation)) => Ok(web::tail(&self.shared.api, &self.actor(Way::Page), &fields).await),
            },
            PageRoute::Health => Ok(Reply::whole(StatusCode::OK, "OK").text(CONTENT_TYPE, "text/plain").length()),
            PageRoute::Metrics => Ok(metrics::reply(&self.shared.api, &self.actor(Way::Json), request.headers()).await),
            PageRoute::Asset => Ok(assets::find(&self.shared.assets, path, request.headers())),
        }
    }

    /// Notes that the whole request is there and may be carried out.
    fn has_arrived(&self) {
        self.socket.enter(ConnectionPhase::Handling);
    }

    /// Who asks, by this way.
    fn actor(&self, way: fn(ClientPeer) -> Way) -> Actor {
        let way = way(self.socket.client());
        let on_behalf_of = None;
        match self.identity.clone() {
            Some(Principal { name, right, programs }) => {
                Actor { name, on_behalf_of, way, right: Some(right), programs }
            }
            None => Actor { name: None, on_behalf_of, way, right: None, programs: ProgramScope::All },
        }
    }

    /// What is below `/api/v1`.
    async fn resource(&self, request: Request<Incoming>) -> Reply {
        let (uri, method, headers) = (request.uri().clone(), request.method().clone(), request.headers().clone());
        let sender = self.sender(&headers);
        if sender == Sender::Rebound {
            self.note_foreign(Way::Json, method.as_str(), REBOUND);
            return api_v1::forbidden(web::REBINDING);
        }
        let on_behalf_of = match api_v1::on_behalf_of(&headers) {
            Ok(name) => name,
            Err(problem) => return problem.closing(),
        };
        let actor = Actor { on_behalf_of, ..self.actor(Way::Json) };
        let (logs, program_texts) = (&self.shared.logs, &self.shared.program_texts);
        let caller = Caller { logs, actor: &actor, socket: &self.socket, program_texts };
        let (path, query) = (api_v1::below(uri.path()).unwrap_or_default(), uri.query().unwrap_or_default());
        let sent = Sent { method: &method, path, query, headers: &headers, body: bytes::Bytes::new() };
        if !api_v1::acts(&method) {
            self.has_arrived();
            return api_v1::respond(caller, sent).await;
        }
        if let Some(objection) = api_v1::objection(sender, &method, &headers) {
            self.note_foreign(Way::Json, method.as_str(), FORGED);
            return objection.closing();
        }
        let (body, _reservation) =
            match request_body::receive_any(request, &self.shared.limits, &self.shared.bodies).await {
                Ok(received) => received,
                Err(status) => return refused(status),
            };
        self.has_arrived();
        let Ok(_turn) = self.shared.calls.try_acquire() else {
            return Reply::error(StatusCode::SERVICE_UNAVAILABLE);
        };
        api_v1::respond(caller, Sent { body, ..sent }).await
    }

    async fn rpc(&self, sender: Sender, request: Request<Incoming>) -> Result<Reply, Broken> {
        // A browser asks first before it sends XML to another site.
        if origin::may_be_forged(sender, origin::is_sent_unasked(request.headers())) {
            self.note_foreign(Way::Rpc, "POST", FORGED);
            return Ok(Reply::error(StatusCode::FORBIDDEN));
        }
        // What a call is made of stays in memory until it is answered, and so does its reservation.
        let (body, _reservation) = match self.body(request).await {
            Ok((body, _)) if body.is_empty() => return Ok(Reply::error(StatusCode::BAD_REQUEST)),
            Ok(body) => body,
            Err(status) => return Ok(refused(status)),
        };
        self.has_arrived();
        let Ok(_turn) = self.shared.calls.try_acquire() else {
            return Ok(Reply::error(StatusCode::SERVICE_UNAVAILABLE));
        };
        match self.shared.xmlrpc.respond(self.actor(Way::Rpc), body).await {
            Ok(Document { body, reservation }) => {
                let reply = match body {
                    Body::Whole(text) => Reply::whole(StatusCode::OK, text),
                    Body::Pieces(list) => Reply::written(StatusCode::OK, list.left(), list.map(bytes::Bytes::from)),
                };
                Ok(reply.text(CONTENT_TYPE, "text/xml").length().within(reservation))
            }
            Err(Unanswered::BadRequest) => Ok(Reply::error(StatusCode::BAD_REQUEST)),
            Err(Unanswered::NoMemory) => Ok(refused(StatusCode::SERVICE_UNAVAILABLE)),
            Err(Unanswered::Ended) => Err(Broken),
        }
    }

    async fn status_page(&self, sender: Sender, request: Request<Incoming>) -> Result<Reply, Broken> {
        let kind = match *request.method() {
            Method::POST => RequestKind::Form,
            Method::HEAD => RequestKind::Head,
            _ => RequestKind::Link,
        };
        let asked = PageRequest { sender, kind, get_actions: self.server.config.get_actions };
        match self.fields(request).await {
            Err(status) => Ok(refused(status)),
            Ok((fields, _reservation)) => web::status(&self.shared.api, &self.actor(Way::Page), asked, &fields).await,
        }
    }

    /// The parameters of a page: from the address, and from the body of a POST, with its reservation of what all bodies may
    /// use until they are answered.
    async fn fields(&self, request: Request<Incoming>) -> Result<(web::Fields, Option<Reservation>), StatusCode> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (body, reservation) = match *request.method() {
            Method::POST => self.body(request).await.map(|(body, reservation)| (body, Some(reservation)))?,
            _ => (bytes::Bytes::new(), None),
        };
        self.has_arrived();
        Ok((web::Fields::new(&query, &String::from_utf8_lossy(&body)), reservation))
    }

    async fn body(&self, request: Request<Incoming>) -> Result<(bytes::Bytes, Reservation), StatusCode> {
        request_body::receive(request, &self.shared.limits, &self.shared.bodies).await
    }
}

/// A request that a task of its own handles. Without its client it goes on once it has arrived as a whole; before that nobody waits
/// for its body, or for the check of its credentials.
struct HandledRequest {
    task: JoinHandle<Result<Reply, Broken>>,
    socket: Rc<Socket>,
}

impl Future for HandledRequest {
    type Output = Result<Result<Reply, Broken>, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(cx)
    }
}

impl Drop for HandledRequest {
    fn drop(&mut self) {
        if self.socket.phase() == ConnectionPhase::Arriving {
            self.task.abort();
        }
    }
}

/// Whether a client of HTTP/1.0, which closes by default, asks for the connection to be kept.
fn is_old_and_keeps(request: &Request<Incoming>) -> bool {
    let wish = request.headers().get(CONNECTION).map(HeaderValue::as_bytes).unwrap_or_default();
    request.version() == Version::HTTP_10 && wish.eq_ignore_ascii_case(b"keep-alive")
}

/// The refusal of a request whose body was not read to its end: nothing after it can be understood.
fn refused(status: StatusCode) -> Reply {
    Reply::error(status).closing()
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<ReplyBody>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, Broken>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.socket.enter(ConnectionPhase::Arriving);
        Box::pin(self.clone().answer(request))
    }
}
