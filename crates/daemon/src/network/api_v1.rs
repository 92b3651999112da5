//! The JSON API: what is below `/api/v1`, which the original does not have. `docs/api.md` describes it.
//!
//! Like every other interface it is an encoder over the [`Api`](crate::api::Api). All its errors are problem details (RFC 9457).

use std::sync::Arc;

use hyper::header::{ALLOW, HeaderMap};
use hyper::{Method, StatusCode};
use supervisord_core::actor::Right;

use crate::network::origin::{self, Sender};
use crate::network::reply::Reply;
use actions::Verb;
use daemon::DaemonAction;
use endpoint::{Endpoint, SchemaOf, Sends};
use parameters::{QueryKind, QueryParameter};
use problem::Problem;
use request::ApiRequest;
use router::{Match, Route};

mod actions;
mod changes;
mod configuration;
mod daemon;
mod disabled;
mod endpoint;
mod events;
mod facts;
mod groups;
mod logs;
mod messages;
mod openapi;
mod parameters;
mod problem;
mod program_resource;
mod program_texts;
mod programs;
mod request;
mod rotated;
mod router;
mod scale;
mod selection;
mod update_plan;
mod usage;
mod why;

pub use problem::with_problem;
pub use program_texts::ProgramTexts;
pub use request::{Caller, Sent};

