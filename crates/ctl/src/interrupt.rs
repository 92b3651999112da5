//! SIGINT and the other signals that end the client.
//!
//! At first the signals have their default effect. Once a handler is set, Ctrl-C calls the innermost handler: the shell
//! leaves; a followed log or a process in the foreground ends. The other signals still end the program, after restoring
//! the terminal. A signal that was ignored when the program started stays ignored.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use signal_hook::low_level::emulate_default_handler;
use supervisord_sys::signal::{Signal, Signals, is_ignored};
use supervisord_sys::terminal;

type Handler = Box<dyn Fn() + Send>;

/// The signals that are caught once a handler is set.
const CAUGHT_SIGNALS: [Signal; 4] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup, Signal::Quit];

/// Held by whoever changes what a full screen shows. The exit by a signal takes it and keeps it, so that nothing is drawn after
/// the terminal was restored.
static DRAWING: Mutex<()> = Mutex::new(());

/// How long the exit by a signal waits for drawing to end, in attempts and the pause between them. Drawing blocks where the
/// terminal takes no output, and the signal must end the program there, too.
const DRAWING_ENDS_WITHIN: (u32, Duration) = (40, Duration::from_millis(5));

/// Holds the handler of Ctrl-C.
#[derive(Clone)]
pub struct Interrupts {
    handler: Arc<Mutex<Handler>>,
    watching: Arc<Mutex<bool>>,
    is_ignored: bool,
}

/// Restores the previous handler when dropped.
pub struct HandlerGuard {
    interrupts: Interrupts,
    previous: Option<Handler>,
}

impl Interrupts {
    /// Leaves Ctrl-C at its default effect, which ends the program.
    pub fn ending_the_program() -> Interrupts {
        let handler: Handler = Box::new(|| exit_by_signal(Signal::Interrupt));
        Interrupts {
            handler: Arc::new(Mutex::new(handler)),
            watching: Arc::new(Mutex::new(false)),
            is_ignored: is_ignored(Signal::Interrupt),
        }
    }

    /// Calls `handler` at Ctrl-C, on another thread, until the returned guard is dropped.
    pub fn handle(&self, handler: impl Fn() + Send + 'static) -> io::Result<HandlerGuard> {
        self.watch()?;
        let previous = Some(self.replace_handler(Box::new(handler)));
        Ok(HandlerGuard { interrupts: self.clone(), previous })
    }

    /// Calls the current handler, unless SIGINT was ignored from the start.
    pub fn call_handler(&self) {
        if !self.is_ignored {
            (self.handler.lock().unwrap_or_else(PoisonError::into_inner))();
        }
    }

    fn replace_handler(&self, handler: Handler) -> Handler {
        let mut current = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, handler)
    }

    /// Catches the signals, once: from now on the terminal may be changed.
    pub fn watch(&self) -> io::Result<()> {
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        if *watching {
            return Ok(());
        }
        let wanted: Vec<Signal> = CAUGHT_SIGNALS.into_iter().filter(|signal| !is_ignored(*signal)).collect();
        let mut signals = Signals::catch(&wanted)?;
        let interrupts = self.clone();
        thread::Builder::new().name("interrupt".into()).spawn(move || {
            while signals.wait(None).is_ok() {
                for signal in signals.drain() {
                    match signal {
                        Signal::Interrupt => interrupts.call_handler(),
                        signal => exit_by_signal(signal),
                    }
                }
            }
        })?;
        *watching = true;
        Ok(())
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        if let Some(previous) = self.previous.take() {
            drop(self.interrupts.replace_handler(previous));
        }
    }
}

/// Changes what a full screen shows. After a signal has begun to end the program, this never returns.
pub fn draw_unless_exiting<T>(draw: impl FnOnce() -> T) -> T {
    draw_holding(&DRAWING, draw)
}

fn draw_holding<T>(drawing: &Mutex<()>, draw: impl FnOnce() -> T) -> T {
    let _drawing = drawing.lock().unwrap_or_else(PoisonError::into_inner);
    draw()
}

/// Waits until nothing is being drawn, and keeps it so until the guard is dropped; none where drawing does not end.
fn end_drawing(drawing: &Mutex<()>) -> Option<MutexGuard<'_, ()>> {
    let (attempts, pause) = DRAWING_ENDS_WITHIN;
    for _ in 0..attempts {
        match drawing.try_lock() {
            Ok(ended) => return Some(ended),
            Err(TryLockError::Poisoned(ended)) => return Some(ended.into_inner()),
            Err(TryLockError::WouldBlock) => thread::sleep(pause),
        }
    }
    None
}

/// Ends the program by a signal as the kernel would, after restoring the terminal.
pub fn exit_by_signal(signal: Signal) {
    let _ended = end_drawing(&DRAWING);
    terminal::restore();
    drop(emulate_default_handler(signal.number()));
}

/// Leaves the shell: prints an empty line and exits with 0, as at any end of a shell.
pub fn leave_shell() -> ! {
    terminal::restore();
    drop(io::stdout().write_all(b"\n"));
    std::process::exit(0);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn nothing_is_drawn_once_an_exit_has_begun() {
        let drawing = Mutex::new(());
        let is_drawn = AtomicBool::new(false);
        let (told, is_about_to_draw) = channel();
        let ended = end_drawing(&drawing).expect("nobody draws");
        thread::scope(|scope| {
            scope.spawn(|| {
                told.send(()).unwrap();
                draw_holding(&drawing, || is_drawn.store(true, Ordering::SeqCst));
            });
            is_about_to_draw.recv().unwrap();
            thread::sleep(Duration::from_millis(20));
            assert!(!is_drawn.load(Ordering::SeqCst));
            drop(ended);
        });
        assert!(is_drawn.load(Ordering::SeqCst));
    }

    #[test]
    fn an_exit_does_not_wait_for_ever_for_a_terminal_that_takes_no_output() {
        let drawing = Mutex::new(());
        draw_holding(&drawing, || assert!(end_drawing(&drawing).is_none()));
        assert!(end_drawing(&drawing).is_some());
    }

    #[test]
    fn the_innermost_handler_is_called_until_it_is_dropped() {
        let (told, heard) = channel();
        let inner = told.clone();
        let interrupts = Interrupts::ending_the_program();
        let outer = interrupts.handle(move || told.send("outer").unwrap()).unwrap();
        let handled = interrupts.handle(move || inner.send("inner").unwrap()).unwrap();
        interrupts.call_handler();
        drop(handled);
        interrupts.call_handler();
        drop(outer);
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["inner", "outer"]);
    }
}
