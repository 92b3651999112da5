//! What an actor with which right sees and does by the ways that are no XML-RPC. Every endpoint of the tables is asked for.

use std::rc::Rc;

use hyper::{HeaderMap, Method, StatusCode};
use supervisord_config::diff::Difference;
use supervisord_config::model::UpdateMode;
use supervisord_config::program_patterns::ProgramPatterns;
use supervisord_core::actor::{Actor, ClientPeer, Right, Way};
use supervisord_core::scope::ProgramScope;
use supervisord_core::update_plan::UpdatePlan;
use tokio::sync::watch;

use super::*;
use crate::network::api_v1;
use crate::network::logs::LogStreams;
use crate::network::metrics;
use crate::network::origin::Sender as RequestSender;
use crate::network::reply::{Reply, ReplyContent};
use crate::network::route::{self, PageRoute};
use crate::network::socket::Socket;
use crate::network::state::PlaneState;
use crate::network::streams::Streams;
use crate::network::transport::Accepted;
use crate::network::web::{self, Fields, PageRequest, RequestKind};

/// All rights, and none.
const RIGHTS: [Option<Right>; 4] = [None, Some(Right::View), Some(Right::Operate), Some(Right::Administer)];

/// What the page can be asked to do, with the right to it. Everything operates, except that it can be shown again.
const ACTIONS: [(&str, Right); 7] = [
    ("refresh", Right::View),
    ("stopall", Right::Operate),
    ("restartall", Right::Operate),
    ("start", Right::Operate),
    ("stop", Right::Operate),
    ("restart", Right::Operate),
    ("clearlog", Right::Operate),
];

const CLIENT: ClientPeer = ClientPeer::Unix { uid: Some(1000), pid: Some(42) };

/// A daemon with a program that has a log, and a control that does what it is asked.
struct World {
    api: Arc<Api>,
    logs: LogStreams,
    calls: Receiver<String>,
    /// The programs that exist for whoever asks.
    programs: ProgramScope,
    _state: watch::Sender<PlaneState>,
    _directory: TempDir,
    _poll: mio::Poll,
}

fn world() -> World {
    let directory = tempfile::tempdir().expect("temporary directory");
    let file = directory.path().join("a.log").display().to_string();
    for log in [file.clone(), format!("{file}.1")] {
        std::fs::write(&log, "of-somebody-else").expect("written");
    }
    let poll = mio::Poll::new().expect("poll");
    let notifier = Notifier::new(mio::Waker::new(poll.registry(), mio::Token(0)).expect("waker"));
    let (calls, pending) = calls::queue(Arc::new(notifier));
    let view = Arc::new(View::new(Arc::new(samples::config([]))));
    view.publish_row(Row { stdout_logfile: Some(file.as_str().into()), ..row("a", "a") });
    let load_config: crate::api::ReadConfig = Arc::new(|_, _| Ok(samples::config([])));
    let daemon = Daemon { view, calls, activity_file: Some(file), memory: Arc::default(), load_config };
    let clock = Clock { now: || 1_000_000, local: |_| NOON };
    let activity = Activity::new(LogLevel::Error, |_| {});
    let api = Arc::new(Api::new(daemon, activity, MemoryBudget::for_answers(), clock));
    let (state, watched) = watch::channel(PlaneState::Accepting);
    let logs =
        LogStreams { api: api.clone(), follow: Arc::default(), streams: Rc::new(Streams::new(16, 1 << 20, watched)) };
    let calls = control(pending, |call| {
        Some(Ok(match call {
            Call::ReloadConfig { .. } => Answer::Difference(Difference::default()),
            Call::PlanUpdate { .. } | Call::UpdateMinimally { .. } | Call::Scale { .. } => {
                Answer::Plan(Box::new(UpdatePlan {
                    mode: UpdateMode::Minimal,
                    groups: Vec::new(),
                    steps: Vec::new(),
                    scales: Vec::new(),
                }))
            }
            _ => Answer::Done,
        }))
    });
    World { api, logs, calls, programs: ProgramScope::All, _state: state, _directory: directory, _poll: poll }
}

fn actor(right: Option<Right>, way: fn(ClientPeer) -> Way) -> Actor {
    Actor { name: Some("eve".into()), way: way(CLIENT), right, ..Actor::plug_in() }
}

fn text(reply: &Reply) -> String {
    match &reply.content {
        ReplyContent::Whole(body) => String::from_utf8_lossy(body).into_owned(),
        ReplyContent::Pieces(_) | ReplyContent::Generated(_) => String::new(),
    }
}

