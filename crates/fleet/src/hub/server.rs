//! The HTTP server of the hub.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::json;
use supervisord_tls::server_certificates::TlsContext;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::context::HubContext;
use super::people::HubPerson;
use super::{host_check, metrics, page, python_actions, python_look, resources};
use crate::clock::steady_millis;
use crate::host_name::HostName;
use crate::request::{FleetVerb, MAX_SELECTORS};
use crate::subjects::FleetRole;
use crate::table;

/// How many clients there may be.
const MAX_CONNECTIONS: usize = 256;
/// How long a client has for the head of its request.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How long a client has for a body, and how long that may be in bytes.
const BODY_WITHIN: Duration = Duration::from_secs(30);
const MAX_BODY: usize = 256 << 10;
/// How long hosts have for an action.
const ACT_WITHIN: Duration = Duration::from_secs(120);
/// Changes within this time are one message.
const TOGETHER: Duration = Duration::from_millis(300);

type HubBody = UnsyncBoxBody<Bytes, Infallible>;

/// What the page asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HubAction {
    action: String,
    hosts: Vec<HostName>,
    select: Vec<String>,
}

/// Answers clients for ever.
pub(super) async fn serve(context: Rc<HubContext>, listener: TcpListener, tls: Option<TlsContext>) {
    let places = std::sync::Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                (context.log)(&format!("cannot accept a client: {error}"));
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let _ = socket.set_nodelay(true);
        let context = context.clone();
        let handshake = tls.as_ref().map(|tls| TlsAcceptor::from(tls.current()));
        tokio::task::spawn_local(async move {
            match handshake {
                None => converse(context, socket).await,
                Some(handshake) => {
                    // A client that does not get through has nothing to be told.
                    if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_WITHIN, handshake.accept(socket)).await {
                        converse(context, stream).await;
                    }
                }
            }
            drop(place);
        });
    }
}

/// Answers the requests of one client.
async fn converse(context: Rc<HubContext>, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
    let answering = service_fn(move |request| {
        let context = context.clone();
        async move { Ok::<_, Infallible>(answer(&context, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(64 << 10);
    // A client that breaks off has ended its request.
    let _ = http.serve_connection(TokioIo::new(stream), answering).await;
}

async fn answer(context: &Rc<HubContext>, request: Request<Incoming>) -> Response<HubBody> {
    let host = request.headers().get(HOST).map(|host| host.to_str().unwrap_or("?"));
    if !context.people.borrow().ask_for_a_token() && !host.is_none_or(host_check::is_this_machine) {
        let told = "nobody logs in here, so the hub answers only to localhost and addresses: write --people FILE";
        return problem(StatusCode::FORBIDDEN, told);
    }
    let Some(person) = identify(context, request.headers()) else {
        let mut refusal = problem(StatusCode::UNAUTHORIZED, "log in with your name, and your token as the password");
        let basic = hyper::header::HeaderValue::from_static("Basic realm=\"fleet\"");
        refusal.headers_mut().insert(hyper::header::WWW_AUTHENTICATE, basic);
        return refusal;
    };
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET, "/api/hosts") => {
            let view = context.view.borrow();
            let hosts = resources::hosts(&view, &person, view.server_now(steady_millis()));
            reply(StatusCode::OK, "application/json", hosts.to_string())
        }
        (&Method::GET, "/api/changes") => changes(context),
        (&Method::GET, "/metrics") => {
            let view = context.view.borrow();
            let text = metrics::text(&view, &person, view.server_now(steady_millis()));
            reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
        }
        (&Method::POST, "/api/actions") => act(context, &person, request).await,
        (&Method::GET, path) => match page::file(path) {
            Some((kind, text)) => {
                let mut file = reply(StatusCode::OK, kind, text);
                let headers = file.headers_mut();
                headers.insert("content-security-policy", hyper::header::HeaderValue::from_static(page::POLICY));
                headers.insert("referrer-policy", hyper::header::HeaderValue::from_static("no-referrer"));
                file
            }
            None => problem(StatusCode::NOT_FOUND, "there is no such page"),
        },
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, "that is only read"),
    }
}

/// Who asks: a name and a token as user and password, or the token alone.
fn identify(context: &HubContext, headers: &HeaderMap) -> Option<HubPerson> {
    let people = context.people.borrow();
    let Some(sent) = headers.get(AUTHORIZATION) else { return people.identify(None, None) };
    let (scheme, rest) = sent.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return people.identify(None, Some(rest.trim()));
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, token) = pair.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| people.identify(Some(name), Some(token)))?
}

