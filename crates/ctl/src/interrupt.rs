//! Signals from the keyboard and from outside.
//!
//! Until somebody asks, they act as the kernel has it. Then Ctrl-C does what the innermost part of the program wants: the
//! shell makes it a way to leave; a followed log or a process in the foreground makes it end just that. The other signals
//! still end the program, but not before the terminal is what it was. A signal that was ignored when the program
//! started stays ignored.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::low_level::emulate_default_handler;
use supervisord_sys::signal::{Signal, Signals, is_ignored};
use supervisord_sys::terminal;

type Reaction = Box<dyn Fn() + Send>;

/// What is caught once somebody asks.
const CAUGHT: [Signal; 4] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup, Signal::Quit];

/// Decides what Ctrl-C does.
#[derive(Clone)]
pub struct Interrupts {
    reaction: Arc<Mutex<Reaction>>,
    watching: Arc<Mutex<bool>>,
    is_ignored: bool,
}

/// Restores the previous reaction when dropped.
pub struct Handled {
    interrupts: Interrupts,
    previous: Option<Reaction>,
}

impl Interrupts {
    /// Leaves Ctrl-C alone: it ends the program as the kernel does.
    pub fn fatal() -> Interrupts {
        let reaction: Reaction = Box::new(|| die_of(Signal::Interrupt));
        Interrupts {
            reaction: Arc::new(Mutex::new(reaction)),
            watching: Arc::new(Mutex::new(false)),
            is_ignored: is_ignored(Signal::Interrupt),
        }
    }

    /// Does this at Ctrl-C, on another thread, for as long as the returned value lives.
    pub fn handle(&self, reaction: impl Fn() + Send + 'static) -> io::Result<Handled> {
        self.watch()?;
        let previous = Some(self.exchange(Box::new(reaction)));
        Ok(Handled { interrupts: self.clone(), previous })
    }

    /// Does at once what Ctrl-C does now: nothing where it was ignored from the start.
    pub fn react(&self) {
        if !self.is_ignored {
            (self.reaction.lock().unwrap_or_else(PoisonError::into_inner))();
        }
    }

    fn exchange(&self, reaction: Reaction) -> Reaction {
        let mut current = self.reaction.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, reaction)
    }

    /// Takes the signals over, once: from now on the terminal may be changed.
    pub fn watch(&self) -> io::Result<()> {
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        if *watching {
            return Ok(());
        }
        let wanted: Vec<Signal> = CAUGHT.into_iter().filter(|signal| !is_ignored(*signal)).collect();
        let mut signals = Signals::catch(&wanted)?;
        let interrupts = self.clone();
        thread::Builder::new().name("interrupt".into()).spawn(move || {
            while signals.wait(None).is_ok() {
                for signal in signals.drain() {
                    match signal {
                        Signal::Interrupt => interrupts.react(),
                        signal => die_of(signal),
                    }
                }
            }
        })?;
        *watching = true;
        Ok(())
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        if let Some(previous) = self.previous.take() {
            drop(self.interrupts.exchange(previous));
        }
    }
}

/// Ends the program as the kernel would, with the terminal as it was before.
pub fn die_of(signal: Signal) {
    terminal::restore();
    drop(emulate_default_handler(signal.number()));
}

/// Leaves the shell: an empty line, and success, as always when a shell ends.
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
    fn the_innermost_reaction_counts_until_it_is_dropped() {
        let (told, heard) = channel();
        let inner = told.clone();
        let interrupts = Interrupts::fatal();
        let outer = interrupts.handle(move || told.send("outer").unwrap()).unwrap();
        let handled = interrupts.handle(move || inner.send("inner").unwrap()).unwrap();
        interrupts.react();
        drop(handled);
        interrupts.react();
        drop(outer);
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["inner", "outer"]);
    }
}
