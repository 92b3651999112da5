//! The loop of the output thread: requests, readiness, and a fair turn for every stream with something to read.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use supervisord_config::model::LogLevel;
use supervisord_core::output::{Channel, ChannelPlan};
use supervisord_core::rotation::Rotation;
use supervisord_sys::trusted;

use super::leftover::Leftover;
use super::outlets::Outlets;
use super::pipeline_notes::StreamKey;
use super::queue::{Dropped, OutputHandle};
use super::sinks::SinkId;
use super::state_file::{Outcome, StateFile};
use super::stream::{PIECE, Stream, Turn};
use super::{AttachChannel, HandedStream, LogFailure, Report, Request, RunId};

/// How many bytes are moved before requests are looked at again.
const ROUND: usize = 8 << 20;

/// The token of requests. Logs have odd tokens and streams the even ones from 2 on; no number is used twice, so that an
/// event that was still on its way cannot be mistaken for one of a later stream with the same descriptor.
pub(super) const REQUESTS: Token = Token(0);

/// How often a pipe is read that cannot be watched.
const WITHOUT_WATCH: Duration = Duration::from_millis(100);

/// How often pipes that were grown are looked at, while there are any.
const SWEEP: Duration = Duration::from_secs(5);

/// How long the last writes may take when the thread is told to stop.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// The system's error number when there is none to pass on (EIO).
const UNKNOWN_ERROR: i32 = 5;

/// The state of the thread.
pub(super) struct Plane {
    poll: Poll,
    requests: OutputHandle,
    outlets: Outlets,
    /// Boxed, because a table is at least half empty after it has grown.
    streams: HashMap<Token, Box<Stream>>,
    runs: HashMap<RunId, Vec<Token>>,
    /// Streams that may have something to read, in the order of their turns.
    ready: VecDeque<Token>,
    /// Busy streams that wait for their time.
    later: BinaryHeap<Reverse<(Instant, Token)>>,
    /// Streams that wait until control has dealt with what was reported.
    waiting_for_control: Vec<Token>,
    /// Streams that wait until their log takes more.
    waiting_for_sink: Vec<(SinkId, Token)>,
    next_token: usize,
    /// When pipes that were grown are looked at.
    next_sweep: Option<Instant>,
    buffer: Vec<u8>,
    state_file: StateFile,
    /// Written before anything else.
    leftover: Option<Leftover>,
    is_stopping: bool,
}

impl Plane {
    pub fn new(poll: Poll, requests: OutputHandle, outlets: Outlets, leftover: Option<Leftover>) -> Plane {
        Plane {
            poll,
            requests,
            outlets,
            streams: HashMap::new(),
            runs: HashMap::new(),
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            waiting_for_control: Vec::new(),
            waiting_for_sink: Vec::new(),
            next_token: REQUESTS.0 + 2,
            next_sweep: None,
            buffer: vec![0; PIECE],
            state_file: StateFile::default(),
            leftover,
            is_stopping: false,
        }
    }

