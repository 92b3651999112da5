//! Runs a program to its end, with a time limit.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::wait;

/// The result of a finished program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    /// The exit status; 128 + N after death by signal N, as in a shell.
    pub code: i32,
}

impl Output {
    /// Both streams and the status as one text, for comparisons.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("{name}:\n{stream}\n"));
            }
        }
        text.push_str(&format!("exit status {}\n", self.code));
        text
    }
}

/// Runs a program with this text as its stdin. A program that does not end in time is killed, and the test fails.
pub fn run(command: &mut Command, input: &str) -> Output {
    run_within(wait::DEADLINE, command, input).unwrap_or_else(|output| panic!("{command:?} did not end\n{output:?}"))
}

/// Like [`run`], with a limit of its own. The error is the output so far of a program that was killed.
pub fn run_within(limit: Duration, command: &mut Command, input: &str) -> Result<Output, Output> {
    // Files rather than pipes: a leftover child that inherited a pipe would delay its end of file.
    let mut stdin = tempfile::tempfile().expect("a temporary file");
    stdin.write_all(input.as_bytes()).and_then(|()| stdin.rewind()).expect("a temporary file can be written");
    let stdout = tempfile::tempfile().expect("a temporary file");
    let stderr = tempfile::tempfile().expect("a temporary file");
    let duplicate = |file: &File| Stdio::from(file.try_clone().expect("a descriptor"));
    command.stdin(Stdio::from(stdin)).stdout(duplicate(&stdout)).stderr(duplicate(&stderr));
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = wait::poll(limit, || child.try_wait().expect("a child can be waited for"));
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (stdout, stderr) = (content(stdout), content(stderr));
    match status {
        Some(status) => Ok(Output { stdout, stderr, code: shell_code(status) }),
        None => Err(Output { stdout, stderr, code: -1 }),
    }
}

/// The status as the shell's `$?` shows it.
pub fn shell_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn content(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes)).expect("a temporary file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes a program that the test will execute, by another process for the reason that [`copy_program`] has.
pub fn write_program(text: &str, to: &std::path::Path) {
    let written = run(Command::new("sh").args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(to), text);
    assert_eq!(written.code, 0, "{} cannot be written: {}", to.display(), written.stderr);
}

/// Copies a program that the test will execute. Another process copies it: a child that another test is forking could
/// inherit a descriptor of ours that is open for writing, and then exec fails ("Text file busy").
pub fn copy_program(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").args([from, to]).status().expect("cp can be executed");
    assert!(copied.success(), "{} cannot be copied", from.display());
}
