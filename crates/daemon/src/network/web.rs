//! The web page: the table of processes, the end of a log, and what its buttons do.

use askama::Template;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, EXPIRES, LOCATION, PRAGMA, REFERRER_POLICY};
use supervisord_core::actor::{Actor, Right};
use supervisord_core::output::Channel;
use supervisord_core::row::Row;
use supervisord_core::why;
use supervisord_wire::SUPERVISOR_VERSION;
use supervisord_wire::name::namespec;
use supervisord_wire::state::ProcessState;

use crate::api::{Api, VisibleView};
use crate::audit::AuditResult;
use crate::calls::CallFailure;
use crate::network::assets;
use crate::network::dates::ctime;
use crate::network::origin::Sender;
use crate::network::reply::{Broken, Reply};
use crate::network::route::encode;

mod action;
mod csrf;
mod fields;
mod refusal;

pub use fields::Fields;

/// The fewest bytes the page with the end of a log shows, whatever limit is asked for.
const LEAST_TAIL: u64 = 1024;

/// The most it shows.
const MOST_TAIL: u64 = 4 << 20;

/// About how much a process takes on the status page, in bytes.
const ROW_BYTES: usize = 2 << 10;

/// How many bytes of a page a byte of a log may become, and the log beside it.
const TAIL_FACTOR: usize = 8;

/// Nothing on the pages comes from elsewhere, no page from elsewhere may lay itself over their buttons, and text never
/// becomes markup or code, whatever programs write.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// Where a request for the page comes from, as far as it decides whether an action is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// What sent it.
    pub sender: Sender,
    /// What kind of request it is.
    pub kind: RequestKind,
    /// The option `get_actions`: links may act, and the page offers links instead of buttons.
    pub get_actions: bool,
}

/// The kinds of request for the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A form, sent with POST.
    Form,
    /// A link, followed with GET.
    Link,
    /// A request for the headers only.
    Head,
}

impl PageRequest {
    /// Why the request may not change anything; `None` if it may.
    fn objection(self, has_csrf_token: bool) -> Option<&'static str> {
        let only_forms = Some("Refused: links may not change anything on this server (option get_actions)");
        match (self.kind, self.sender) {
            (RequestKind::Form, Sender::Program | Sender::Silent | Sender::Own) => None,
            (RequestKind::Form, Sender::Unproven) if has_csrf_token => None,
            (RequestKind::Form, _) => Some("Refused: the request came from a page of another site"),
            (RequestKind::Link, Sender::Program) => None,
            (RequestKind::Link | RequestKind::Head, _) if !self.get_actions => only_forms,
            (RequestKind::Link, Sender::Own) => None,
            (RequestKind::Link, Sender::Silent) => Some("Refused: the browser does not say which page the link is on"),
            (RequestKind::Link, _) => Some("Refused: the link is on a page of another site"),
            (RequestKind::Head, _) => Some("Refused: asking for the head of a page changes nothing"),
        }
    }
}

/// Why a request is refused whose `Host` is a name that another site may have made to lead here (DNS rebinding).
pub const REBINDING: &str = "Refused: this server was asked by a name that is not known to be its own. Pages of other sites \
                             can have such names made.\nAsk it as localhost or by its address, or set username and \
                             password in its section of the configuration.\n";

/// That refusal as a page.
pub fn rebinding_refusal() -> Reply {
    refusal::forbidden(REBINDING)
}

/// The status page, or what the button does that was pressed on it.
pub async fn status(api: &Api, actor: &Actor, asked: PageRequest, fields: &Fields) -> Result<Reply, Broken> {
    let links = asked.get_actions;
    let view = match api.view(actor) {
        Ok(view) => view,
        Err(refusal) => return Ok(refusal::reply(&refusal)),
    };
    let Some(wanted) = fields.get("action").filter(|action| !action.is_empty()) else {
        return Ok(show(api, actor, &view, StatusCode::OK, links, fields.get("message").unwrap_or_default()).await);
    };
    let Some(action) = action::PageAction::find(wanted, fields.get("processname")) else {
        return Ok(Reply::error(StatusCode::BAD_REQUEST));
    };
    match asked.objection(fields.has_csrf_token()).filter(|_| action.changes_something()) {
        Some(objection) => {
            api.audit.record(
                actor,
                &format!("{wanted} {}", fields.get("processname").unwrap_or_default()),
                AuditResult::Refused(objection),
            );
            Ok(show(api, actor, &view, StatusCode::FORBIDDEN, links, objection).await)
        }
        None => match action.perform(api, actor).await {
            Ok(message) => Ok(redirect(&message)),
            Err(CallFailure::Refused(refusal)) => {
                Ok(show(api, actor, &view, StatusCode::FORBIDDEN, links, &refusal::text(&refusal)).await)
            }
            Err(CallFailure::Ended) => Err(Broken),
        },
    }
}

/// Sends the browser back to the page, with the outcome to be shown there. The address is relative, so that it holds
/// under whatever name and path the page is reached.
fn redirect(message: &str) -> Reply {
    let mut reply = Reply::error(StatusCode::SEE_OTHER);
    reply.headers.clear();
    let location = format!("./?message={}", encode(message));
    uncached(reply.text(LOCATION, location).text(CONTENT_TYPE, "text/html")).length()
}

