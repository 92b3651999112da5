//! SIGINT and the other signals that end the client.
//!
//! At first the signals have their default effect. Once a handler is set, Ctrl-C calls the innermost handler: the shell
//! leaves; a followed log or a process in the foreground ends. The other signals still end the program, after restoring
//! the terminal. A signal that was ignored when the program started stays ignored.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::low_level::emulate_default_handler;
use supervisord_sys::signal::{Signal, Signals, is_ignored};
use supervisord_sys::terminal;

type Handler = Box<dyn Fn() + Send>;

/// The signals that are caught once a handler is set.
const CAUGHT_SIGNALS: [Signal; 4] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup, Signal::Quit];

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

/// Ends the program by a signal as the kernel would, after restoring the terminal.
pub fn exit_by_signal(signal: Signal) {
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
    use std::sync::mpsc::channel;

    use super::*;

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
