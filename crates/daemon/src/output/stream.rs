//! One stream of one process: its pipe, its pipeline and where the pieces go.

use std::io::{self, ErrorKind, Read};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use mio::unix::pipe::Receiver;
use mio::{Interest, Registry, Token};
use supervisord_config::model::LogLevel;
use supervisord_core::output::forward::ForwardPlan;
use supervisord_core::output::line_watch::LineWatch;
use supervisord_core::output::pipeline::Pipeline;
use supervisord_core::output::{MemoryPlan, debug_text};

use super::end_of_output::EndOfOutput;
use super::forwarding::Forwarding;
use super::log_file::Transfer;
use super::message::{AttachChannel, HandedStream, Report, RunId, StreamCopy};
use super::outlets::{Outlets, Source};
use super::read_coalescing::{self, ReadCoalescing, TurnLimits};
use super::sinks::SinkId;
use crate::output_memory::MemoryLog;

/// A stream being read.
pub(super) struct Stream {
    pipe: Option<Receiver>,
    token: Token,
    /// Whether the loop tells when there is something to read. Not while the stream waits for its time: the system
    /// would wake us for every single write.
    is_watched: bool,
    pipeline: Pipeline,
    /// What a listener wrote that is not in the activity log yet.
    unlogged: Vec<u8>,
    source: Source,
    /// Where the plan asks for it.
    end: Option<EndOfOutput>,
    /// Where the plan asks for it, until the line has been found. Boxed, because hardly any stream has one.
    line_watch: Option<Box<LineWatch>>,
    has_found_line: bool,
    coalescing: ReadCoalescing,
    /// Whether its next turn is already arranged for.
    pub is_queued: bool,
}

/// How many bytes a listener may write before they are logged without a line feed.
const MOST_UNLOGGED: usize = 4096;

/// How many bytes of lines are made records of at once: the records fit into memory that the allocator has at hand, where a few times as
/// much would be asked of the system, and given back to it, for every turn.
const LINES_AT_ONCE: usize = 32 << 10;

/// How a turn of reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There may be more.
    More(usize),
    /// The pipe is empty.
    Empty,
    /// The pipe is closed, by all writers or by us.
    Closed,
}

impl Stream {
    /// A stream that goes to this log. Nothing is read before it is watched or has its turn.
    pub fn new(
        run: RunId,
        process: Arc<str>,
        channel: AttachChannel,
        sink: Option<SinkId>,
        token: Token,
        outlets: &mut Outlets,
    ) -> Stream {
        let AttachChannel { channel, pipe, plan, pipeline, end } = channel;
        let line_watch = plan.ready_line.as_deref().cloned().map(|pattern| Box::new(LineWatch::resume(pattern, &end)));
        let end = (plan.keeps_end || plan.markers).then(|| EndOfOutput::resume(end));
        let forwarding = plan.forward.as_deref().map(|plan| Box::new(outlets.forwarders.acquire(plan)));
        let memory = outlets.keep_in_memory(plan.memory.as_ref(), channel, sink);
        let source = Source { run, process, channel, plan, sink, memory, forwarding };
        let pipe = pipe.map(Receiver::from);
        if let Some(pipe) = &pipe {
            // Only a descriptor that is none can be refused.
            let _ = pipe.set_nonblocking(true);
        }
        let watched = pipe.is_some() && is_observed(&source, outlets);
        let pipeline = match pipeline.or_else(|| outlets.sinks.noted(source.key())) {
            None => Pipeline::new(&source.plan, outlets.strip_ansi, watched),
            Some(mut pipeline) => {
                let (plan, strip_ansi) = (&source.plan, outlets.strip_ansi);
                outlets
                    .deliver(&source, &mut pipeline, |pipeline, emit| pipeline.adapt(plan, strip_ansi, watched, emit));
                pipeline
            }
        };
        let coalescing = ReadCoalescing::new(Instant::now());
        Stream {
            pipe,
            token,
            is_watched: false,
            pipeline,
            unlogged: Vec::new(),
            source,
            end,
            line_watch,
            has_found_line: false,
            coalescing,
            is_queued: false,
        }
    }

    /// Has the loop tell when there is something to read; also when there already is.
    pub fn watch(&mut self, registry: &Registry) -> io::Result<()> {
        if let Some(pipe) = &mut self.pipe
            && !self.is_watched
        {
            registry.register(pipe, self.token, Interest::READABLE)?;
            self.is_watched = true;
        }
        Ok(())
    }

