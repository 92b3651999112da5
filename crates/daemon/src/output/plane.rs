//! The loop of the output thread: requests, readiness and what is due.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use supervisord_config::model::LogLevel;
use supervisord_sys::{signal, trusted};

use super::log_limits::LogLimits;
use super::loss_reports::LossReports;
use super::message::{AttachChannel, LogFailure, OutputRequest, Report, RunId};
use super::outlets::Outlets;
use super::pipeline_notes::StreamKey;
use super::queue::{Dropped, OutputHandle};
use super::sinks::SinkId;
use super::state_file::{Outcome, StateFile};
use super::streams::Streams;
use super::transit_recovery::TransitRecovery;

/// The most lines of the activity log that are written at once.
const MOST_LINES: usize = 256;

/// The token of requests. Logs have odd tokens and streams the even ones from 2 on; no number is used twice, so that an
/// event that was still on its way cannot be mistaken for one of a later stream with the same descriptor.
pub(super) const REQUESTS: Token = Token(0);

/// How long the last writes may take when the thread is told to stop.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// The system's error number when there is none to pass on (EIO).
const UNKNOWN_ERROR: i32 = 5;

/// The state of the thread.
pub(super) struct Plane {
    poll: Poll,
    requests: OutputHandle,
    outlets: Outlets,
    streams: Streams,
    state_file: StateFile,
    loss_reports: LossReports,
    /// Lines of the activity log that are to be written next.
    lines: Vec<String>,
    /// Written before anything else.
    recovery: Option<TransitRecovery>,
    is_stopping: bool,
}

impl Plane {
    /// # Errors
    /// The system refuses a descriptor.
    pub fn new(
        poll: Poll,
        requests: OutputHandle,
        outlets: Outlets,
        recovery: Option<TransitRecovery>,
    ) -> io::Result<Plane> {
        let streams = Streams::new(poll.registry().try_clone()?, REQUESTS.0 + 2);
        let state_file = StateFile::default();
        let (loss_reports, lines, is_stopping) = (LossReports::default(), Vec::new(), false);
        Ok(Plane { poll, requests, outlets, streams, state_file, loss_reports, lines, recovery, is_stopping })
    }

    /// Runs until it is told to stop.
    pub fn run(mut self) {
        signal::block_in_this_thread();
        let mut events = Events::with_capacity(256);
        if let Some(recovery) = self.recovery.take() {
            self.outlets.sinks.settle(&recovery);
        }
        self.take_requests();
        while !self.is_stopping {
            self.streams.take_turns(&mut self.outlets);
            self.outlets.sinks.compress_next();
            self.outlets.write_notices();
            self.loss_reports.tell_if_due(&mut self.outlets);
            self.outlets.sinks.end_turn();
            self.wait(&mut events);
            self.elapse();
            self.take_requests();
        }
        self.end(&mut events);
    }

    fn wait(&mut self, events: &mut Events) {
        if let Err(error) = self.poll.poll(events, self.time_to_wait())
            && error.kind() != ErrorKind::Interrupted
        {
            self.outlets.log(LogLevel::Critical, &format!("the output plane cannot wait for events: {error}"));
            std::thread::sleep(Duration::from_secs(1));
        }
        for event in events.iter() {
            if event.token() == REQUESTS {
                self.requests.answer();
                self.streams.control_caught_up();
            } else if let Some(sink) = SinkId::from_token(event.token()) {
                self.outlets.sinks.flush(sink);
            } else {
                self.streams.readable(event.token(), &self.outlets);
            }
        }
    }

    fn time_to_wait(&self) -> Option<Duration> {
        let now = Instant::now();
        let sinks = self.outlets.sinks.next_deadline();
        let next = [self.streams.next_deadline(now), sinks, self.loss_reports.deadline(&self.outlets)];
        let next = next.into_iter().flatten().min();
        let next = next.map(|next| next.saturating_duration_since(now));
        next.into_iter().chain(self.outlets.sinks.time_to_upkeep()).min()
    }

    /// Does what has become due.
    fn elapse(&mut self) {
        let now = Instant::now();
        self.outlets.sinks.give_up_where_due(now);
        self.outlets.sinks.keep_up_where_due();
        self.streams.elapse(now, &mut self.outlets);
    }

    fn take_requests(&mut self) {
        let (requests, dropped) = self.requests.take();
        for request in requests {
            // What is asked for meanwhile may log something itself, but for what concerns only the state file.
            if !matches!(request, OutputRequest::Activity { .. } | OutputRequest::Journal { .. })
                || self.lines.len() >= MOST_LINES
            {
                self.write_lines();
            }
            self.handle(request);
            self.outlets.write_notices();
        }
        self.write_lines();
        self.write_state();
        self.log_dropped(dropped);
    }

