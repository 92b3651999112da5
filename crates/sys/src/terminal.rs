//! Terminals: raw mode, passwords, size.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

use crate::fd::{self, FileKind};

/// Whether this descriptor is a terminal.
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    fd.is_terminal()
}

/// Whether a standard stream of this process is a terminal that was closed.
pub fn has_hung_up() -> bool {
    hung_up(io::stdin().as_fd()) || hung_up(io::stdout().as_fd()) || hung_up(io::stderr().as_fd())
}

/// Whether this is a terminal that was closed. A pipe can hang up, too, and is no terminal.
fn hung_up(stream: BorrowedFd<'_>) -> bool {
    // For a closed terminal, even isatty fails.
    let is_device = fd::kind(stream).is_ok_and(|kind| matches!(kind, FileKind::Terminal | FileKind::Device));
    let mut question = [PollFd::new(stream, PollFlags::empty())];
    let is_answered = poll(&mut question, PollTimeout::ZERO).is_ok_and(|answers| answers > 0);
    let events = question[0].revents();
    is_device && is_answered && events.is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// Reads a line from the controlling terminal without echo.
///
/// `Interrupted` for Ctrl-C, `UnexpectedEof` for Ctrl-D on an empty line; ENXIO or ENOENT without a terminal. Text that
/// is not UTF-8 is `InvalidData`.
pub fn read_password(prompt: &str) -> io::Result<String> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    read_password_from(terminal.as_fd(), prompt)
}

fn read_password_from(terminal: BorrowedFd<'_>, prompt: &str) -> io::Result<String> {
    let silent = RawMode::enter(terminal, TypedAhead::Discarded)?;
    fd::write(terminal, prompt.as_bytes())?;
    let line = read_line(terminal);
    fd::write(terminal, b"\n")?;
    drop(silent);
    String::from_utf8(line?).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// What happens to keys that were pressed before a terminal enters raw mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedAhead {
    /// They are read first.
    Kept,
    /// They are discarded, so that a password prompt is visible before the password is typed.
    Discarded,
}

/// Raw mode of a terminal: each key is read at once, without echo. Dropping this restores the old mode, and so does
/// [`restore`].
///
/// Ctrl-C and the like are keys and raise no signals. Return is read as a line feed.
#[derive(Debug)]
pub struct RawMode {
    id: u64,
}

/// The terminals in raw mode, with their old modes.
static SAVED_MODES: Mutex<Vec<SavedMode>> = Mutex::new(Vec::new());

struct SavedMode {
    id: u64,
    terminal: OwnedFd,
    before: Termios,
    /// The screen of a program that fills the terminal.
    screen: Option<OwnedFd>,
}

/// Shows another screen without a cursor (xterm).
const ENTER_SCREEN: &[u8] = b"\x1b[?1049h\x1b[?25l";

/// Shows the former screen and the cursor again.
const LEAVE_SCREEN: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

impl RawMode {
    /// Puts a terminal into raw mode.
    pub fn enter(terminal: BorrowedFd<'_>, typed_ahead: TypedAhead) -> io::Result<RawMode> {
        RawMode::enter_with(terminal, typed_ahead, None)
    }

    /// Puts a terminal into raw mode, and shows an empty screen instead of what was there, which comes back with the old mode.
    pub fn full_screen(terminal: BorrowedFd<'_>, screen: BorrowedFd<'_>) -> io::Result<RawMode> {
        RawMode::enter_with(terminal, TypedAhead::Kept, Some(screen))
    }

    fn enter_with(
        terminal: BorrowedFd<'_>,
        typed_ahead: TypedAhead,
        screen: Option<BorrowedFd<'_>>,
    ) -> io::Result<RawMode> {
        let screen = screen.map(|screen| screen.try_clone_to_owned()).transpose()?;
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let terminal = terminal.try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut mode = before.clone();
        mode.local_flags -=
            LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN;
        mode.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        mode.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        let when = match typed_ahead {
            TypedAhead::Kept => SetArg::TCSADRAIN,
            TypedAhead::Discarded => SetArg::TCSAFLUSH,
        };
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        // Holds the lock, so that [`restore`] sees the change as soon as it is made.
        let mut changed = SAVED_MODES.lock().unwrap_or_else(PoisonError::into_inner);
        tcsetattr(&terminal, when, &mode)?;
        if let Some(screen) = &screen {
            // A terminal that cannot be written to shows nothing anyway.
            let _ = fd::write(screen.as_fd(), ENTER_SCREEN);
        }
        changed.push(SavedMode { id, terminal, before, screen });
        Ok(RawMode { id })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let mut changed = SAVED_MODES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = changed.iter().position(|changed| changed.id == self.id) {
            // Keeps unread input for the next reader.
            changed.remove(place).restore(SetArg::TCSADRAIN);
        }
    }
}