    /// Has the loop be silent about the pipe.
    pub fn unwatch(&mut self, registry: &Registry) {
        if let Some(pipe) = &mut self.pipe
            && mem::take(&mut self.is_watched)
        {
            // It was registered, so that it can be undone; at worst the loop tells us in vain.
            let _ = registry.deregister(pipe);
        }
    }

    /// A copy of its pipe; none where control reads it itself, it has ended, or no descriptor is free.
    pub fn copy(&self) -> Option<StreamCopy> {
        let pipe = self.pipe.as_ref()?.as_fd().try_clone_to_owned().ok()?;
        Some(StreamCopy { run: self.source.run, channel: self.source.channel, pipe })
    }

    /// Whether it has carried the line that it was looked for since this was asked last.
    pub fn has_found_line(&mut self) -> bool {
        mem::take(&mut self.has_found_line)
    }

    /// Looks for no line any more.
    pub fn stop_line_watch(&mut self) {
        self.line_watch = None;
    }

    /// Gives away its last bytes, where they are to explain an end.
    pub fn take_end(&mut self) -> Vec<u8> {
        self.end.as_mut().filter(|_| self.source.plan.keeps_end).map(EndOfOutput::take).unwrap_or_default()
    }

    /// Tells in the log what happens to the process, where that is asked for.
    pub fn mark(&mut self, text: &str, outlets: &mut Outlets) {
        let Stream { pipeline, source, end, .. } = self;
        if source.plan.markers {
            let is_line_unfinished = end.as_ref().is_some_and(EndOfOutput::is_line_unfinished);
            outlets.mark(source, pipeline, text, is_line_unfinished);
            if is_line_unfinished && let Some(end) = end {
                end.push(b"\n");
            }
        }
    }

    /// Whether it is not to be read before its process has been made.
    pub fn awaits_process(&self) -> bool {
        self.pipeline.awaits_process() || self.source.forwarding.as_deref().is_some_and(Forwarding::awaits_process)
    }

    /// Its process has been made.
    pub fn set_pid(&mut self, pid: u32) {
        self.pipeline.set_pid(pid);
        if let Some(forwarding) = &mut self.source.forwarding {
            forwarding.set_pid(pid);
        }
    }

    /// Forwards its lines where this plan says from now on. What has come of a line goes where it says.
    pub fn forward(&mut self, plan: Option<Arc<ForwardPlan>>, outlets: &mut Outlets) {
        let Stream { pipe, pipeline, source, .. } = self;
        let mut next = plan.as_deref().map(|plan| Box::new(outlets.forwarders.acquire(plan)));
        let pid = source.forwarding.as_deref().and_then(Forwarding::pid);
        if let (Some(next), Some(pid)) = (&mut next, pid)
            && next.awaits_process()
        {
            next.set_pid(pid);
        }
        source.plan.forward = plan;
        let is_ending = next.is_none();
        let before = if is_ending { None } else { mem::replace(&mut source.forwarding, next) };
        let watched = pipe.is_some() && is_observed(source, outlets);
        let (plan, strip_ansi) = (&source.plan, outlets.strip_ansi);
        outlets.deliver(source, pipeline, |pipeline, emit| pipeline.adapt(plan, strip_ansi, watched, emit));
        let before = if is_ending { source.forwarding.take() } else { before };
        before.into_iter().for_each(|before| outlets.forwarders.release(*before));
    }

    /// Keeps its last bytes in memory as this plan says from now on.
    pub fn keep_in_memory(&mut self, plan: Option<MemoryPlan>, outlets: &mut Outlets) {
        let Source { channel, sink, .. } = self.source;
        self.source.memory = outlets.keep_in_memory(plan.as_ref(), channel, sink);
        self.source.plan.memory = plan;
    }

    /// Whose output it is.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// When its next turn is due; a log that somebody follows is never late.
    pub fn due(&self, outlets: &Outlets) -> Option<Instant> {
        let due = self.coalescing.due()?;
        let Source { sink, memory, .. } = &self.source;
        let is_followed = sink.is_some_and(|sink| outlets.sinks.is_followed(sink))
            || memory.as_ref().is_some_and(MemoryLog::is_followed);
        (!is_followed).then_some(due)
    }

