//! Everything output can go to: logs, the activity log, control.

use std::sync::Arc;

use supervisord_config::model::LogLevel;
use supervisord_core::output::capture::Held;
use supervisord_core::output::pipeline::{Piece, Pipeline, syslog_messages};
use supervisord_core::output::{Channel, ChannelPlan, MemoryPlan, debug_text};
use supervisord_core::rotation::Rotation;

use supervisord_sys::clock;

use crate::clock::read_time;
use crate::output_memory::{MemoryLog, OutputMemory};

use super::activity_log::ActivityWriter;
use super::audit_log::AuditWriter;
use super::budget::ReportBudget;
use super::forwarding::{Forwarders, Forwarding};
use super::loss::Entries;
use super::message::{Report, RunId};
use super::pipeline_notes::StreamKey;
use super::sinks::{SinkId, Sinks};

/// Whose output it is and what happens to it.
pub(super) struct Source {
    pub run: RunId,
    pub process: Arc<str>,
    pub channel: Channel,
    pub plan: ChannelPlan,
    pub sink: Option<SinkId>,
    /// Where its last bytes are kept, because its log cannot be read.
    pub memory: Option<MemoryLog>,
    /// Where its lines are forwarded. Boxed, because hardly any stream has such a place.
    pub forwarding: Option<Box<Forwarding>>,
}

/// What is told of a piece of output once it is in the log.
enum FollowUp {
    Observed(Vec<u8>),
    Section(Held),
    Cut(u64),
}

/// The receiving side of all streams.
pub(super) struct Outlets {
    pub sinks: Sinks,
    pub memory: Arc<OutputMemory>,
    /// Whether an entry says that output could not be kept there.
    pub is_memory_failing: bool,
    pub activity: ActivityWriter,
    pub audit: AuditWriter,
    pub forwarders: Forwarders,
    /// Where entries of the activity log are forwarded.
    pub activity_forwarding: Option<Forwarding>,
    pub strip_ansi: bool,
    pub budget: ReportBudget,
    pub to_control: Box<dyn Fn(Report) + Send>,
}

impl Outlets {
    /// Writes an entry of the activity log.
    pub fn log(&mut self, level: LogLevel, text: &str) {
        if let Some(line) = self.activity.log(level, text, &mut self.sinks) {
            self.forward_entry(&line);
        }
    }

    /// Writes entries that are lines already.
    pub fn write_activity(&mut self, lines: &[String]) {
        self.activity.write_lines(lines, &mut self.sinks);
        lines.iter().for_each(|line| self.forward_entry(line));
    }

    /// What is said of a log service is forwarded as well: it is said once for a trouble, and not for each line.
    fn forward_entry(&mut self, line: &str) {
        if let Some(forwarding) = &self.activity_forwarding {
            let entries = self.forwarders.forward_entry(forwarding, line, clock::wall());
            self.log_all(entries);
        }
    }

    /// Writes down what the logs had to say since the last time.
    pub fn write_notices(&mut self) {
        let lines = self.activity.write_notices(&mut self.sinks);
        lines.iter().for_each(|line| self.forward_entry(line));
    }

    /// Tells control; `bytes` are charged to the budget.
    pub fn report(&self, report: Report, bytes: usize) {
        self.budget.spend(bytes);
        (self.to_control)(report);
    }

