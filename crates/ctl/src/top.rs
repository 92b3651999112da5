//! `top`: a view of all programs that fills the terminal.
//!
//! [`model`] knows what is shown and what keys mean, and [`view`] draws it; both are without I/O. [`feed`] gets news from the
//! daemon on threads of its own, [`inbox`] waits for them and for keys, and [`screen`] is the terminal.

mod feed;
mod help;
mod inbox;
mod model;
mod news;
mod screen;
mod target;
mod usage;
mod view;

use std::time::{Duration, Instant};

use supervisord_sys::signal::suspend_job;
use supervisord_sys::terminal;

use crate::failure::Failure;
use crate::interrupt::draw_unless_exiting;
use crate::keys::Decoder;
use crate::local_clock;
use crate::session::Session;
use feed::Feed;
use inbox::ScreenInbox;
use model::{Model, Wish};
use news::News;
use screen::Screen;

/// How often the view is drawn again when only the time has gone on.
const REDRAW_AFTER: Duration = Duration::from_secs(1);

/// Escape alone is a key, and the beginning of others, which come within this time.
const ESCAPE_AFTER: Duration = Duration::from_millis(50);

/// How often what is shown of one program is asked for again.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Shows the programs until the user leaves. The terminal is as before afterwards, whatever ends this.
pub fn run(session: &mut Session, is_read_only: bool) -> Result<(), Failure> {
    // Signals that end the program restore the terminal.
    session.interrupts.watch()?;
    let mut inbox = ScreenInbox::new()?;
    let outbox = inbox.outbox();
    let _handled = session.interrupts.handle(move || outbox.send(News::Interrupted))?;
    let feed = Feed::start(&session.settings, inbox.outbox())?;
    let _restored = PanicRestores::new();
    let mut screen = enter(session)?;
    let mut model = Model::new(session.settings.server_url.clone(), is_read_only);
    let mut decoder = Decoder::default();
    let mut looked = None;
    let started = Instant::now();
    loop {
        model.pass(started.elapsed());
        draw_unless_exiting(|| {
            let drawn = screen.draw(|buffer| view::draw(&model, local_clock::now(), buffer));
            session.console.raw(drawn.as_bytes());
        });
        if session.console.is_closed() {
            return Ok(());
        }
        let limit = if decoder.has_escape() { ESCAPE_AFTER } else { REDRAW_AFTER };
        let news = inbox.wait(&mut session.input, limit)?;
        let mut keys = Vec::new();
        if news.is_empty() {
            keys.extend(decoder.end_escape());
        }
        for news in news {
            match news {
                News::Keys(bytes) => keys.extend(bytes.iter().filter_map(|byte| decoder.take(*byte))),
                News::Interrupted | News::InputEnded => return Ok(()),
                News::Resized => {}
                news => model.take(news, started.elapsed()),
            }
        }
        for key in keys {
            match model.press(key, screen.rows()) {
                Some(Wish::Quit) => return Ok(()),
                Some(Wish::Suspend) => {
                    drop(screen);
                    suspend_job();
                    screen = enter(session)?;
                    model.resume();
                }
                Some(Wish::Redraw) => screen.forget(),
                Some(Wish::Act(action, name)) => feed.act(action, name),
                None => {}
            }
        }
        let wanted = model.wanted().map(|target| (target, started.elapsed()));
        looked = match (wanted, looked) {
            (None, _) => None,
            (Some((target, now)), Some((before, at))) if target == before && now < at + LOOK_AFTER => {
                Some((before, at))
            }
            (Some((target, now)), _) => {
                feed.look(target.clone());
                Some((target, now))
            }
        };
    }
}

/// Takes the terminal, unless a signal has begun to end the program.
fn enter(session: &Session) -> Result<Screen, Failure> {
    Ok(draw_unless_exiting(|| Screen::enter(session.console.colour()))?)
}

/// Leaves the full screen before a panic is reported, which would be hidden by it otherwise.
struct PanicRestores;

impl PanicRestores {
    fn new() -> PanicRestores {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            terminal::restore();
            report(panic);
        }));
        PanicRestores
    }
}

impl Drop for PanicRestores {
    fn drop(&mut self) {
        // While a panic unwinds, the hook cannot be replaced.
        if !std::thread::panicking() {
            drop(std::panic::take_hook());
        }
    }
}

/// Whether the terminal can show this.
pub fn is_possible(session: &Session) -> bool {
    session.input.is_terminal() && session.console.moves_cursor()
}