    /// Takes one turn: moves one piece to where it belongs.
    pub fn take_turn(&mut self, buffer: &mut [u8], registry: &Registry, outlets: &mut Outlets) -> Turn {
        let sink = self.source.sink.filter(|_| self.is_plain());
        let (buffer, limits) = match sink.and_then(|sink| outlets.sinks.transfer_limit(sink)) {
            Some(limit) => (buffer, TurnLimits::of_bytes(limit)),
            None if self.pipeline.makes_records() => {
                let at_once = buffer.len().min(LINES_AT_ONCE);
                (&mut buffer[..at_once], TurnLimits::of_lines(at_once))
            }
            None => {
                let limit = buffer.len();
                (buffer, TurnLimits::of_bytes(limit))
            }
        };
        let turn = self.read_once(buffer, registry, outlets);
        if let (Turn::More(count), Some(pipe)) = (turn, &self.pipe) {
            self.coalescing.note(count, limits, Instant::now(), pipe.as_fd());
        }
        turn
    }

    /// Gives back what a busy pipe was lent, if it has been quiet since.
    pub fn calm_down(&mut self, now: Instant) {
        if let Some(pipe) = &self.pipe {
            self.coalescing.calm_down(now, pipe.as_fd());
        }
    }

    /// Whether its pipe was grown.
    pub fn is_grown(&self) -> bool {
        self.coalescing.is_grown()
    }

    /// How many bytes its pipe holds.
    pub fn capacity(&self) -> usize {
        self.pipe.as_ref().map_or(0, |pipe| read_coalescing::capacity(pipe.as_fd()))
    }

