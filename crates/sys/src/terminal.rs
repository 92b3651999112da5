//! The terminal of a person.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

use crate::fd::{self, FileKind};

/// Whether a person is likely to be at the other end of this descriptor.
pub fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    fd.is_terminal()
}

/// Whether a standard stream of this process leads to a terminal that is gone.
pub fn has_hung_up() -> bool {
    hung_up(io::stdin().as_fd()) || hung_up(io::stdout().as_fd()) || hung_up(io::stderr().as_fd())
}

/// Whether this is a terminal that is gone. A pipe can be hung up, too, and is no terminal.
fn hung_up(stream: BorrowedFd<'_>) -> bool {
    // One that is gone does not even say that it is a terminal.
    let is_device = fd::kind(stream).is_ok_and(|kind| matches!(kind, FileKind::Terminal | FileKind::Device));
    let mut question = [PollFd::new(stream, PollFlags::empty())];
    let is_answered = poll(&mut question, PollTimeout::ZERO).is_ok_and(|answers| answers > 0);
    let events = question[0].revents();
    is_device && is_answered && events.is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// Asks on the controlling terminal for a line that is not shown while it is typed.
///
/// `Interrupted` for Ctrl-C, `UnexpectedEof` for Ctrl-D on an empty line; ENXIO or ENOENT without a terminal. Text that
/// is not UTF-8 is `InvalidData`.
pub fn read_password(prompt: &str) -> io::Result<String> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    read_password_from(terminal.as_fd(), prompt)
}

fn read_password_from(terminal: BorrowedFd<'_>, prompt: &str) -> io::Result<String> {
    let silent = KeyByKey::enter(terminal, TypedAhead::Discarded)?;
    fd::write(terminal, prompt.as_bytes())?;
    let line = read_line(terminal);
    fd::write(terminal, b"\n")?;
    drop(silent);
    String::from_utf8(line?).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// What becomes of keys that were pressed before a terminal is read key by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedAhead {
    /// They are the first that are read.
    Kept,
    /// They are thrown away: who is asked for a password must see the question first.
    Discarded,
}

/// A terminal that hands over every key at once and shows none. It is put back when this goes out of scope, and by
/// [`restore`].
///
/// Ctrl-C and the like are keys here and no signals. Return still reads as a line feed.
#[derive(Debug)]
pub struct KeyByKey {
    id: u64,
}

/// The terminals that are read key by key, with their modes of before.
static CHANGED: Mutex<Vec<Changed>> = Mutex::new(Vec::new());

struct Changed {
    id: u64,
    terminal: OwnedFd,
    before: Termios,
}

impl KeyByKey {
    /// Changes the mode of a terminal.
    pub fn enter(terminal: BorrowedFd<'_>, typed_ahead: TypedAhead) -> io::Result<KeyByKey> {
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
        // Under the lock, so that whoever puts terminals back finds this one as soon as it is changed.
        let mut changed = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
        tcsetattr(&terminal, when, &mode)?;
        changed.push(Changed { id, terminal, before });
        Ok(KeyByKey { id })
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        let mut changed = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = changed.iter().position(|changed| changed.id == self.id) {
            // What was typed too much stays for the next reader.
            changed.remove(place).put_back(SetArg::TCSADRAIN);
        }
    }
}

impl Changed {
    /// A terminal that is gone needs nothing.
    fn put_back(self, when: SetArg) {
        let _ = tcsetattr(&self.terminal, when, &self.before);
    }
}

/// Puts back every terminal that is read key by key, for a program that is about to end. It does not wait for output.
pub fn restore() {
    let mut changed = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
    for changed in changed.drain(..).rev() {
        changed.put_back(SetArg::TCSANOW);
    }
}

/// The number of columns of a terminal, where it is known.
pub fn columns(terminal: BorrowedFd<'_>) -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the request writes one `winsize`, which lives for the whole call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_BACKSLASH: u8 = 0x1c;
const DELETE: u8 = 0x7f;

/// More than this is not a password; the rest of the line is dropped.
const LONGEST: usize = 4096;

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
            byte if line.len() < LONGEST => line.push(byte),
            _ => {}
        }
    }
}

/// The last one, with all its bytes.
fn remove_character(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;

    use super::*;

    /// What is returned for these keys, and what the terminal showed.
    fn type_keys(keys: &[u8]) -> (io::Result<String>, String) {
        let pty = openpty(None, None).unwrap();
        let typist = pty.master.try_clone().unwrap();
        let keys = keys.to_vec();
        let before = tcgetattr(&pty.slave).unwrap();
        // The prompt says that the terminal listens: what is typed earlier is thrown away.
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
    fn a_terminal_that_is_gone_is_told_from_others() {
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
    fn a_line_is_read_and_not_shown() {
        let (line, shown) = type_keys(b"secret\n");
        assert_eq!(line.unwrap(), "secret");
        assert_eq!(shown.trim_end(), "Password:");
    }

    #[test]
    fn keys_typed_before_are_kept_where_that_is_wanted() {
        let pty = openpty(None, None).unwrap();
        fd::write(pty.master.as_fd(), b"one\rtw").unwrap();
        let keys = KeyByKey::enter(pty.slave.as_fd(), TypedAhead::Kept).unwrap();
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
    fn keys_that_edit_work() {
        assert_eq!(type_keys("ab\u{e9}\u{7f}\u{8}c\r".as_bytes()).0.unwrap(), "ac");
        assert_eq!(type_keys(b"wrong\x15right\n").0.unwrap(), "right");
        assert_eq!(type_keys(b"\x7f\n").0.unwrap(), "");
    }

    #[test]
    fn keys_that_end_it_work() {
        let kind = |keys| type_keys(keys).0.unwrap_err().kind();
        assert_eq!(kind(b"abc\x03"), io::ErrorKind::Interrupted);
        assert_eq!(kind(b"\x04"), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(b"\xff\n"), io::ErrorKind::InvalidData);
    }
}