fn location(reply: &Reply) -> String {
    let found = reply.headers.iter().find(|(name, _)| name == hyper::header::LOCATION);
    found.map(|(_, value)| value.to_str().expect("text").to_owned()).unwrap_or_default()
}

impl World {
    fn actor(&self, right: Option<Right>, way: fn(ClientPeer) -> Way) -> Actor {
        Actor { programs: self.programs.clone(), ..actor(right, way) }
    }

    async fn page(&self, right: Option<Right>, query: &str) -> Reply {
        let asked = PageRequest { sender: RequestSender::Program, kind: RequestKind::Form, get_actions: false };
        let fields = Fields::new(query, "");
        web::status(&self.api, &self.actor(right, Way::Page), asked, &fields).await.expect("an answer")
    }

    async fn resource(
        &self,
        right: Option<Right>,
        method: &Method,
        path: &str,
        last_event: Option<&str>,
        body: &'static str,
    ) -> Reply {
        let (stream, _other) = tokio::net::UnixStream::pair().expect("a pair");
        let socket = Rc::new(Socket::new(Accepted { transport: Box::new(stream), client: CLIENT }));
        let actor = self.actor(right, Way::Json);
        let mut headers: HeaderMap = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().expect("a value"));
        if let Some(id) = last_event {
            headers.insert("last-event-id", id.parse().expect("a value"));
        }
        let program_texts = api_v1::ProgramTexts::default();
        let caller = api_v1::Caller { logs: &self.logs, actor: &actor, socket: &socket, program_texts: &program_texts };
        let sent = api_v1::Sent { method, path, query: "", headers: &headers, body: body.into() };
        api_v1::respond(caller, sent).await
    }

    async fn ask(&self, endpoint: PageRoute, right: Option<Right>) -> Option<Reply> {
        let (stream, _other) = tokio::net::UnixStream::pair().expect("a pair");
        let socket = Rc::new(Socket::new(Accepted { transport: Box::new(stream), client: CLIENT }));
        let follower = self.actor(right, Way::LogStream);
        Some(match endpoint {
            PageRoute::ProcessLog => self.logs.process(&follower, &socket, "/logtail/a").await,
            PageRoute::MainLog => self.logs.main(&follower, &socket).await,
            PageRoute::StatusPage => self.page(right, "").await,
            PageRoute::Metrics => metrics::reply(&self.api, &self.actor(right, Way::Json), &HeaderMap::new()).await,
            PageRoute::TailPage => {
                web::tail(&self.api, &self.actor(right, Way::Page), &Fields::new("processname=a", "")).await
            }
            // Its methods have a test of their own.
            PageRoute::Rpc => return None,
            PageRoute::Health | PageRoute::Asset => {
                assert!(!endpoint.tells_something());
                return None;
            }
        })
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, future);
}

#[test]
fn every_endpoint_that_tells_something_needs_the_right_to_view() {
    run(async {
        let world = world();
        for endpoint in route::endpoints() {
            for right in RIGHTS {
                let Some(reply) = world.ask(endpoint, right).await else { continue };
                let expected = if right.is_some() { StatusCode::OK } else { StatusCode::FORBIDDEN };
                assert_eq!(reply.status, expected, "{endpoint:?} with {right:?}");
                assert!(
                    right.is_some() || !text(&reply).contains("of-somebody-else"),
                    "{endpoint:?}: {}",
                    text(&reply)
                );
            }
        }
        let refused = world.page(None, "").await;
        let expected = "Refused: user 'eve' via the web page from the unix socket, uid 1000, pid 42 may not view\n";
        assert_eq!(text(&refused), expected);
    });
}

#[test]
fn every_action_of_the_page_needs_a_right() {
    run(async {
        let world = world();
        for (action, needed) in ACTIONS {
            for right in RIGHTS {
                let reply = world.page(right, &format!("action={action}&processname=a")).await;
                let asked = world.calls.try_iter().count();
                if right >= Some(needed) {
                    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{action} with {right:?}");
                    assert_eq!(asked > 0, needed > Right::View, "{action} with {right:?}: {}", location(&reply));
                } else {
                    let missing = if right.is_none() { Right::View } else { needed };
                    assert_eq!((reply.status, asked), (StatusCode::FORBIDDEN, 0), "{action} with {right:?}");
                    let page = text(&reply);
                    assert!(page.contains("Refused: user "), "{page}");
                    assert!(page.contains(&format!("pid 42 may not {missing}")), "{page}");
                }
            }
        }
    });
}

