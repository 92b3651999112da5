//! All streams that the plane reads, and whose turn is next.
//!
//! A stream whose pipe is quiet is watched. One with something to read waits in a queue for its turn, a busy one until it
//! is due, one that causes reports until control has dealt with earlier ones, and one whose log is congested until that log
//! takes more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Registry, Token};
use supervisord_core::output::forward::ForwardPlan;
use supervisord_core::output::{Channel, MemoryPlan};

use super::message::{AttachChannel, HandedStream, RunId, StreamCopy};
use super::outlets::Outlets;
use super::sinks::SinkId;
use super::stream::{Stream, Turn};
use super::transit::PIECE;

/// How many bytes one round of turns moves, so that requests are not kept waiting.
const ROUND: usize = 8 << 20;

/// How often a pipe is read that cannot be watched.
const WITHOUT_WATCH: Duration = Duration::from_millis(100);

/// How often pipes that were grown are looked at, while there are any.
const SWEEP: Duration = Duration::from_secs(5);

/// The streams of all runs.
pub(super) struct Streams {
    registry: Registry,
    /// Boxed, because a table is at least half empty after it has grown.
    streams: HashMap<Token, Box<Stream>>,
    runs: HashMap<RunId, Vec<Token>>,
    /// Streams that may have something to read, in the order of their turns.
    ready: VecDeque<Token>,
    /// Busy streams, by the time at which they are due.
    due: BinaryHeap<Reverse<(Instant, Token)>>,
    /// Streams that wait until control has dealt with earlier reports.
    waiting_for_control: Vec<Token>,
    /// Streams that wait until their log takes more.
    waiting_for_sink: Vec<(SinkId, Token)>,
    /// The token of the next stream: even, and never used twice.
    next_token: usize,
    /// When pipes that were grown are looked at.
    next_sweep: Option<Instant>,
    buffer: Vec<u8>,
}

impl Streams {
    /// No streams yet. Their tokens are the even numbers from `first_token` on.
    pub fn new(registry: Registry, first_token: usize) -> Streams {
        Streams {
            registry,
            streams: HashMap::new(),
            runs: HashMap::new(),
            ready: VecDeque::new(),
            due: BinaryHeap::new(),
            waiting_for_control: Vec::new(),
            waiting_for_sink: Vec::new(),
            next_token: first_token,
            next_sweep: None,
            buffer: vec![0; PIECE],
        }
    }

    /// Begins to read the pipes of a run. `sinks` has the log of each channel.
    pub fn attach(
        &mut self,
        run: RunId,
        process: &Arc<str>,
        channels: Vec<AttachChannel>,
        sinks: Vec<Option<SinkId>>,
        outlets: &mut Outlets,
    ) {
        let mut tokens = Vec::with_capacity(channels.len());
        for (channel, sink) in channels.into_iter().zip(sinks) {
            let token = Token(self.next_token);
            self.next_token += 2;
            let stream = Stream::new(run, process.clone(), channel, sink, token, outlets);
            let awaits_process = stream.awaits_process();
            self.streams.insert(token, Box::new(stream));
            tokens.push(token);
            if !awaits_process {
                self.watch(token);
            }
        }
        self.runs.insert(run, tokens);
    }

    /// The process of a run has been made: records of its lines can say which it is.
    pub fn set_pid(&mut self, run: RunId, pid: u32) {
        for token in self.runs.get(&run).cloned().unwrap_or_default() {
            let Some(stream) = self.streams.get_mut(&token) else { continue };
            let awaits_process = stream.awaits_process();
            stream.set_pid(pid);
            if awaits_process {
                self.watch(token);
            }
        }
    }

    /// Forwards the lines of a stream where this plan says.
    pub fn forward(&mut self, run: RunId, channel: Channel, plan: Option<Arc<ForwardPlan>>, outlets: &mut Outlets) {
        for token in self.runs.get(&run).into_iter().flatten() {
            if let Some(stream) = self.streams.get_mut(token)
                && stream.source().channel == channel
            {
                stream.forward(plan.clone(), outlets);
            }
        }
    }

