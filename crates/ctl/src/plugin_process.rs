//! The process that runs the Python code of `[ctlplugin:x]` sections, and the connection to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use supervisord_wire::plugin::{BOOTSTRAP, CtlPlugin, FromPlugins, MAX_LINE, package_line};

/// The environment variable that names the interpreter.
const INTERPRETER: &str = "SUPERVISOR_PYTHON";

/// The running plug-in process. It ends when this is dropped.
pub struct PluginProcess {
    child: Child,
    /// None once it should exit.
    stream: Option<BufReader<UnixStream>>,
    next_id: u64,
    /// The plug-ins that it has created.
    pub plugins: Vec<CtlPlugin>,
}

impl PluginProcess {
    /// It inherits standard input and output, so that plug-ins can talk to the user.
    pub fn start() -> io::Result<PluginProcess> {
        let (ours, theirs) = UnixStream::pair()?;
        supervisord_sys::fd::keep_on_exec(theirs.as_fd())?;
        let interpreter = std::env::var_os(INTERPRETER).unwrap_or_else(|| "python3".into());
        let descriptor = theirs.as_raw_fd().to_string();
        let child =
            Command::new(interpreter).args(["-u", "-c", BOOTSTRAP, &descriptor]).stdin(Stdio::inherit()).spawn()?;
        drop(theirs);
        let mut process = PluginProcess { child, stream: Some(BufReader::new(ours)), next_id: 1, plugins: Vec::new() };
        process.write(&package_line())?;
        Ok(process)
    }

    /// The id of the next request.
    pub fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn stream(&mut self) -> io::Result<&mut BufReader<UnixStream>> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends a line.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        self.stream()?.get_mut().write_all(line.as_bytes())
    }

    /// Waits for the next message.
    pub fn read(&mut self) -> io::Result<FromPlugins> {
        let mut line = Vec::new();
        self.stream()?.take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        FromPlugins::parse(&line).map_err(io::Error::other)
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        // It exits when its stream is closed, at the latest after a second.
        drop(self.stream.take());
        let _ = self.child.wait();
    }
}
