//! Ctrl-C.
//!
//! Until somebody asks, it simply ends the program. The shell makes it a way to leave; a followed log or a process
//! in the foreground makes it end just that.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::low_level::{emulate_default_handler, pipe};

type Reaction = Box<dyn Fn() + Send>;

/// Decides what Ctrl-C does.
#[derive(Clone)]
pub struct Interrupts {
    reaction: Arc<Mutex<Reaction>>,
    watching: Arc<Mutex<bool>>,
}

/// Restores the previous reaction when dropped.
pub struct Handled {
    interrupts: Interrupts,
    previous: Option<Reaction>,
}

impl Interrupts {
    /// Leaves Ctrl-C alone: it ends the program as the kernel does.
    pub fn fatal() -> Interrupts {
        let reaction: Reaction = Box::new(|| drop(emulate_default_handler(SIGINT)));
        Interrupts { reaction: Arc::new(Mutex::new(reaction)), watching: Arc::new(Mutex::new(false)) }
    }

    /// Does this at Ctrl-C, on another thread, for as long as the returned value lives.
    pub fn handle(&self, reaction: impl Fn() + Send + 'static) -> io::Result<Handled> {
        self.watch()?;
        let previous = Some(self.exchange(Box::new(reaction)));
        Ok(Handled { interrupts: self.clone(), previous })
    }

    /// Does at once what Ctrl-C does now.
    pub fn react(&self) {
        (self.reaction.lock().unwrap_or_else(PoisonError::into_inner))();
    }

    fn exchange(&self, reaction: Reaction) -> Reaction {
        let mut current = self.reaction.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, reaction)
    }

    /// Takes the signal over, once.
    fn watch(&self) -> io::Result<()> {
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        if *watching {
            return Ok(());
        }
        let (mut arrivals, writer) = UnixStream::pair()?;
        pipe::register(SIGINT, writer)?;
        let interrupts = self.clone();
        thread::Builder::new().name("interrupt".into()).spawn(move || {
            while matches!(arrivals.read(&mut [0; 64]), Ok(1..)) {
                interrupts.react();
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

/// Leaves the shell: an empty line, and success, as always when a shell ends.
pub fn leave_shell() -> ! {
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