    /// Keeps the last bytes of a stream in memory as this plan says.
    pub fn keep_in_memory(&mut self, run: RunId, channel: Channel, plan: Option<&MemoryPlan>, outlets: &mut Outlets) {
        for token in self.runs.get(&run).into_iter().flatten() {
            if let Some(stream) = self.streams.get_mut(token)
                && stream.source().channel == channel
            {
                stream.keep_in_memory(plan.cloned(), outlets);
            }
        }
    }

    /// Tells in the log of a run what happens to its process.
    pub fn mark(&mut self, run: RunId, text: &str, outlets: &mut Outlets) {
        for token in self.runs.get(&run).into_iter().flatten() {
            if let Some(stream) = self.streams.get_mut(token) {
                stream.mark(text, outlets);
            }
        }
    }

    /// Forgets a run and closes its pipes and logs.
    pub fn detach(&mut self, run: RunId, outlets: &mut Outlets) {
        for token in self.runs.remove(&run).unwrap_or_default() {
            if let Some(stream) = self.streams.remove(&token) {
                stream.release(&self.registry, outlets);
            }
        }
    }

    /// Reads what a process that is gone can have left, and forgets the run. That is as much as its pipes hold: a
    /// grandchild may go on writing and must not hold the end back. Gives the last bytes that explain how it ended.
    pub fn drain(&mut self, run: RunId, marker: Option<&str>, outlets: &mut Outlets) -> Vec<u8> {
        let mut end = Vec::new();
        for token in self.runs.get(&run).into_iter().flatten() {
            let Some(stream) = self.streams.get_mut(token) else { continue };
            let mut total = 0;
            while let Turn::More(count) = stream.read_once(&mut self.buffer, &self.registry, outlets) {
                total += count;
                if total >= stream.capacity() {
                    break;
                }
            }
            stream.finish(&self.registry, outlets);
            if let Some(text) = marker {
                stream.mark(text, outlets);
            }
            end.append(&mut stream.take_end());
        }
        self.detach(run, outlets);
        end
    }

    /// Drains all runs.
    pub fn drain_all(&mut self, outlets: &mut Outlets) {
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        runs.into_iter().for_each(|run| _ = self.drain(run, None, outlets));
        self.ready.clear();
        self.due.clear();
    }

    /// Gives back every stream as it is.
    pub fn hand_over(&mut self, outlets: &mut Outlets) -> Vec<HandedStream> {
        self.runs.clear();
        let streams = mem::take(&mut self.streams);
        streams.into_values().map(|stream| stream.hand_over(&self.registry, outlets)).collect()
    }

    /// Copies of all pipes.
    pub fn copies(&self) -> Vec<StreamCopy> {
        self.streams.values().filter_map(|stream| stream.copy()).collect()
    }

    /// Passes on what control has read of a stream.
    pub fn write(&mut self, run: RunId, channel: Channel, bytes: &[u8], outlets: &mut Outlets) {
        for token in self.runs.get(&run).into_iter().flatten() {
            if let Some(stream) = self.streams.get_mut(token)
                && stream.source().channel == channel
            {
                stream.write(bytes, outlets);
            }
        }
    }

    /// Forgets what has been captured so far for logs at these paths.
    pub fn clear_captures(&mut self, files: &[String], outlets: &mut Outlets) {
        for stream in self.streams.values_mut() {
            if stream.source().plan.file.as_ref().is_some_and(|file| files.iter().any(|cleared| **cleared == **file)) {
                stream.clear_capture(outlets);
            }
        }
    }

    /// Turns the removal of terminal escapes on or off.
    pub fn set_strip_ansi(&mut self, on: bool, outlets: &mut Outlets) {
        for stream in self.streams.values_mut() {
            stream.set_strip_ansi(on, outlets);
        }
    }