    /// Runs until it is told to stop.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(256);
        if let Some(leftover) = self.leftover.take() {
            self.outlets.sinks.settle(&leftover);
        }
        self.take_requests();
        while !self.is_stopping {
            self.read_ready();
            self.wait(&mut events);
            self.keep_time();
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
                self.ready.extend(self.waiting_for_control.drain(..));
            } else if let Some(sink) = SinkId::from_token(event.token()) {
                self.outlets.sinks.flush(sink);
            } else {
                self.make_ready_when_due(event.token());
            }
        }
    }

    fn time_to_wait(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let later = self.later.peek().map(|Reverse((due, _))| *due);
        let next = [later, self.outlets.sinks.next_deadline(), self.next_sweep].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Does what has become due.
    fn keep_time(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((due, token))) = self.later.peek().copied()
            && due <= now
        {
            self.later.pop();
            self.ready.push_back(token);
        }
        self.outlets.sinks.give_up_where_due(now);
        self.resume_writers();
        self.sweep(now);
    }

    /// Lets streams go on whose log takes more again.
    fn resume_writers(&mut self) {
        for (sink, token) in mem::take(&mut self.waiting_for_sink) {
            if self.outlets.sinks.is_congested(sink) {
                self.waiting_for_sink.push((sink, token));
            } else {
                self.ready.push_back(token);
            }
        }
    }

    /// Makes the pipes of streams small again that are no longer busy.
    fn sweep(&mut self, now: Instant) {
        if self.next_sweep.is_none_or(|due| due > now) {
            return;
        }
        for stream in self.streams.values_mut() {
            stream.calm_down(now);
        }
        self.next_sweep = self.streams.values().any(|stream| stream.is_grown()).then_some(now + SWEEP);
        if self.next_sweep.is_none()
            && let Some(transit) = self.outlets.sinks.transit()
        {
            transit.give_back_memory();
        }
    }

    fn make_ready(&mut self, token: Token) {
        if let Some(stream) = self.streams.get_mut(&token)
            && !stream.is_queued
        {
            stream.is_queued = true;
            self.ready.push_back(token);
        }
    }

    fn make_ready_when_due(&mut self, token: Token) {
        let Some(stream) = self.streams.get_mut(&token) else { return };
        match stream.due(&self.outlets) {
            Some(due) if !stream.is_queued && due > Instant::now() => {
                stream.unwatch(self.poll.registry());
                self.make_ready_at(due, token);
            }
            _ => self.make_ready(token),
        }
    }

    fn make_ready_at(&mut self, due: Instant, token: Token) {
        if let Some(stream) = self.streams.get_mut(&token) {
            stream.is_queued = true;
            self.later.push(Reverse((due, token)));
        }
    }

    /// Leaves an empty pipe alone until the loop tells that there is something.
    fn rest(&mut self, token: Token) {
        if let Some(stream) = self.streams.get_mut(&token)
            && stream.watch(self.poll.registry()).is_err()
        {
            // The system has no room for one more watch. Better to look now and then than never.
            self.make_ready_at(Instant::now() + WITHOUT_WATCH, token);
        }
    }

    /// Gives each ready stream one turn, as long as that does not keep requests waiting for too long.
    fn read_ready(&mut self) {
        let mut moved = 0;
        for _ in 0..self.ready.len() {
            if moved >= ROUND {
                break;
            }
            let Some(token) = self.ready.pop_front() else { break };
            let Some(stream) = self.streams.get_mut(&token) else { continue };
            if stream.causes_reports() && self.outlets.budget.is_exhausted() {
                self.waiting_for_control.push(token);
                continue;
            }
            if let Some(sink) = stream.congested(&self.outlets) {
                self.waiting_for_sink.push((sink, token));
                continue;
            }
            stream.is_queued = false;
            let turn = stream.take_turn(&mut self.buffer, self.poll.registry(), &mut self.outlets);
            if self.next_sweep.is_none() && stream.is_grown() {
                self.next_sweep = Some(Instant::now() + SWEEP);
            }
            match turn {
                Turn::More(count) => {
                    moved += count;
                    self.make_ready_when_due(token);
                }
                Turn::Empty => self.rest(token),
                Turn::Closed => {}
            }
        }
        self.outlets.write_notices();
    }

    fn take_requests(&mut self) {
        let (requests, dropped) = self.requests.take();
        for request in requests {
            self.handle(request);
            self.outlets.write_notices();
        }
        self.write_state();
        self.say_dropped(dropped);
    }

    fn write_state(&mut self) {
        let written = self.state_file.write();
        self.tell_of_state(written);
    }

    /// Logs that the disk does not take the state file, once until it does, and has control begin it anew.
    fn tell_of_state(&mut self, outcome: Outcome) {
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

    fn say_dropped(&mut self, dropped: Dropped) {
        if dropped.lines > 0 {
            let text =
                format!("{} activity log lines were dropped because the log could not be written", dropped.lines);
            self.outlets.log(LogLevel::Warn, &text);
        }
        if dropped.bytes > 0 {
            let text = format!("{} bytes of listener output were dropped", dropped.bytes);
            self.outlets.log(LogLevel::Warn, &text);
        }
    }

    fn handle(&mut self, request: Request) {
        match request {
            Request::Attach { run, process, channels, reply } => {
                self.write_state();
                match self.open_logs(&channels) {
                    Err(failure) if reply.give(Err(failure.clone())).is_ok() => {}
                    Err(_) => self.attach_anyway(run, &process, channels),
                    Ok(sinks) => {
                        self.forget_earlier(run, &channels);
                        self.attach(run, &process, channels, sinks);
                        // Whoever does not wait for it knows already.
                        let _ = reply.give(Ok(()));
                    }
                }
            }
            Request::Answer { reply } => {
                // Whoever does not wait for it has given up.
                let _ = reply.give(());
            }
            Request::Resume { run, process, channels } => self.resume(run, &process, channels),
            Request::Drain { run } => self.drain(run),
            Request::Detach { run } => self.detach(run),
            Request::Write { run, channel, bytes } => self.write(run, channel, &bytes),
            Request::Activity { line } => {
                self.outlets.activity.write_line(&line, &mut self.outlets.sinks);
                self.requests.progress().advance();
            }
            Request::Reopen => self.outlets.sinks.reopen_all(),
            Request::ClearLogs { files, reply } => reply(self.clear_logs(&files)),
            Request::ClearActivity { reply } => reply(self.outlets.activity.clear(&mut self.outlets.sinks)),
            Request::CreateAuto { path } => self.create_auto(&path),
            Request::StripAnsi(on) => self.set_strip_ansi(on),
            Request::Copy => {
                let copies = self.streams.values().filter_map(|stream| stream.copy()).collect();
                (self.outlets.to_control)(Report::Copies(copies));
            }
            Request::JournalBegin { path, content } => {
                let begun = self.state_file.begin(&path, &content);
                self.tell_of_state(begun);
            }
            Request::Journal { line } => self.state_file.append(&line),
            Request::JournalEnd { path } => self.state_file.end(&path),
            Request::Kept(is_kept) => {
                if let Some(transit) = self.outlets.sinks.transit() {
                    transit.set_kept(is_kept);
                }
            }
            Request::HandOver { reply } => {
                let streams = self.hand_over();
                self.is_stopping = true;
                // Nobody waits for them only when the daemon is ending anyway.
                let _ = reply.send(streams);
            }
            Request::Stop => self.is_stopping = true,
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
            match self.outlets.sinks.acquire(path, rotation(plan)) {
                Ok(sink) => opened.push(Some(sink)),
                Err(error) => {
                    opened.into_iter().flatten().for_each(|sink| self.outlets.sinks.release(sink));
                    return Err(LogFailure { path: path.as_str().into(), error: error.into() });
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
            plan.file.as_ref().map(|path| self.outlets.sinks.acquire_anyway(path, rotation(plan)))
        };
        let sinks = channels.iter().map(acquire).collect();
        self.attach(run, process, channels, sinks);
    }

    /// A new run does not inherit the state of an earlier run with the same number, which was not taken over.
    fn forget_earlier(&mut self, run: RunId, channels: &[AttachChannel]) {
        channels.iter().for_each(|channel| self.outlets.sinks.forget(StreamKey::new(run, channel.channel)));
    }

    fn resume(&mut self, run: RunId, process: &Arc<str>, channels: Vec<AttachChannel>) {
        let acquire = |AttachChannel { plan, .. }: &AttachChannel| {
            plan.file.as_ref().map(|path| self.outlets.sinks.acquire_later(path))
        };
        let sinks = channels.iter().map(acquire).collect();
        self.attach(run, process, channels, sinks);
    }

    fn attach(&mut self, run: RunId, process: &Arc<str>, channels: Vec<AttachChannel>, sinks: Vec<Option<SinkId>>) {
        let mut tokens = Vec::with_capacity(channels.len());
        for (channel, sink) in channels.into_iter().zip(sinks) {
            let token = Token(self.next_token);
            self.next_token += 2;
            let stream = Stream::new(run, process.clone(), channel, sink, token, &mut self.outlets);
            self.streams.insert(token, Box::new(stream));
            tokens.push(token);
            self.rest(token);
        }
        self.runs.insert(run, tokens);
    }

    fn detach(&mut self, run: RunId) {
        let tokens = self.runs.remove(&run).unwrap_or_default();
        self.forget(tokens);
    }

    fn forget(&mut self, tokens: Vec<Token>) {
        for token in tokens {
            if let Some(stream) = self.streams.remove(&token) {
                stream.release(self.poll.registry(), &mut self.outlets);
            }
        }
    }

    fn drain(&mut self, run: RunId) {
        self.read_last_words(run);
        self.detach(run);
        (self.outlets.to_control)(Report::Drained { run });
    }

    fn hand_over(&mut self) -> Vec<HandedStream> {
        self.runs.clear();
        let streams = mem::take(&mut self.streams);
        streams.into_values().map(|stream| stream.hand_over(self.poll.registry(), &mut self.outlets)).collect()
    }

    /// Reads what a process that is gone can have left: as much as its pipe holds. A grandchild may go on writing and
    /// must not hold the end back.
    fn read_last_words(&mut self, run: RunId) {
        let registry = self.poll.registry();
        for token in self.runs.get(&run).into_iter().flatten() {
            let Some(stream) = self.streams.get_mut(token) else { continue };
            let mut total = 0;
            while let Turn::More(count) = stream.read_once(&mut self.buffer, registry, &mut self.outlets) {
                total += count;
                if total >= stream.capacity() {
                    break;
                }
            }
            stream.finish(registry, &mut self.outlets);
        }
    }

    fn write(&mut self, run: RunId, channel: Channel, bytes: &[u8]) {
        for token in self.runs.get(&run).into_iter().flatten() {
            if let Some(stream) = self.streams.get_mut(token)
                && stream.source().channel == channel
            {
                stream.write(bytes, &mut self.outlets);
            }
        }
    }

    fn clear_logs(&mut self, files: &[String]) -> Result<(), i32> {
        for stream in self.streams.values_mut() {
            if stream.source().plan.file.as_ref().is_some_and(|file| files.contains(file)) {
                stream.clear_capture(&mut self.outlets);
            }
        }
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

    fn set_strip_ansi(&mut self, on: bool) {
        self.outlets.strip_ansi = on;
        for stream in self.streams.values_mut() {
            stream.set_strip_ansi(on, &mut self.outlets);
        }
    }

    /// Reads and writes what is left everywhere.
    fn end(mut self, events: &mut Events) {
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for run in runs {
            self.read_last_words(run);
            self.detach(run);
        }
        self.outlets.write_notices();
        self.ready.clear();
        self.later.clear();
        let deadline = Instant::now() + LAST_WRITES;
        while self.outlets.sinks.is_any_behind() && Instant::now() < deadline {
            self.wait(events);
            self.outlets.sinks.give_up_where_due(Instant::now());
        }
        self.outlets.sinks.close_system_log();
        self.outlets.write_notices();
        self.requests.close();
    }
}

fn create_private(path: &str) -> io::Result<()> {
    trusted::create_new(path, 0o600).map(drop)
}

/// When a log of this plan is rotated.
const fn rotation(plan: &ChannelPlan) -> Rotation {
    Rotation { maxbytes: plan.maxbytes, backups: plan.backups }
}