impl SavedMode {
    /// A closed terminal needs no restoration.
    fn restore(self, when: SetArg) {
        if let Some(screen) = &self.screen {
            let _ = fd::write(screen.as_fd(), LEAVE_SCREEN);
        }
        let _ = tcsetattr(&self.terminal, when, &self.before);
    }
}

/// Restores every terminal in raw mode, for a program that is about to exit. It does not wait for output.
pub fn restore() {
    let mut changed = SAVED_MODES.lock().unwrap_or_else(PoisonError::into_inner);
    for changed in changed.drain(..).rev() {
        changed.restore(SetArg::TCSANOW);
    }
}

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// The width.
    pub columns: usize,
    /// The height.
    pub rows: usize,
}

/// The size of a terminal, if known.
pub fn size(terminal: BorrowedFd<'_>) -> Option<TerminalSize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the request writes one `winsize`, which lives for the whole call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    let is_known = result == 0 && size.ws_col > 0 && size.ws_row > 0;
    is_known.then_some(TerminalSize { columns: usize::from(size.ws_col), rows: usize::from(size.ws_row) })
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_BACKSLASH: u8 = 0x1c;
const DELETE: u8 = 0x7f;

/// The longest password, in bytes; the rest of the line is dropped.
const MAX_PASSWORD_BYTES: usize = 4096;

fn read_line(terminal: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let mut key = [0];
        if fd::read(terminal, &mut key)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match key[0] {
            b'\n' | b'\r' => return Ok(line),
            CTRL_C | CTRL_BACKSLASH => return Err(io::ErrorKind::Interrupted.into()),
            CTRL_D if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            CTRL_D => return Ok(line),
            BACKSPACE | DELETE => remove_character(&mut line),
            CTRL_U => line.clear(),
            byte if line.len() < MAX_PASSWORD_BYTES => line.push(byte),
            _ => {}
        }
    }
}

/// Removes the last character with all its bytes.
fn remove_character(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;

    use super::*;

    /// The result for these keys, and the output on the terminal.
    fn type_keys(keys: &[u8]) -> (io::Result<String>, String) {
        let pty = openpty(None, None).unwrap();
        let typist = pty.master.try_clone().unwrap();
        let keys = keys.to_vec();
        let before = tcgetattr(&pty.slave).unwrap();
        // The prompt shows that the terminal is in raw mode: earlier input is discarded.
        let typing = std::thread::spawn(move || {
            let mut shown = read_some(&typist);
            fd::write(typist.as_fd(), &keys).unwrap();
            shown.push_str(&read_some(&typist));
            shown
        });
        let line = read_password_from(pty.slave.as_fd(), "Password:");
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before, "the terminal was not put back");
        (line, typing.join().unwrap())
    }

    fn read_some(typist: &OwnedFd) -> String {
        let mut buffer = [0; 256];
        let count = fd::read(typist.as_fd(), &mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn a_closed_terminal_is_detected() {
        let pty = openpty(None, None).unwrap();
        assert!(!hung_up(pty.slave.as_fd()));
        drop(pty.master);
        assert!(hung_up(pty.slave.as_fd()));
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        assert!(!hung_up(reader.as_fd()), "a pipe is no terminal");
        assert!(!hung_up(File::open("/dev/null").unwrap().as_fd()));
    }

    #[test]
    fn a_line_is_read_without_echo() {
        let (line, shown) = type_keys(b"secret\n");
        assert_eq!(line.unwrap(), "secret");
        assert_eq!(shown.trim_end(), "Password:");
    }

    #[test]
    fn typed_ahead_keys_are_kept_on_request() {
        let pty = openpty(None, None).unwrap();
        fd::write(pty.master.as_fd(), b"one\rtw").unwrap();
        let keys = RawMode::enter(pty.slave.as_fd(), TypedAhead::Kept).unwrap();
        let mut read = Vec::new();
        while read.len() < 6 {
            let mut buffer = [0; 16];
            let count = fd::read(pty.slave.as_fd(), &mut buffer).unwrap();
            read.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(read, b"one\ntw");
        drop(keys);
    }

    #[test]
    fn editing_keys_work() {
        assert_eq!(type_keys("ab\u{e9}\u{7f}\u{8}c\r".as_bytes()).0.unwrap(), "ac");
        assert_eq!(type_keys(b"wrong\x15right\n").0.unwrap(), "right");
        assert_eq!(type_keys(b"\x7f\n").0.unwrap(), "");
    }

    #[test]
    fn ending_keys_work() {
        let kind = |keys| type_keys(keys).0.unwrap_err().kind();
        assert_eq!(kind(b"abc\x03"), io::ErrorKind::Interrupted);
        assert_eq!(kind(b"\x04"), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(b"\xff\n"), io::ErrorKind::InvalidData);
    }
}
