//! Daemons of the original are asked for their programs now and then, and starts that were left out are made up for.

use std::rc::Rc;
use std::time::Duration;

use supervisord_wire::terminal_text::escaped_in_line;

use super::context::HubContext;
use super::left_out_starts;
use super::python_look::look;

/// How often a daemon is asked for its programs.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Asks a daemon for its programs, for ever.
pub(super) async fn watch(context: Rc<HubContext>, number: usize) {
    let Some(member) = context.python.get(number) else { return };
    let mut told = None;
    loop {
        let problem = look(&context, member).await.err();
        if problem.is_none() {
            left_out_starts::make_up(&context, member).await;
        }
        // A daemon that is away is away each time in the same way.
        if let Some(problem) = problem.as_ref().filter(|problem| told.as_ref() != Some(*problem)) {
            (context.log)(&format!("--python {}: {}", member.name(), escaped_in_line(problem)));
        }
        told = problem;
        tokio::time::sleep(ASK_EVERY).await;
    }
}
