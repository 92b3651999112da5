//! A program whose three standard streams are a terminal.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{Termios, tcgetattr};

use super::command::shell_code;
use super::scene::Place;
use super::screen::screen;
use super::subject::Program;
use super::wait;

/// What `supervisorctl` says on a terminal while the daemon is silent.
pub const SILENCE_HINT: &str = "has not answered for 5 s: supervisord may be stopped or hung";

/// How long [`Terminal::end_by`] waits for an answer to a key or a signal before it repeats it.
const AGAIN: Duration = Duration::from_secs(10);

/// The two sides of a new pseudo-terminal of this size. No process that another test starts meanwhile inherits them: it would
/// keep the terminal open.
fn pair(rows: u16, columns: u16) -> (File, File) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("it can be opened");
    let name = ptsname_r(&master).expect("it has a name");
    let slave = File::options().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(&name).expect(&name);
    let size = ["rows", &rows.to_string(), "cols", &columns.to_string()].map(str::to_owned);
    let sized = Command::new("stty").args(["-F", &name]).args(size).status();
    assert!(sized.is_ok_and(|status| status.success()), "stty of coreutils");
    (File::from(OwnedFd::from(master)), slave)
}

/// A pseudo-terminal and the program in it, which is killed when this is dropped.
pub struct Terminal {
    master: File,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// The mode of the terminal before the program started.
    pub before: Termios,
}

impl Terminal {
    /// Starts a program in the directory of a scene, as the leader of a session with a new controlling terminal.
    pub fn open(place: &Place, program: &Path, arguments: &[impl AsRef<OsStr>]) -> Terminal {
        Terminal::open_with(place, program, arguments, &[("TERM", Some("xterm"))])
    }

    /// Like [`Terminal::open`], with environment variables to set or to remove.
    pub fn open_with(
        place: &Place,
        program: &Path,
        arguments: &[impl AsRef<OsStr>],
        variables: &[(&str, Option<&str>)],
    ) -> Terminal {
        let (master, slave) = pair(24, 100);
        let before = tcgetattr(&slave).expect("it is one");
        let stream = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut command: Command = place.command(Path::new("setsid"));
        command.arg("--ctty").arg(program).args(arguments);
        for (name, value) in variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().expect("setsid of util-linux");
        drop((command, slave));
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut source, kept) = (master.try_clone().expect("a descriptor"), shown.clone());
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // Reading from the master fails when no process has the terminal open any more.
            while let Ok(count @ 1..) = source.read(&mut piece) {
                kept.lock().expect("no panic while locked").extend_from_slice(&piece[..count]);
            }
        });
        Terminal { master, child, shown, reader: Some(reader), before }
    }

    /// The `supervisorctl` of the subject of a scene, with its configuration.
    pub fn ctl(place: &Place, arguments: &[&str]) -> Terminal {
        let arguments: Vec<&str> = ["-c", "supervisord.conf"].iter().chain(arguments).copied().collect();
        Terminal::open(place, &place.subject.path(Program::Supervisorctl), &arguments)
    }

    /// All output so far, without escape sequences and carriage returns.
    pub fn shown(&self) -> String {
        let bytes = self.shown.lock().expect("no panic while locked").clone();
        let (text, mut plain) = (String::from_utf8_lossy(&bytes).replace('\r', ""), String::new());
        let mut rest = text.as_str();
        while let Some((before, sequence)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            let end = sequence.find(|c: char| c.is_ascii_alphabetic()).map_or(sequence.len(), |end| end + 1);
            rest = &sequence[end..];
        }
        plain + rest
    }

    /// Types keys.
    pub fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("somebody has the terminal open");
    }

    /// Waits until the output meets a condition.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&str) -> bool) {
        let seen = wait::poll(wait::DEADLINE, || condition(&self.shown()).then_some(()));
        assert!(seen.is_some(), "waited in vain until {what}\n{}", self.shown());
    }

    /// Waits until the output contains a text so many times.
    pub fn wait_for(&mut self, text: &str, times: usize) {
        self.wait_until(&format!("{text:?} is shown {times} times"), |shown| shown.matches(text).count() >= times);
    }

    /// Waits until the screen shows a text at one time.
    pub fn wait_on_screen(&mut self, text: &str) {
        let now =
            |shown: &Mutex<Vec<u8>>| screen(&String::from_utf8_lossy(&shown.lock().expect("no panic while locked")));
        let seen = wait::poll(wait::DEADLINE, || now(&self.shown).contains(text).then_some(()));
        assert!(seen.is_some(), "waited in vain for {text:?} on\n{}", now(&self.shown));
    }

    /// The current mode of the terminal.
    pub fn mode(&self) -> Termios {
        tcgetattr(self.master.as_fd()).expect("it is a terminal")
    }

    /// The pid of the program.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits until the program ends; returns the output, and the exit status as in a shell. The output is without the hint
    /// that the daemon has not answered for five seconds: on a busy machine any daemon may be so slow.
    pub fn end(mut self) -> (String, i32) {
        let code = self.wait();
        let shown = self.shown();
        (shown.split_inclusive('\n').filter(|line| !line.contains(SILENCE_HINT)).collect(), code)
    }

    /// Like [`Terminal::end`], with keys or a signal that end the program. They are repeated while it does not end: the
    /// original loses what arrives between its prompt and its being ready to read.
    pub fn end_by(mut self, mut act: impl FnMut(&mut Terminal)) -> (String, i32) {
        loop {
            act(&mut self);
            if wait::poll(AGAIN, || self.child.try_wait().expect("a child can be waited for")).is_some() {
                return self.end();
            }
        }
    }

    /// Like [`Terminal::end`], with all of the output as it is written to the terminal.
    pub fn raw_end(mut self) -> (String, i32) {
        let code = self.wait();
        (String::from_utf8_lossy(&self.shown.lock().expect("no panic while locked")).into_owned(), code)
    }

    fn wait(&mut self) -> i32 {
        let status = wait::poll(wait::DEADLINE, || self.child.try_wait().expect("a child can be waited for"));
        let Some(status) = status else { panic!("it did not end\n{}", self.shown()) };
        if let Some(reader) = self.reader.take() {
            let read = wait::poll(wait::DEADLINE, || reader.is_finished().then_some(()));
            assert!(read.is_some(), "a process that it has left has the terminal open\n{}", self.shown());
            reader.join().expect("the reader does not panic");
        }
        shell_code(status)
    }
}

impl Terminal {
    /// Waits until the program ends; returns the mode of the terminal, and the exit status.
    pub fn mode_after_end(self) -> (Termios, i32) {
        let master = self.master.try_clone().expect("a descriptor");
        let (_, code) = self.end();
        (tcgetattr(&master).expect("it is a terminal"), code)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