    /// Runs a step of a pipeline and takes its results where they belong.
    pub fn deliver(
        &mut self,
        source: &Source,
        pipeline: &mut Pipeline,
        step: impl FnOnce(&mut Pipeline, &mut dyn FnMut(Piece<'_>)),
    ) {
        let (mut text, mut follow_ups) = (Vec::new(), Vec::new());
        if pipeline.makes_records() {
            pipeline.set_read_time(read_time());
        }
        step(pipeline, &mut |piece| match piece {
            Piece::Log(bytes) => {
                text.extend_from_slice(bytes);
                self.copy_to_system_log(source, bytes);
            }
            Piece::Records(records) if text.is_empty() => text = records,
            Piece::Records(records) => text.extend_from_slice(&records),
            Piece::Line { text, is_continued } => self.forward(source, text, is_continued),
            Piece::Unformatted(bytes) => self.copy_to_system_log(source, bytes),
            Piece::Observed(bytes) => follow_ups.push(FollowUp::Observed(bytes.into_owned())),
            Piece::Section(held) => follow_ups.push(FollowUp::Section(held)),
            Piece::Cut(dropped) => follow_ups.push(FollowUp::Cut(dropped)),
        });
        self.put(source, pipeline, &text);
        follow_ups.into_iter().for_each(|follow_up| self.follow_up(source, follow_up));
    }

    /// Tells in a log what happens to its process.
    pub fn mark(&mut self, source: &Source, pipeline: &mut Pipeline, text: &str, is_line_unfinished: bool) {
        let marker = pipeline.marker(text, read_time(), is_line_unfinished);
        self.put(source, pipeline, &marker);
    }

    /// Where the last bytes of a stream are kept from now on; none where its log is a file, or nobody asks for it.
    pub fn keep_in_memory(
        &mut self,
        plan: Option<&MemoryPlan>,
        channel: Channel,
        sink: Option<SinkId>,
    ) -> Option<MemoryLog> {
        let plan = plan?;
        if sink.is_some_and(|sink| self.sinks.leads_to_file(sink)) {
            self.memory.forget(&plan.process, channel);
            return None;
        }
        match self.memory.keep(plan, channel) {
            Ok(memory) => Some(memory),
            Err(error) => {
                let (process, channel) = (&plan.process, channel.name());
                let text = format!("the {channel} of {process} is not kept in memory: {error}");
                self.log(LogLevel::Error, &text);
                None
            }
        }
    }

    fn put(&mut self, source: &Source, pipeline: &Pipeline, text: &[u8]) {
        self.sinks.put(source.sink, source.key(), pipeline, text, source.rotation());
        let Some(memory) = source.memory.as_ref().filter(|_| !text.is_empty()) else { return };
        let was_failing = self.is_memory_failing;
        let pushed = memory.push(text);
        self.is_memory_failing = pushed.is_err();
        if let Err(error) = pushed
            && !was_failing
        {
            self.log(LogLevel::Error, &format!("output of {} could not be kept in memory: {error}", source.process));
        }
    }

    /// Writes entries of the activity log.
    pub fn log_all(&mut self, entries: Entries) {
        entries.into_iter().for_each(|(level, text)| self.log(level, &text));
    }

    /// Gives log services a moment for what is left for them.
    pub fn end_forwarding(&mut self) {
        let entries = self.forwarders.end();
        self.log_all(entries);
    }

    fn forward(&mut self, source: &Source, text: &[u8], is_continued: bool) {
        if let Some(forwarding) = &source.forwarding {
            let entries = self.forwarders.forward(forwarding, text, is_continued, clock::wall());
            self.log_all(entries);
        }
    }

    fn copy_to_system_log(&mut self, source: &Source, bytes: &[u8]) {
        if source.plan.syslog {
            let messages = syslog_messages(&source.process, bytes);
            messages.for_each(|message| self.sinks.send_to_system_log(&message));
        }
    }

    fn follow_up(&mut self, source: &Source, follow_up: FollowUp) {
        let Source { run, process, channel, plan, .. } = source;
        match follow_up {
            FollowUp::Observed(bytes) => {
                if self.activity.wants(LogLevel::Debug) && !plan.is_private {
                    self.log(LogLevel::Debug, &debug_text::copy(process, *channel, &bytes));
                }
                if plan.events_enabled {
                    let length = bytes.len();
                    self.report(Report::Log { run: *run, channel: *channel, bytes }, length);
                }
            }
            FollowUp::Section(held) => {
                self.log_cut(process, *channel, held.dropped);
                self.log(LogLevel::Debug, &debug_text::section(process, *channel));
                let length = held.bytes.len();
                self.report(Report::Communication { run: *run, channel: *channel, bytes: held.bytes }, length);
            }
            FollowUp::Cut(dropped) => self.log_cut(process, *channel, dropped),
        }
    }

    fn log_cut(&mut self, process: &str, channel: Channel, dropped: u64) {
        if dropped > 0 {
            let channel = channel.name();
            let text = format!("{process}: {dropped} bytes beyond {channel}_capture_maxbytes were dropped");
            self.log(LogLevel::Warn, &text);
        }
    }
}

impl Source {
    /// What its pipeline is noted by.
    pub fn key(&self) -> StreamKey {
        StreamKey::new(self.run, self.channel)
    }

    /// When its log is rotated.
    pub fn rotation(&self) -> Rotation {
        Rotation { maxbytes: self.plan.maxbytes, backups: self.plan.backups }
    }
}
