//! The activity log as the output plane writes it: an echo to stdout in the foreground, then the file or the
//! system log.

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::Path;

use supervisord_config::model::{ActivityFormat, ActivityLog, LogLevel};
use supervisord_core::activity_line;
use supervisord_core::rotation::Rotation;
use supervisord_wire::terminal_text::LogFilter;

use super::log_limits::LogLimits;
use super::message::ClearError;
use super::sinks::{SinkId, Sinks};
use crate::activity;

/// The activity log could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// Its path.
    pub path: String,
    /// Why not.
    pub source: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not open the log {}: {}", self.path, self.source)
    }
}

impl std::error::Error for OpenError {}

/// Where the lines go.
pub(super) struct ActivityWriter {
    level: LogLevel,
    format: ActivityFormat,
    echo: Option<SinkId>,
    /// Whether the echo goes to a terminal, which obeys what programs have said and the log repeats.
    echo_obeys: bool,
    /// The file and its path; none for the system log.
    file: Option<(SinkId, String)>,
    rotation: Rotation,
}

impl ActivityWriter {
    /// Opens the log.
    pub fn open(
        log: &ActivityLog,
        limits: &LogLimits,
        (level, format): (LogLevel, ActivityFormat),
        echo_to_stdout: bool,
        sinks: &mut Sinks,
    ) -> Result<ActivityWriter, OpenError> {
        let mut acquire = |path: &str, limits: &LogLimits| {
            sinks.acquire(&path.into(), limits).map_err(|source| OpenError { path: path.to_owned(), source })
        };
        let echo = if echo_to_stdout { Some(acquire("/dev/stdout", &LogLimits::NONE)?) } else { None };
        let file = match log {
            ActivityLog::Syslog => None,
            ActivityLog::File(path) => Some((acquire(path, limits)?, path.clone())),
        };
        let echo_obeys = echo.is_some() && io::stdout().is_terminal();
        Ok(ActivityWriter { level, format, echo, echo_obeys, file, rotation: limits.rotation })
    }

    /// Whether entries of this level are written.
    pub fn wants(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// A log the lines go to that takes no more at present.
    pub fn congested(&self, sinks: &Sinks) -> Option<SinkId> {
        let file = self.file.as_ref().map(|(file, _)| *file);
        self.echo.into_iter().chain(file).find(|sink| sinks.is_congested(*sink))
    }

    /// Writes finished lines, line feeds included; in one step where nothing has to be done between them.
    pub fn write_lines(&self, lines: &[String], sinks: &mut Sinks) {
        let length = lines.iter().map(String::len).sum();
        match &self.file {
            Some((file, _))
                if self.echo.is_none() && lines.len() > 1 && sinks.has_room(*file, length, self.rotation) =>
            {
                sinks.write_lines(*file, lines.concat().as_bytes(), self.rotation);
            }
            _ => lines.iter().for_each(|line| self.write_line(line, sinks)),
        }
    }

    /// Writes a finished line, line feed included.
    fn write_line(&self, line: &str, sinks: &mut Sinks) {
        if let Some(echo) = self.echo {
            match self.echo_obeys {
                true => sinks.write_lines(echo, &LogFilter::default().pass(line.as_bytes()), Rotation::NEVER),
                false => sinks.write_lines(echo, line.as_bytes(), Rotation::NEVER),
            }
        }
        match &self.file {
            Some((file, _)) => sinks.write_lines(*file, line.as_bytes(), self.rotation),
            None => {
                activity_line::syslog_messages(line).for_each(|message| sinks.send_to_system_log(message.as_bytes()));
            }
        }
    }

    /// Writes an entry of the output plane itself. Gives the line, if it is one.
    pub fn log(&self, level: LogLevel, text: &str, sinks: &mut Sinks) -> Option<String> {
        let line = self.wants(level).then(|| activity::stamp(self.format, level, text))?;
        self.write_line(&line, sinks);
        Some(line)
    }

    /// Writes down what the logs have to say. Trouble with the activity log itself goes to stderr too, because the
    /// entry about it may be lost with the rest. Gives the lines.
    pub fn write_notices(&self, sinks: &mut Sinks) -> Vec<String> {
        let mut lines = Vec::new();
        for notice in sinks.take_notices() {
            let is_own = self.file.as_ref().map(|(file, _)| *file) == notice.sink;
            if is_own
                && notice.level <= LogLevel::Error
                && let Ok(stderr) = sinks.acquire(&"/dev/stderr".into(), &LogLimits::NONE)
            {
                sinks.write(
                    stderr,
                    activity::stamp(self.format, notice.level, &notice.text).as_bytes(),
                    Rotation::NEVER,
                );
                sinks.release(stderr);
            }
            lines.extend(self.log(notice.level, &notice.text, sinks));
        }
        lines
    }

    /// Removes the file and begins a new one. As with the original, the lines about it go to the echo and to the file
    /// that is just gone, one line for each of the two.
    pub fn clear(&self, sinks: &mut Sinks) -> Result<(), ClearError> {
        let Some((file, path)) = &self.file else { return Err(ClearError::NoFile) };
        if !Path::new(path).exists() {
            return Err(ClearError::NoFile);
        }
        if !sinks.is_clearable(*file) {
            return Err(ClearError::Failed);
        }
        for _ in [self.echo.is_some(), true].into_iter().filter(|exists| *exists) {
            drop(self.log(LogLevel::Info, "reopening log file", sinks));
        }
        sinks.clear(path).map_err(|_| ClearError::Failed)
    }
}