    /// Writes the lines of the activity log that have come one after the other.
    fn write_lines(&mut self) {
        if !self.lines.is_empty() {
            self.outlets.write_activity(&self.lines);
            self.requests.progress().advance(self.lines.len() as u64);
            self.lines.clear();
            self.outlets.write_notices();
        }
    }

    fn write_state(&mut self) {
        let written = self.state_file.write();
        self.report_state(written);
    }

    /// Logs that the disk does not take the state file, once until it does, and has control begin it anew.
    fn report_state(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Written => {}
            Outcome::WrittenAgain => {
                self.outlets.log(LogLevel::Info, "the state file is written again");
                (self.outlets.to_control)(Report::StateWritten);
            }
            Outcome::Failed { error, is_new } => {
                if is_new {
                    let text = format!("could not write the state file, will try again: {error}");
                    self.outlets.log(LogLevel::Error, &text);
                }
                (self.outlets.to_control)(Report::StateFailed);
            }
        }
    }

    fn log_dropped(&mut self, dropped: Dropped) {
        if dropped.lines > 0 {
            let text =
                format!("{} activity log lines were dropped because the log could not be written", dropped.lines);
            self.outlets.log(LogLevel::Warn, &text);
        }
        if dropped.audit_lines > 0 {
            let text =
                format!("{} audit log lines were dropped because the log could not be written", dropped.audit_lines);
            self.outlets.log(LogLevel::Error, &text);
        }
        if dropped.bytes > 0 {
            let text = format!("{} bytes of listener output were dropped", dropped.bytes);
            self.outlets.log(LogLevel::Warn, &text);
        }
    }

    fn handle(&mut self, request: OutputRequest) {
        match request {
            OutputRequest::Attach { run, process, channels, reply } => {
                self.write_state();
                match self.open_logs(&channels) {
                    Err(failure) if reply.give(Err(failure.clone())).is_ok() => {}
                    Err(_) => self.attach_anyway(run, &process, channels),
                    Ok(sinks) => {
                        self.forget_earlier(run, &channels);
                        self.streams.attach(run, &process, channels, sinks, &mut self.outlets);
                        // Whoever does not wait for it knows already.
                        let _ = reply.give(Ok(()));
                    }
                }
            }
            OutputRequest::Answer { reply } => {
                // Whoever does not wait for it has given up.
                let _ = reply.give(());
            }
            OutputRequest::Resume { run, process, channels } => self.resume(run, &process, channels),
            OutputRequest::Spawned { run, pid } => self.streams.set_pid(run, pid),
            OutputRequest::Mark { run, text } => self.streams.mark(run, &text, &mut self.outlets),
            OutputRequest::Drain { run, marker } => {
                let end = self.streams.drain(run, marker.as_deref(), &mut self.outlets);
                // Control forgets which program it was.
                self.loss_reports.tell(&mut self.outlets);
                (self.outlets.to_control)(Report::Drained { run, end });
            }
            OutputRequest::Detach { run } => self.streams.detach(run, &mut self.outlets),
            OutputRequest::Write { run, channel, bytes } => self.streams.write(run, channel, &bytes, &mut self.outlets),
            OutputRequest::Activity { line } => self.lines.push(line),
            OutputRequest::Audit { line } => self.outlets.audit.write(&line, &mut self.outlets.sinks),
            OutputRequest::Reopen => self.outlets.sinks.reopen_all(),
            OutputRequest::ClearLogs { files, reply } => reply(self.clear_logs(&files)),
            OutputRequest::ClearActivity { reply } => reply(self.outlets.activity.clear(&mut self.outlets.sinks)),
            OutputRequest::CreateAuto { path } => self.create_auto(&path),
            OutputRequest::StripAnsi(on) => {
                self.outlets.strip_ansi = on;
                self.streams.set_strip_ansi(on, &mut self.outlets);
            }
            OutputRequest::Copy => (self.outlets.to_control)(Report::Copies(self.streams.copies())),
            OutputRequest::JournalBegin { path, content } => {
                let begun = self.state_file.begin(&path, &content);
                self.report_state(begun);
            }
            OutputRequest::Journal { line } => self.state_file.append(&line),
            OutputRequest::Forward { run, channel, plan } => {
                self.streams.forward(run, channel, plan, &mut self.outlets);
            }
            OutputRequest::KeepInMemory { run, channel, plan } => {
                self.streams.keep_in_memory(run, channel, plan.as_ref(), &mut self.outlets);
            }
            OutputRequest::Forwarding(entries) => self.outlets.log_all(entries),
            OutputRequest::Compressed(end) => self.outlets.sinks.end_compression(end),
            OutputRequest::JournalEnd { path } => self.state_file.end(&path),
            OutputRequest::Kept(is_kept) => {
                if let Some(transit) = self.outlets.sinks.transit() {
                    transit.set_kept(is_kept);
                }
            }
            OutputRequest::HandOver { reply } => {
                let streams = self.streams.hand_over(&mut self.outlets);
                self.is_stopping = true;
                // Nobody waits for them only when the daemon is ending anyway.
                let _ = reply.send(streams);
            }
            OutputRequest::Stop => self.is_stopping = true,
        }
    }

    /// Opens the log of each channel, or none.
    fn open_logs(&mut self, channels: &[AttachChannel]) -> Result<Vec<Option<SinkId>>, LogFailure> {
        let mut opened = Vec::with_capacity(channels.len());
        for AttachChannel { plan, .. } in channels {
            let Some(path) = &plan.file else {
                opened.push(None);
                continue;
            };
            match self.outlets.sinks.acquire(path, &LogLimits::of(plan)) {
                Ok(sink) => {
                    self.outlets.sinks.set_policy(sink, plan.when_blocked);
                    opened.push(Some(sink));
                }
                Err(error) => {
                    opened.into_iter().flatten().for_each(|sink| self.outlets.sinks.release(sink));
                    return Err(LogFailure { path: path.clone(), error: error.into() });
                }
            }
        }
        Ok(opened)
    }

    /// Reads the pipes of a process that runs although nobody knew whether its logs can be opened: what cannot be
    /// written is lost and counted, and the process is never held up.
    fn attach_anyway(&mut self, run: RunId, process: &Arc<str>, channels: Vec<AttachChannel>) {
        self.forget_earlier(run, &channels);
        let acquire = |AttachChannel { plan, .. }: &AttachChannel| {
            let sink = self.outlets.sinks.acquire_anyway(plan.file.as_ref()?, &LogLimits::of(plan));
            self.outlets.sinks.set_policy(sink, plan.when_blocked);
            Some(sink)
        };
        let sinks = channels.iter().map(acquire).collect();
        self.streams.attach(run, process, channels, sinks, &mut self.outlets);
    }

    /// A new run does not inherit the state of an earlier run with the same number, which was not taken over.
    fn forget_earlier(&mut self, run: RunId, channels: &[AttachChannel]) {
        channels.iter().for_each(|channel| self.outlets.sinks.forget(StreamKey::new(run, channel.channel)));
    }

    fn resume(&mut self, run: RunId, process: &Arc<str>, channels: Vec<AttachChannel>) {
        let acquire = |AttachChannel { plan, .. }: &AttachChannel| {
            let sink = self.outlets.sinks.acquire_later(plan.file.as_ref()?, &LogLimits::of(plan));
            self.outlets.sinks.set_policy(sink, plan.when_blocked);
            Some(sink)
        };
        let sinks = channels.iter().map(acquire).collect();
        self.streams.attach(run, process, channels, sinks, &mut self.outlets);
    }

    fn clear_logs(&mut self, files: &[String]) -> Result<(), i32> {
        self.streams.clear_captures(files, &mut self.outlets);
        let mut outcome = Ok(());
        for file in files {
            if let Err(error) = self.outlets.sinks.clear(file) {
                outcome = outcome.and(Err(error.raw_os_error().unwrap_or(UNKNOWN_ERROR)));
            }
        }
        outcome
    }

    fn create_auto(&mut self, path: &str) {
        if let Err(error) = create_private(path) {
            self.outlets.log(LogLevel::Error, &format!("could not create {path}: {error}"));
        }
    }

    /// Reads and writes what is left everywhere.
    fn end(mut self, events: &mut Events) {
        self.outlets.sinks.abandon_compression();
        self.outlets.sinks.end_policies();
        self.streams.drain_all(&mut self.outlets);
        self.outlets.write_notices();
        self.outlets.end_forwarding();
        let deadline = Instant::now() + LAST_WRITES;
        while self.outlets.sinks.is_any_behind() && Instant::now() < deadline {
            self.wait(events);
            self.outlets.sinks.give_up_where_due(Instant::now());
        }
        self.outlets.sinks.close_behind();
        self.outlets.sinks.note_waiting();
        self.loss_reports.tell(&mut self.outlets);
        self.outlets.sinks.close_system_log();
        self.outlets.write_notices();
        self.requests.close();
    }
}

fn create_private(path: &str) -> io::Result<()> {
    trusted::create_new(path, 0o600).map(drop)
}
