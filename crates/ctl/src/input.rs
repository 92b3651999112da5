//! Standard input, line by line.
//!
//! Reads without a hidden buffer, so that a process in the foreground, the shell and its questions can take turns on
//! the same input.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

/// The longest line, in bytes; a longer one is split.
const MAX_LINE_BYTES: usize = 1 << 20;

/// A source of lines.
pub struct Input {
    lines: Option<Lines>,
}

/// A running [`Input::watch`]; [`Input::resume`] ends it.
pub struct Watch {
    waker: Arc<Waker>,
    thread: JoinHandle<Lines>,
}

struct Lines {
    file: File,
    pending: Vec<u8>,
}

impl Input {
    /// The standard input of this process.
    pub fn standard() -> io::Result<Input> {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Input { lines: Some(Lines { file, pending: Vec::new() }) })
    }

    /// Whether the input is a terminal.
    pub fn is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// Waits for the next line, without its end; none at the end of the input.
    pub fn line(&mut self) -> io::Result<Option<String>> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        loop {
            if let Some(line) = lines.take_line() {
                return Ok(Some(line));
            }
            if !lines.read_more()? {
                return Ok(lines.take_rest());
            }
        }
    }

    /// Waits for the next byte; none at the end of the input. Lines and bytes can be read alternately.
    pub fn byte(&mut self) -> io::Result<Option<u8>> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        if lines.pending.is_empty() && !lines.read_more()? {
            return Ok(None);
        }
        Ok(Some(lines.pending.remove(0)))
    }

    /// Whether the next byte has already been read.
    pub fn has_byte(&self) -> bool {
        self.lines.as_ref().is_some_and(|lines| !lines.pending.is_empty())
    }

    /// Discards the input that was typed before a password prompt, as the terminal does with its own buffer: it is no
    /// answer, and must not become the next action. Input from a pipe is not discarded.
    pub fn discard_typed_ahead(&mut self) {
        if let Some(lines) = self.lines.as_mut().filter(|lines| lines.file.is_terminal()) {
            lines.pending.clear();
        }
    }

    /// Calls `on_line` with every line, and at the end with none, on another thread, as long as `on_line` returns true.
    pub fn watch(&mut self, on_line: impl Fn(Option<String>) -> bool + Send + 'static) -> io::Result<Watch> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut lines = self.lines.take().ok_or_else(|| io::Error::other("the input is in use"))?;
        let thread = thread::Builder::new().name("input".into()).spawn(move || {
            // An input that fails counts as ended.
            drop(lines.watch(poll, on_line));
            lines
        })?;
        Ok(Watch { waker, thread })
    }

    /// Ends a watch and continues where it stopped. The receiver of the lines must not wait for this thread.
    pub fn resume(&mut self, watch: Watch) {
        if watch.waker.wake().is_ok() {
            self.lines = watch.thread.join().ok();
        }
    }
}

const WAKE: Token = Token(0);
const INPUT: Token = Token(1);

impl Lines {
    fn watch(&mut self, mut poll: Poll, on_line: impl Fn(Option<String>) -> bool) -> io::Result<()> {
        let fd = self.file.as_raw_fd();
        // Files and /dev/null cannot be polled: they are always ready.
        let waits = poll.registry().register(&mut SourceFd(&fd), INPUT, Interest::READABLE).is_ok();
        let mut events = Events::with_capacity(4);
        loop {
            while let Some(line) = self.take_line() {
                if !on_line(Some(line)) {
                    return Ok(());
                }
            }
            if waits {
                // Only a new registration reports data that an earlier read left.
                poll.registry().reregister(&mut SourceFd(&fd), INPUT, Interest::READABLE)?;
                match poll.poll(&mut events, None) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => result?,
                }
                if events.iter().any(|event| event.token() == WAKE) {
                    return Ok(());
                }
            }
            if !self.read_more()? {
                if let Some(rest) = self.take_rest() {
                    on_line(Some(rest));
                }
                on_line(None);
                return Ok(());
            }
        }
    }

    /// Reads the available data; false at the end.
    fn read_more(&mut self) -> io::Result<bool> {
        let mut piece = [0; 4096];
        loop {
            match self.file.read(&mut piece) {
                Ok(count) => {
                    self.pending.extend_from_slice(&piece[..count]);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = match self.pending.iter().position(|byte| *byte == b'\n') {
            Some(end) => end,
            None if self.pending.len() >= MAX_LINE_BYTES => return self.take_rest(),
            None => return None,
        };
        let line: Vec<u8> = self.pending.drain(..=end).collect();
        Some(text(&line[..end]))
    }

    fn take_rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| text(&rest))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use super::*;

    fn piped() -> (UnixStream, Input) {
        let (writer, reader) = UnixStream::pair().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        (writer, Input { lines: Some(Lines { file, pending: Vec::new() }) })
    }

    #[test]
    fn lines_end_at_newlines_and_at_the_end() {
        let (mut writer, mut input) = piped();
        writer.write_all(b"one\n\ntwo").unwrap();
        drop(writer);
        assert_eq!(input.line().unwrap().as_deref(), Some("one"));
        assert_eq!(input.line().unwrap().as_deref(), Some(""));
        assert_eq!(input.line().unwrap().as_deref(), Some("two"));
        assert_eq!(input.line().unwrap(), None);
    }

    #[test]
    fn bytes_and_lines_can_be_read_alternately() {
        let (mut writer, mut input) = piped();
        writer.write_all(b"one\ntwo\nx").unwrap();
        drop(writer);
        assert_eq!(input.byte().unwrap(), Some(b'o'));
        assert!(input.has_byte());
        assert_eq!(input.line().unwrap().as_deref(), Some("ne"));
        assert_eq!(input.line().unwrap().as_deref(), Some("two"));
        assert_eq!(input.byte().unwrap(), Some(b'x'));
        assert!(!input.has_byte());
        assert_eq!(input.byte().unwrap(), None);
    }

    #[test]
    fn a_blocked_watch_can_end_and_loses_no_input() {
        let (mut writer, mut input) = piped();
        let (told, heard) = channel();
        writer.write_all(b"one\ntw").unwrap();
        let watch = input.watch(move |line| told.send(line).is_ok()).unwrap();
        assert_eq!(heard.recv().unwrap().as_deref(), Some("one"));
        input.resume(watch);
        writer.write_all(b"o\nthree\n").unwrap();
        assert_eq!(input.line().unwrap().as_deref(), Some("two"));
        assert_eq!(input.line().unwrap().as_deref(), Some("three"));
    }

    #[test]
    fn a_watch_reports_the_end_of_the_input() {
        let (mut writer, mut input) = piped();
        let (told, heard) = channel();
        writer.write_all(b"one\ntwo").unwrap();
        drop(writer);
        let watch = input.watch(move |line| told.send(line).is_ok()).unwrap();
        let all: Vec<_> = heard.iter().collect();
        assert_eq!(all, [Some("one".to_owned()), Some("two".to_owned()), None]);
        input.resume(watch);
    }

    #[test]
    fn endless_lines_are_split() {
        let (mut writer, mut input) = piped();
        let writing = thread::spawn(move || writer.write_all(&vec![b'x'; 2 * MAX_LINE_BYTES]));
        assert!(input.line().unwrap().unwrap().len() >= MAX_LINE_BYTES);
        drop(input);
        drop(writing.join());
    }
}