    /// When a stream or a sweep is due: at once where a stream is ready, never where nothing is arranged for.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        if !self.ready.is_empty() {
            return Some(now);
        }
        let due = self.due.peek().map(|Reverse((due, _))| *due);
        due.into_iter().chain(self.next_sweep).min()
    }

    /// The loop has seen that this stream has something to read.
    pub fn readable(&mut self, token: Token, outlets: &Outlets) {
        let Some(stream) = self.streams.get_mut(&token) else { return };
        match stream.due(outlets) {
            Some(due) if !stream.is_queued && due > Instant::now() => {
                stream.unwatch(&self.registry);
                self.queue_at(due, token);
            }
            _ => self.queue(token),
        }
    }

    /// Control has dealt with reports.
    pub fn control_caught_up(&mut self) {
        self.ready.extend(self.waiting_for_control.drain(..));
    }

    /// Queues streams that have become due or whose log takes more again, and looks at pipes that were grown.
    pub fn elapse(&mut self, now: Instant, outlets: &mut Outlets) {
        while let Some(Reverse((due, token))) = self.due.peek().copied()
            && due <= now
        {
            self.due.pop();
            self.ready.push_back(token);
        }
        for (sink, token) in mem::take(&mut self.waiting_for_sink) {
            if outlets.sinks.is_congested(sink) {
                self.waiting_for_sink.push((sink, token));
            } else {
                self.ready.push_back(token);
            }
        }
        self.sweep(now, outlets);
    }

    /// Gives each ready stream one turn, until a round's bytes have been moved.
    pub fn take_turns(&mut self, outlets: &mut Outlets) {
        let mut moved = 0;
        for _ in 0..self.ready.len() {
            if moved >= ROUND {
                break;
            }
            let Some(token) = self.ready.pop_front() else { break };
            let Some(stream) = self.streams.get_mut(&token) else { continue };
            if stream.causes_reports() && outlets.budget.is_exhausted() {
                self.waiting_for_control.push(token);
                continue;
            }
            if let Some(sink) = stream.congested(outlets) {
                self.waiting_for_sink.push((sink, token));
                continue;
            }
            stream.is_queued = false;
            let turn = stream.take_turn(&mut self.buffer, &self.registry, outlets);
            let found = stream.has_found_line().then_some(stream.source().run);
            if self.next_sweep.is_none() && stream.is_grown() {
                self.next_sweep = Some(Instant::now() + SWEEP);
            }
            match turn {
                Turn::More(count) => {
                    moved += count;
                    self.readable(token, outlets);
                }
                Turn::Empty => self.watch(token),
                Turn::Closed => {}
            }
            if let Some(run) = found {
                self.stop_line_watches(run);
            }
        }
    }

    /// Looks for the line of a run no more: one of its streams has carried it.
    fn stop_line_watches(&mut self, run: RunId) {
        for token in self.runs.get(&run).into_iter().flatten() {
            self.streams.get_mut(token).into_iter().for_each(|stream| stream.stop_line_watch());
        }
    }

    fn queue(&mut self, token: Token) {
        if let Some(stream) = self.streams.get_mut(&token)
            && !stream.is_queued
        {
            stream.is_queued = true;
            self.ready.push_back(token);
        }
    }

    fn queue_at(&mut self, due: Instant, token: Token) {
        if let Some(stream) = self.streams.get_mut(&token) {
            stream.is_queued = true;
            self.due.push(Reverse((due, token)));
        }
    }

    /// Leaves an empty pipe alone until the loop sees that it has something to read.
    fn watch(&mut self, token: Token) {
        if let Some(stream) = self.streams.get_mut(&token)
            && stream.watch(&self.registry).is_err()
        {
            // The system has no room for one more watch: the pipe is read now and then instead.
            self.queue_at(Instant::now() + WITHOUT_WATCH, token);
        }
    }

    /// Makes the pipes of streams small again that are no longer busy.
    fn sweep(&mut self, now: Instant, outlets: &mut Outlets) {
        if self.next_sweep.is_none_or(|due| due > now) {
            return;
        }
        for stream in self.streams.values_mut() {
            stream.calm_down(now);
        }
        self.next_sweep = self.streams.values().any(|stream| stream.is_grown()).then_some(now + SWEEP);
        if self.next_sweep.is_none()
            && let Some(transit) = outlets.sinks.transit()
        {
            transit.give_back_memory();
        }
    }
}