async fn act(context: &Rc<HubContext>, person: &HubPerson, request: Request<Incoming>) -> Response<HubBody> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A page of another site cannot send JSON without asking first, which nobody answers.
    let is_json = header("content-type").starts_with("application/json");
    if !is_json || ["cross-site", "same-site"].contains(&header("sec-fetch-site")) {
        return problem(
            StatusCode::FORBIDDEN,
            "the request may come from a page of another site: send application/json",
        );
    }
    if person.role < FleetRole::Operator {
        return problem(StatusCode::FORBIDDEN, "a viewer may not do that");
    }
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    let Ok(Ok(body)) = tokio::time::timeout(BODY_WITHIN, body).await else {
        return problem(StatusCode::BAD_REQUEST, "the body did not come, or is too long");
    };
    let HubAction { action, hosts, select } = match serde_json::from_slice(&body.to_bytes()) {
        Ok(asked) => asked,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let is_hidden = |name: &&HostName| {
        let view = context.view.borrow();
        !view.hosts().get(*name).is_some_and(|host| person.sees(name.as_str(), &host.inventory.labels))
    };
    if let Some(host) = hosts.iter().find(is_hidden) {
        return problem(StatusCode::NOT_FOUND, &format!("there is no host {host}"));
    }
    if select.is_empty() || hosts.is_empty() {
        return problem(StatusCode::BAD_REQUEST, "name hosts and programs");
    }
    if select.len() > MAX_SELECTORS {
        return problem(StatusCode::BAD_REQUEST, &format!("a request names {MAX_SELECTORS} programs at the most"));
    }
    let verb = match action.as_str() {
        "start" => FleetVerb::Start { select: select.clone() },
        "stop" => FleetVerb::Stop { select: select.clone() },
        "restart" => FleetVerb::Restart { select: select.clone() },
        _ => return problem(StatusCode::BAD_REQUEST, "the action is start, stop or restart"),
    };
    let (python, ours): (Vec<HostName>, Vec<HostName>) =
        hosts.into_iter().partition(|host| context.python.iter().any(|member| member.name() == host));
    if context.is_ending.get() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the hub is about to end: ask again when it is back");
    }
    // A restart there is a stop and a start: tasks of their own do both, also where the page is closed in between.
    let of_the_original = (0..context.python.len()).filter(|number| python.contains(context.python[*number].name()));
    let of_the_original = join_all(of_the_original.map(|number| {
        let (context, action, select) = (context.clone(), action.clone(), select.clone());
        tokio::task::spawn_local(async move {
            let member = &context.python[number];
            let done = python_actions::act(&context, member, &action, &select).await;
            // The page shows the result at once. The watch logs why a daemon does not answer.
            let _ = python_look::look(&context, member).await;
            done
        })
    }));
    let of_agents = async {
        match ours.is_empty() {
            true => Ok(Vec::new()),
            false => context.client.ask(&person.name, ours, verb, ACT_WITHIN).await.map(|gathering| {
                let mut answered = table::as_json(&gathering, "results");
                answered["hosts"].as_array_mut().map(std::mem::take).unwrap_or_default()
            }),
        }
    };
    let (of_the_original, answered) = tokio::join!(of_the_original, of_agents);
    let mut listed: Vec<_> = of_the_original.into_iter().filter_map(Result::ok).collect();
    match answered {
        Ok(answered) => listed.extend(answered),
        Err(error) => return problem(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
    reply(StatusCode::OK, "application/json", json!({ "hosts": listed }).to_string())
}

/// A stream with an event whenever something has changed.
fn changes(context: &Rc<HubContext>) -> Response<HubBody> {
    let revisions = context.revision.subscribe();
    let events = stream::unfold((revisions, true), |(mut revisions, is_first)| async move {
        if !is_first {
            tokio::time::sleep(TOGETHER).await;
            // A comment now and then shows whether the client is still there.
            let changed = tokio::time::timeout(Duration::from_secs(30), revisions.changed()).await;
            match changed {
                Err(_) => return Some((Ok(Frame::data(Bytes::from_static(b": here\n\n"))), (revisions, false))),
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {}
            }
        }
        let revision = *revisions.borrow_and_update();
        let text = format!("event: changed\ndata: {revision}\n\n");
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), (revisions, false)))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}

fn reply(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<HubBody> {
    let mut response = Response::new(Full::new(text.into()).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", hyper::header::HeaderValue::from_static("nosniff"));
    response
}

fn problem(status: StatusCode, detail: &str) -> Response<HubBody> {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "title": title, "status": status.as_u16(), "detail": detail });
    reply(status, "application/problem+json", body.to_string())
}