/// The bodies of the requests that need one.
const BODIES: [(&str, &str); 5] = [
    ("/config/scale", "{\"program\":\"a\",\"numprocs\":1}"),
    ("/programs/{group}/{name}/signal", "{\"signal\":\"HUP\"}"),
    ("/programs/actions", "{\"action\":\"start\",\"select\":[\"*\"]}"),
    ("/programs/{group}/{name}/stdin", "{\"data\":\"x\"}"),
    ("/daemon/events", "{\"type\":\"x\",\"data\":\"y\"}"),
];

#[test]
fn every_resource_of_the_json_api_needs_a_right() {
    run(async {
        let world = world();
        for (method, pattern, needed) in api_v1::routes() {
            assert_eq!(needed > Right::View, api_v1::acts(method), "{method} {pattern}");
            let path = pattern.replace("{group}", "a").replace("{name}", "a").replace("{stream}", "stdout");
            let path = path.replace("{file}", "a.log.1");
            let body = BODIES.iter().find(|(other, _)| *other == pattern).map_or("", |(_, body)| body);
            for right in RIGHTS {
                for last_event in [None, Some("boot-1")] {
                    let reply = world.resource(right, method, &path, last_event, body).await;
                    let asked = world.calls.try_iter().count();
                    let is_allowed = right >= Some(needed);
                    let expected = if is_allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
                    let what = format!("{method} {path} with {right:?} after {last_event:?}: {}", text(&reply));
                    assert_eq!(reply.status, expected, "{what}");
                    assert_eq!(asked, usize::from(is_allowed && needed > Right::View), "{what}");
                    assert!(is_allowed || text(&reply).contains("pid 42 may not "), "{what}");
                }
            }
        }
    });
}

#[test]
fn programs_of_others_do_not_exist_by_any_way() {
    run(async {
        let mut world = world();
        let patterns = ProgramPatterns::parse("b:*").expect("patterns");
        world.programs = ProgramScope::Matching(Arc::new(patterns));
        let right = Some(Right::Operate);
        for (method, pattern, _) in api_v1::routes().filter(|(.., needed)| right >= Some(*needed)) {
            let path = pattern.replace("{group}", "a").replace("{name}", "a").replace("{stream}", "stdout");
            let path = path.replace("{file}", "a.log.1");
            let body = BODIES.iter().find(|(other, _)| *other == pattern).map_or("", |(_, body)| body);
            world.calls.try_iter().for_each(drop);
            let reply = world.resource(right, method, &path, None, body).await;
            let told = text(&reply);
            let what = format!("{method} {path}: {} {told}", reply.status);
            assert!(!told.contains("of-somebody-else") && !told.contains("\"name\":\"a\""), "{what}");
            if pattern.contains("{group}") {
                assert_eq!((reply.status, world.calls.try_iter().count()), (StatusCode::NOT_FOUND, 0), "{what}");
            }
        }
        for endpoint in route::endpoints() {
            let Some(reply) = world.ask(endpoint, right).await else { continue };
            let told = text(&reply);
            let names_it = endpoint != PageRoute::TailPage && told.contains("processname=a");
            assert!(!told.contains("of-somebody-else") && !names_it, "{endpoint:?}: {told}");
            match endpoint {
                PageRoute::ProcessLog => assert_eq!(reply.status, StatusCode::NOT_FOUND),
                PageRoute::MainLog => assert_eq!(reply.status, StatusCode::FORBIDDEN),
                _ => assert_eq!(reply.status, StatusCode::OK, "{endpoint:?}"),
            }
        }
    });
}

#[test]
fn nobody_is_offered_what_would_be_refused() {
    run(async {
        let world = world();
        for (right, role) in [(Right::View, "viewer"), (Right::Operate, "operator"), (Right::Administer, "admin")] {
            let page = text(&world.page(Some(right), "").await);
            for action in ["action=stopall", "action=restartall", "action=clearlog"] {
                assert_eq!(page.contains(action), right >= Right::Operate, "{action} with {right:?}: {page}");
            }
            let daemon = world.resource(Some(right), &Method::GET, "/daemon", None, "").await;
            let told = text(&daemon);
            assert!(told.contains(&format!("\"role\":\"{role}\"")), "{told}");
        }
    });
}