/// Everything there is.
static ROUTES: &[Route<Endpoint>] = &[
    get(
        "/changes",
        Endpoint::new(
            Right::View,
            "That something has changed, as a stream",
            Sends::Events(changes::EVENTS),
            |request| Box::pin(changes::stream(request)),
        ),
    ),
    post(
        "/config/plan",
        Endpoint::new(
            Right::Administer,
            "Reads the configuration, and says what an update to it would do",
            Sends::Json(|generator| generator.subschema_for::<update_plan::PlanResource>()),
            |request| Box::pin(update_plan::plan(request)),
        )
        .with_body(|generator| generator.subschema_for::<update_plan::PlanOptions>())
        .with_problems(CONFLICT),
    ),
    post(
        "/config/reread",
        Endpoint::new(
            Right::Administer,
            "Reads the configuration again, and says what would change",
            Sends::Json(|generator| generator.subschema_for::<configuration::RereadConfiguration>()),
            |request| Box::pin(configuration::reread(request)),
        )
        .with_body(NOTHING)
        .with_problems(CONFLICT),
    ),
    post(
        "/config/scale",
        Endpoint::new(
            Right::Operate,
            "Gives a program another number of processes",
            Sends::Json(|generator| generator.subschema_for::<update_plan::PlanResource>()),
            |request| Box::pin(scale::scale(request)),
        )
        .with_body(|generator| generator.subschema_for::<scale::ScaleOptions>())
        .with_problems(&[404, 409]),
    ),
    post(
        "/config/update",
        Endpoint::new(
            Right::Administer,
            "Reads the configuration again, and makes it active",
            Sends::Json(|generator| generator.subschema_for::<configuration::UpdatedConfiguration>()),
            |request| Box::pin(configuration::update(request)),
        )
        .with_body(|generator| generator.subschema_for::<configuration::UpdateOptions>())
        .with_problems(&[404, 409]),
    ),
    get("/daemon", Endpoint::new(Right::View, "The daemon", DAEMON, |request| Box::pin(daemon::get(request)))),
    post(
        "/daemon/events",
        Endpoint::new(Right::Operate, "Sends a remote communication event to the event listeners", EMPTY, |request| {
            Box::pin(messages::event(request))
        })
        .with_body(|generator| generator.subschema_for::<messages::RemoteEvent>()),
    ),
    get(
        "/daemon/log",
        Endpoint::new(Right::View, "The activity log", Sends::Log(logs::EVENTS), |request| {
            Box::pin(logs::get_activity(request))
        })
        .with_query(logs::QUERY)
        .with_problems(&[404]),
    ),
    delete(
        "/daemon/log",
        Endpoint::new(Right::Administer, "Begins a new activity log", EMPTY, |request| {
            Box::pin(logs::clear_activity(request))
        })
        .with_problems(CONFLICT),
    ),
    post(
        "/daemon/restart",
        Endpoint::new(
            Right::Administer,
            "Stops everything, and starts with the configuration as it is then",
            DAEMON,
            |request| Box::pin(daemon::act(request, DaemonAction::Restart)),
        )
        .with_body(NOTHING)
        .with_problems(CONFLICT),
    ),
    post(
        "/daemon/shutdown",
        Endpoint::new(Right::Administer, "Stops everything, and ends the daemon", DAEMON, |request| {
            Box::pin(daemon::act(request, DaemonAction::Shutdown))
        })
        .with_body(NOTHING),
    ),
    post(
        "/daemon/upgrade",
        Endpoint::new(
            Right::Administer,
            "Replaces the daemon with the program that is now on disk",
            DAEMON,
            |request| Box::pin(daemon::act(request, DaemonAction::Upgrade)),
        )
        .with_body(NOTHING),
    ),
    get(
        "/events",
        Endpoint::new(Right::View, "What happens, as a stream", Sends::Events(events::EVENTS), |request| {
            Box::pin(events::stream(request))
        })
        .with_query(&[
            request::LAST_EVENT_ID_PARAMETER,
            QueryParameter {
                name: "usage",
                about: "How often the stream tells what programs use, in seconds",
                kind: QueryKind::Number(1, 3600),
            },
        ]),
    ),
    get(
        "/groups",
        Endpoint::new(Right::View, "All groups, by name", GROUPS, |request| Box::pin(groups::list(request))),
    ),
    post(
        "/groups/{group}",
        Endpoint::new(Right::Administer, "Makes a group of the configuration active", GROUPS, |request| {
            Box::pin(groups::add(request))
        })
        .with_body(NOTHING)
        .with_problems(CONFLICT),
    ),
    delete(
        "/groups/{group}",
        Endpoint::new(Right::Administer, "Removes a group of which no process runs", GROUPS, |request| {
            Box::pin(groups::remove(request))
        })
        .with_problems(CONFLICT),
    ),
    get(
        "/openapi.json",
        Endpoint::new(Right::View, "This document", Sends::OpenApi, |request| {
            Box::pin(async move { openapi::get(&request, ROUTES) })
        }),
    ),
    get(
        "/programs",
        Endpoint::new(
            Right::View,
            "The processes of the active groups, by group and name",
            Sends::Json(|generator| generator.subschema_for::<programs::Programs<'_>>()),
            |request| Box::pin(programs::list(request)),
        )
        .with_query(&[QueryParameter {
            name: "select",
            about: "Selectors of the programs that are listed; all without",
            kind: QueryKind::Texts,
        }])
        .with_problems(&[404]),
    ),
    post(
        "/programs/actions",
        Endpoint::new(
            Right::Operate,
            "Does something with several programs",
            Sends::Json(|generator| generator.subschema_for::<actions::ActionResults>()),
            |request| Box::pin(actions::many(request)),
        )
        .with_body(|generator| generator.subschema_for::<actions::BulkAction>())
        .with_problems(&[404]),
    ),
    get(
        "/programs/disabled",
        Endpoint::new(
            Right::View,
            "The disabled programs, by group and name; those that no active group has are among them",
            Sends::Json(|generator| generator.subschema_for::<disabled::DisabledPrograms>()),
            |request| Box::pin(disabled::list(request)),
        ),
    ),
    get(
        "/programs/{group}/{name}",
        Endpoint::new(Right::View, "One process", PROGRAM, |request| Box::pin(programs::get(request))),
    ),
    action("/programs/{group}/{name}/clear-logs", "Empties the logs of a program", |request| {
        Box::pin(actions::one(request, Verb::ClearLogs))
    }),
    action("/programs/{group}/{name}/disable", "Stops a program, and has nothing start it any more", |request| {
        Box::pin(actions::one(request, Verb::Disable))
    }),
    action("/programs/{group}/{name}/enable", "Lets a program be started again", |request| {
        Box::pin(actions::one(request, Verb::Enable))
    }),
    get(
        "/programs/{group}/{name}/logs/{stream}",
        Endpoint::new(Right::View, "A log of a program", Sends::Log(logs::EVENTS), |request| {
            Box::pin(logs::get(request))
        })
        .with_query(logs::QUERY),
    ),
    get(
        "/programs/{group}/{name}/logs/{stream}/files",
        Endpoint::new(
            Right::View,
            "A log of a program and its rotated files, the newest first",
            Sends::Json(|generator| generator.subschema_for::<rotated::LogFiles>()),
            |request| Box::pin(rotated::list(request)),
        ),
    ),
    get(
        "/programs/{group}/{name}/logs/{stream}/files/{file}",
        Endpoint::new(Right::View, "A part of a rotated log, decompressed", Sends::Log(&[]), |request| {
            Box::pin(rotated::get(request))
        })
        .with_query(logs::PART),
    ),
    delete(
        "/programs/{group}/{name}/logs/{stream}",
        Endpoint::new(Right::Operate, "Empties a log of a program", PROGRAM, |request| Box::pin(logs::clear(request)))
            .with_problems(CONFLICT),
    ),
    action("/programs/{group}/{name}/reload", "Has a program read its configuration again", |request| {
        Box::pin(actions::one(request, Verb::Reload))
    }),
    action("/programs/{group}/{name}/restart", "Stops and starts a program", |request| {
        Box::pin(actions::one(request, Verb::Restart))
    }),
    post(
        "/programs/{group}/{name}/signal",
        Endpoint::new(Right::Operate, "Sends a signal to a program", PROGRAM, |request| {
            Box::pin(actions::one(request, Verb::Signal))
        })
        .with_body(|generator| generator.subschema_for::<actions::SignalOptions>())
        .with_problems(CONFLICT),
    ),
    action("/programs/{group}/{name}/start", "Starts a program", |request| {
        Box::pin(actions::one(request, Verb::Start))
    }),
    post(
        "/programs/{group}/{name}/stdin",
        Endpoint::new(Right::Operate, "Writes to the stdin of a program", PROGRAM, |request| {
            Box::pin(messages::stdin(request))
        })
        .with_body(|generator| generator.subschema_for::<messages::StandardInput>())
        .with_problems(CONFLICT),
    ),
    action("/programs/{group}/{name}/stop", "Stops a program", |request| Box::pin(actions::one(request, Verb::Stop))),
    get(
        "/programs/{group}/{name}/why",
        Endpoint::new(
            Right::View,
            "Why a program is in its state",
            Sends::Json(|generator| generator.subschema_for::<why::Explanation<'_>>()),
            |request| Box::pin(why::get(request)),
        ),
    ),
    get(
        "/usage",
        Endpoint::new(
            Right::View,
            "What programs and their descendants use",
            Sends::Json(|generator| generator.subschema_for::<usage::UsageResource<'_>>()),
            |request| Box::pin(usage::get(request)),
        ),
    ),
];

/// The status of what cannot be done in the present state.
const CONFLICT: &[u16] = &[409];

const NOTHING: SchemaOf = |generator| generator.subschema_for::<request::NoOptions>();
const EMPTY: Sends = Sends::Json(|generator| generator.subschema_for::<messages::Nothing>());
const DAEMON: Sends = Sends::Json(|generator| generator.subschema_for::<daemon::DaemonResource<'_>>());
const GROUPS: Sends = Sends::Json(|generator| generator.subschema_for::<groups::Groups>());
const PROGRAM: Sends = Sends::Json(|generator| generator.subschema_for::<program_resource::ProgramResource<'_>>());

const fn get(path: &'static str, handler: Endpoint) -> Route<Endpoint> {
    Route { method: Method::GET, path, handler }
}

const fn post(path: &'static str, handler: Endpoint) -> Route<Endpoint> {
    Route { method: Method::POST, path, handler }
}

const fn delete(path: &'static str, handler: Endpoint) -> Route<Endpoint> {
    Route { method: Method::DELETE, path, handler }
}

/// Something to do with one program.
const fn action(path: &'static str, about: &'static str, answer: endpoint::Handler) -> Route<Endpoint> {
    let endpoint = Endpoint::new(Right::Operate, about, PROGRAM, answer);
    post(path, endpoint.with_body(ACTION_OPTIONS).with_problems(CONFLICT))
}

const ACTION_OPTIONS: SchemaOf = |generator| generator.subschema_for::<actions::ActionOptions>();

/// The part of an undecoded path below `/api/v1`; `None` for all other paths.
pub fn below(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v1").filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The method, the pattern of the path and the right of each route.
#[cfg(test)]
pub fn routes() -> impl Iterator<Item = (&'static Method, &'static str, Right)> {
    ROUTES.iter().map(|route| (&route.method, route.path, route.handler.right))
}

/// Whether requests with this method may change something.
pub fn acts(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// For whom a client says to ask, or why that cannot be said.
pub fn on_behalf_of(headers: &HeaderMap) -> Result<Option<Arc<str>>, Reply> {
    request::on_behalf_of(headers).map_err(Problem::into_reply)
}

/// Why a request that would change something is refused; none where it may.
pub fn objection(sender: Sender, method: &Method, headers: &HeaderMap) -> Option<Reply> {
    // A page of another site can send any method but POST, and a POST with JSON, only after the browser has asked for permission,
    // which it does not get.
    let is_sent_unasked = *method == Method::POST && origin::is_sent_unasked(headers);
    origin::may_be_forged(sender, is_sent_unasked).then(|| {
        forbidden(
            "Refused: the request came from a page of another site. Behind a proxy that changes the name of this server, \
             send it with the Content-Type application/json",
        )
    })
}

/// Answers a request for a path below `/api/v1`.
pub async fn respond(caller: Caller<'_>, sent: Sent<'_>) -> Reply {
    let handled = match router::find(ROUTES, sent.method, sent.path) {
        Match::Route(route, parameters) => match parameters::check(route.handler.query, sent.query) {
            Ok(()) => (route.handler.answer)(ApiRequest::new(caller, sent, parameters)).await,
            Err(problem) => Err(problem),
        },
        Match::Options(allowed) => Ok(Reply::whole(StatusCode::NO_CONTENT, "").text(ALLOW, allowed)),
        Match::NoSuchMethod(allowed) => {
            return Problem::of(StatusCode::METHOD_NOT_ALLOWED).into_reply().text(ALLOW, allowed);
        }
        Match::NoSuchPath => Err(Problem::of(StatusCode::NOT_FOUND)),
    };
    handled.unwrap_or_else(Problem::into_reply)
}

/// The refusal of a request before it is answered, with the reason.
pub fn forbidden(reason: &str) -> Reply {
    Problem::forbidden(reason.trim_end().to_owned()).into_reply()
}