fn uncached(reply: Reply) -> Reply {
    reply.text(PRAGMA, "no-cache").text(CACHE_CONTROL, "no-cache").text(EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT")
}

fn page(status: StatusCode, template: &impl Template) -> Reply {
    match template.render() {
        Err(_) => Reply::error(StatusCode::INTERNAL_SERVER_ERROR),
        Ok(text) => uncached(Reply::whole(status, text).text(CONTENT_TYPE, "text/html;charset=utf-8"))
            .text(CONTENT_SECURITY_POLICY, POLICY)
            .text(REFERRER_POLICY, "same-origin")
            .length(),
    }
}

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    message: &'a str,
    links: bool,
    /// Whether there are buttons that act: nobody gets one that would be refused.
    may_operate: bool,
    field: &'static str,
    token: &'static str,
    rows: Vec<StatusRow>,
    version: &'static str,
    /// When the page was made.
    time: String,
    /// The addresses of the script's modules, which the browser then loads at once instead of one after the other.
    modules: Vec<&'static str>,
}

/// A process as the table shows it.
struct StatusRow {
    name: String,
    /// The name as addresses have it.
    address: String,
    state: String,
    class: &'static str,
    description: String,
    /// Where it failed: how it ended, and the last line of stderr, or why it is unhealthy.
    reason: Option<String>,
    /// What can be done to the process in its state: label and action.
    actions: Vec<Option<(&'static str, &'static str)>>,
}

async fn show(
    api: &Api,
    actor: &Actor,
    view: &VisibleView<'_>,
    status: StatusCode,
    links: bool,
    message: &str,
) -> Reply {
    let Some(reservation) = api.answers.reserve_soon(view.len() * ROW_BYTES).await else {
        return unavailable();
    };
    let now = (api.clock.now)();
    let may_operate = actor.check(Right::Operate).is_ok();
    let rows = view.rows().iter().map(|row| status_row(api, now, row, may_operate)).collect();
    let time = ctime(&(api.clock.local)(now));
    let (field, token) = (csrf::FIELD, csrf::token());
    let modules = assets::modules().collect();
    let template =
        StatusPage { message, links, may_operate, field, token, rows, version: SUPERVISOR_VERSION, time, modules };
    page(status, &template).within(reservation)
}

/// There are too many long answers that nobody takes.
fn unavailable() -> Reply {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE)
}

fn status_row(api: &Api, now: i64, row: &Row, may_operate: bool) -> StatusRow {
    let (name, state) = (namespec(&row.group, &row.config.identity.name), row.state());
    StatusRow {
        address: encode(&name),
        name,
        state: state.name().to_ascii_lowercase(),
        class: class(state),
        description: row.description(now, api.clock.local),
        reason: reason(row),
        actions: if may_operate { actions(state) } else { vec![None; ACTION_PLACES] },
    }
}

/// Of a program that was given up, or is tried again, or is unhealthy: what the description does not say.
fn reason(row: &Row) -> Option<String> {
    if row.health.is_some() {
        return why::reason(row);
    }
    let has_failed = matches!(row.state(), ProcessState::Fatal | ProcessState::Backoff);
    row.last_end.as_ref().filter(|end| has_failed && end.judgement.is_failure())?;
    why::reason(row)
}

fn class(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Running => "statusrunning",
        ProcessState::Fatal | ProcessState::Backoff => "statuserror",
        _ => "statusnominal",
    }
}

/// How many actions a row has place for.
const ACTION_PLACES: usize = 3;

/// Always three, so that columns stay columns; the logs follow for every process.
fn actions(state: ProcessState) -> Vec<Option<(&'static str, &'static str)>> {
    let clear = Some(("Clear Log", "clearlog"));
    match state {
        ProcessState::Running => vec![Some(("Restart", "restart")), Some(("Stop", "stop")), clear],
        ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal => {
            vec![Some(("Start", "start")), None, clear]
        }
        // Attempts to start it can be ended, too.
        ProcessState::Starting | ProcessState::Backoff => vec![None, Some(("Stop", "stop")), clear],
        ProcessState::Stopping | ProcessState::Unknown => vec![None, None, clear],
    }
}

#[derive(Template)]
#[template(path = "tail.html")]
struct TailPage<'a> {
    name: &'a str,
    text: &'a str,
    /// The name as addresses have it; none when none was given.
    address: Option<String>,
    limit: u64,
}

/// The page with the end of the stdout log of a process.
pub async fn tail(api: &Api, actor: &Actor, fields: &Fields) -> Reply {
    if let Err(refusal) = api.view(actor) {
        return refusal::reply(&refusal);
    }
    let digits = fields.get("limit").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let limit = digits.and_then(|text| text.parse().ok()).unwrap_or(LEAST_TAIL).clamp(LEAST_TAIL, MOST_TAIL);
    let Some(name) = fields.get("processname").filter(|name| !name.is_empty()) else {
        let text = "No process name found";
        return page(StatusCode::OK, &TailPage { name: "None", text, address: None, limit });
    };
    let Some(reservation) = api.answers.reserve_soon(limit as usize * TAIL_FACTOR).await else { return unavailable() };
    let text = tail_text(api, actor, name, limit).await;
    page(StatusCode::OK, &TailPage { name, text: &text, address: Some(encode(name)), limit }).within(reservation)
}

async fn tail_text(api: &Api, actor: &Actor, name: &str, limit: u64) -> String {
    match api.end_of_process_log(actor, name, Channel::Stdout, limit).await {
        Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(None) => format!("No file for {name}"),
        Err(refusal) => format!("ERROR: {}", refusal::text(&refusal)),
    }
}
