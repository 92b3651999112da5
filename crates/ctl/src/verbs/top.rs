//! `top`: a view of all programs that fills the terminal.

use super::selection::programs;
use super::verb::{Arguments, Completion, DaemonCheck, Flags, Flow, Invocation, Verb};
use crate::failure::Failure;
use crate::session::Session;
use crate::{status, top};

const READ_ONLY: &str = "--read-only";

pub(super) const VERB: Verb = Verb {
    name: "top",
    daemon_check: DaemonCheck::Checked,
    arguments: Arguments::None,
    flags: Flags::Only(&[READ_ONLY]),
    completion: Completion::None,
    help: Some(
        "top\t\t\tAll processes on the whole screen, as they are now; ? lists the keys\n\
         top --read-only\t\tThe same without keys that act\n",
    ),
    run: show,
};

fn show(session: &mut Session, invocation: &Invocation<'_>) -> Result<Flow, Failure> {
    if !top::is_possible(session) {
        session.fail(status::GENERIC, "ERROR: top needs a terminal; elsewhere there is status --watch");
        return Ok(Flow::Continue);
    }
    if programs(session, "top")?.is_some() {
        top::run(session, invocation.words.contains(&READ_ONLY))?;
    }
    Ok(Flow::Continue)
}