    /// Moves one piece, at most as long as the buffer if it has to be looked at.
    pub fn read_once(&mut self, buffer: &mut [u8], registry: &Registry, outlets: &mut Outlets) -> Turn {
        let is_plain = self.is_plain();
        let taken = if is_plain { self.transfer_once(outlets) } else { self.take_once(buffer, outlets) };
        if !is_plain && matches!(taken, Transfer::Moved(_) | Transfer::Ended) {
            self.log_readable(outlets);
        }
        match taken {
            Transfer::Moved(count) => {
                if !is_plain {
                    self.push(&buffer[..count], outlets);
                }
                return Turn::More(count);
            }
            Transfer::Empty => return Turn::Empty,
            Transfer::Ended => {
                self.finish(registry, outlets);
                return Turn::Closed;
            }
            Transfer::Refused => {}
        }
        let Some(pipe) = &mut self.pipe else { return Turn::Closed };
        match pipe.read(buffer) {
            Ok(0) => {
                self.log_readable(outlets);
                self.finish(registry, outlets);
                Turn::Closed
            }
            Ok(count) => {
                self.log_readable(outlets);
                self.push(&buffer[..count], outlets);
                Turn::More(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Turn::Empty,
            Err(error) if error.kind() == ErrorKind::Interrupted => Turn::More(0),
            Err(error) => {
                let Source { process, channel, .. } = &self.source;
                outlets.log(LogLevel::Error, &format!("could not read {} of {process}: {error}", channel.name()));
                self.close_pipe(registry);
                Turn::Closed
            }
        }
    }

    /// Passes on what control has read.
    pub fn write(&mut self, bytes: &[u8], outlets: &mut Outlets) {
        self.log_readable(outlets);
        if outlets.activity.wants(LogLevel::Debug) {
            self.unlogged.extend_from_slice(bytes);
            // A listener says its result and that it is ready again in two writes; they are shown as one.
            if bytes.ends_with(b"\n") || self.unlogged.len() >= MOST_UNLOGGED {
                self.log_copy(outlets);
            }
        }
        self.push(bytes, outlets);
    }

    fn log_readable(&self, outlets: &mut Outlets) {
        if outlets.activity.wants(LogLevel::Blather) {
            let Source { process, channel, .. } = &self.source;
            outlets.log(LogLevel::Blather, &debug_text::readable(process, *channel));
        }
    }

    fn log_copy(&mut self, outlets: &mut Outlets) {
        let bytes = mem::take(&mut self.unlogged);
        if !bytes.is_empty() {
            let Source { process, channel, .. } = &self.source;
            outlets.log(LogLevel::Debug, &debug_text::listener_copy(process, *channel, &bytes));
        }
    }

    /// Everything the process wrote has been read: hands out what the pipeline held back and closes the pipe.
    pub fn finish(&mut self, registry: &Registry, outlets: &mut Outlets) {
        self.log_copy(outlets);
        let fd = self.pipe.as_ref().map(AsRawFd::as_raw_fd);
        self.close_pipe(registry);
        let Stream { pipeline, source, .. } = self;
        outlets.deliver(source, pipeline, |pipeline, emit| pipeline.finish(emit));
        if let Some(fd) = fd
            && outlets.activity.wants(LogLevel::Debug)
        {
            outlets.log(LogLevel::Debug, &debug_text::closed(&source.process, source.channel, fd));
        }
    }

    /// Closes the pipe without a word and gives back the log.
    pub fn release(mut self, registry: &Registry, outlets: &mut Outlets) {
        self.close_pipe(registry);
        outlets.sinks.forget(self.source.key());
        self.release_outlets(outlets);
    }

    fn release_outlets(&mut self, outlets: &mut Outlets) {
        if let Some(sink) = self.source.sink {
            outlets.sinks.release(sink);
        }
        if let Some(forwarding) = self.source.forwarding.take() {
            outlets.forwarders.release(*forwarding);
        }
    }

    /// Gives the stream back as it is; its log is closed.
    pub fn hand_over(mut self, registry: &Registry, outlets: &mut Outlets) -> HandedStream {
        self.unwatch(registry);
        self.release_outlets(outlets);
        let rest = self.line_watch.take().map(|watch| watch.into_rest()).unwrap_or_default();
        let end = self.end.take().map_or(rest, |mut end| end.take());
        let Source { run, channel, .. } = self.source;
        HandedStream { run, channel, pipe: self.pipe.map(OwnedFd::from), pipeline: self.pipeline, end }
    }

    /// Turns stripping on or off.
    pub fn set_strip_ansi(&mut self, on: bool, outlets: &mut Outlets) {
        let Stream { pipeline, source, .. } = self;
        outlets.deliver(source, pipeline, |pipeline, emit| pipeline.set_strip_ansi(on, emit));
    }

    /// Forgets what is captured so far.
    pub fn clear_capture(&mut self, outlets: &mut Outlets) {
        let Stream { pipeline, source, .. } = self;
        outlets.deliver(source, pipeline, |pipeline, _| pipeline.clear_capture());
    }

    /// A log its output goes to that takes no more at present.
    pub fn congested(&self, outlets: &Outlets) -> Option<SinkId> {
        let own = self.source.sink.filter(|sink| outlets.sinks.is_congested(*sink));
        let is_copied = outlets.activity.wants(LogLevel::Debug);
        own.or_else(|| if is_copied { outlets.activity.congested(&outlets.sinks) } else { None })
    }

    /// Whether its output causes reports to control.
    pub fn causes_reports(&self) -> bool {
        self.source.plan.events_enabled || self.source.plan.capture_maxbytes > 0
    }

    /// Where nobody needs to look at the bytes, they go to the log as they are.
    fn transfer_once(&mut self, outlets: &mut Outlets) -> Transfer {
        match (&self.pipe, self.source.sink) {
            (Some(pipe), Some(sink)) => {
                let (stream, rotation) = (self.source.key(), self.source.rotation());
                outlets.sinks.transfer(sink, pipe.as_fd(), stream, rotation, self.end.as_mut())
            }
            _ => Transfer::Refused,
        }
    }

    /// Where somebody does, they are taken so that they outlive this process until they are in the log.
    fn take_once(&mut self, bytes: &mut [u8], outlets: &mut Outlets) -> Transfer {
        match (&self.pipe, self.source.sink) {
            (Some(pipe), Some(sink)) => {
                outlets.sinks.take(sink, pipe.as_fd(), bytes, self.source.key(), &self.pipeline)
            }
            _ => Transfer::Refused,
        }
    }

    /// Whether nobody needs to look at the bytes.
    fn is_plain(&self) -> bool {
        self.pipeline.is_transparent() && !self.source.plan.syslog && self.line_watch.is_none()
    }

    fn push(&mut self, bytes: &[u8], outlets: &mut Outlets) {
        let Stream { pipeline, source, end, line_watch, .. } = self;
        if let Some(end) = end {
            end.push(bytes);
        }
        outlets.deliver(source, pipeline, |pipeline, emit| pipeline.push(bytes, emit));
        if line_watch.as_mut().is_some_and(|watch| watch.push(bytes)) {
            *line_watch = None;
            self.has_found_line = true;
            (outlets.to_control)(Report::ReadyLine { run: self.source.run });
        }
    }

    fn close_pipe(&mut self, registry: &Registry) {
        self.unwatch(registry);
        self.pipe = None;
    }
}

/// Whether control, or the activity log, sees what it carries. What control reads itself it also shows to the observers itself.
fn is_observed(source: &Source, outlets: &Outlets) -> bool {
    source.plan.events_enabled || outlets.activity.wants(LogLevel::Debug) && !source.plan.is_private
}
