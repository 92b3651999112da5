//! `status --watch`: the same table again whenever something has changed.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use supervisord_sys::terminal;

use super::selection::{lacks_json, say_json_is_missing};
use crate::failure::Failure;
use crate::session::Session;

pub(super) const WATCH: &str = "--watch";

/// How often a terminal is drawn again when nothing changes but the times.
const REDRAW_AFTER: Duration = Duration::from_secs(1);

/// The least time between two tables.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// The pause before another attempt to reach a daemon that does not answer.
const RECONNECT_AFTER: Duration = Duration::from_millis(250);

/// Shows what `draw` returns until Ctrl-C: on a terminal in the place of the last one, else below it.
pub(super) fn watch(
    session: &mut Session,
    mut draw: impl FnMut(&mut Session) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let mut shown = Shown { text: None, clears: session.console.moves_cursor() };
    loop {
        match watch_one(session, &mut draw, &mut shown) {
            Ok(Watched::Interrupted) => break,
            Ok(Watched::Disconnected) => {}
            Err(Failure::Client(error)) if lacks_json(&error) => {
                say_json_is_missing(session, "status --watch");
                break;
            }
            // It has been reached before: it is being replaced or started again.
            Err(Failure::Client(error)) if error.is_passing() && shown.text.is_some() => {
                shown.show(session, "supervisord does not answer; trying again (Ctrl-C to give up)\n".to_owned());
            }
            Err(failure) => return Err(failure),
        }
        session.disconnect();
        thread::sleep(RECONNECT_AFTER);
    }
    Ok(())
}

enum Watched {
    Interrupted,
    Disconnected,
}

fn watch_one(
    session: &mut Session,
    draw: &mut impl FnMut(&mut Session) -> Result<String, Failure>,
    shown: &mut Shown,
) -> Result<Watched, Failure> {
    // First, so that no change is missed.
    let mut changes = session.client()?.changes()?;
    let (interrupted, stopper) = (Arc::new(AtomicBool::new(false)), changes.stopper());
    let flag = Arc::clone(&interrupted);
    let _handled = session.interrupts.handle(move || {
        flag.store(true, Ordering::SeqCst);
        stopper.stop();
    })?;
    loop {
        let next = changes.next_within(REDRAW_AFTER);
        if interrupted.load(Ordering::SeqCst) || session.console.is_closed() {
            return Ok(Watched::Interrupted);
        }
        match next {
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_)) | None) => return Ok(Watched::Disconnected),
            // Times go on, which only a terminal shows.
            Err(_) if shown.clears => {}
            Err(_) => continue,
        }
        let text = draw(session)?;
        shown.show(session, text);
        thread::sleep(LEAST_PAUSE);
    }
}

/// What the reader has seen last.
struct Shown {
    text: Option<String>,
    /// Whether each text takes the place of the last one.
    clears: bool,
}

impl Shown {
    fn show(&mut self, session: &mut Session, text: String) {
        if self.text.as_ref() == Some(&text) {
            return;
        }
        if self.clears {
            let rows = terminal::size(io::stdout().as_fd()).map_or(usize::MAX, |size| size.rows.saturating_sub(1));
            session.console.raw(screen(&text, self.text.is_none(), rows).as_bytes());
        } else {
            let gap = if self.text.is_some() { "\n" } else { "" };
            session.console.raw(format!("{gap}{text}").as_bytes());
        }
        self.text = Some(text);
    }
}

/// The sequences that show as many lines as there is room for, in the place of what was there.
fn screen(text: &str, is_first: bool, rows: usize) -> String {
    let mut screen = String::from(if is_first { "\x1b[H\x1b[2J" } else { "\x1b[H" });
    for line in text.lines().take(rows) {
        screen.push_str(line);
        screen.push_str("\x1b[K\n");
    }
    screen.push_str("\x1b[J");
    screen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_drawn_over_the_last_one_and_not_beyond_the_terminal() {
        assert_eq!(screen("a\nb\nc\n", true, 2), "\x1b[H\x1b[2Ja\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(screen("a\n", false, 2), "\x1b[Ha\x1b[K\n\x1b[J");
    }
}
