//! The path of one stream from its pipe to its consumers:
//!
//! ```text
//! chunk ─► strip ─► capture ─┬─► records ─► log (file)        ordinary output; records only where they are asked for
//!                            ├─► system log                   the same, as it is
//!                            ├─► lines ─► log services        the same, line by line, where it is forwarded
//!                            ├─► observers (events, debug)    all output, in whole characters
//!                            └─► section                      finished captures
//! ```

use std::borrow::Cow;

use supervisord_wire::calendar::rfc_3339;

use super::ChannelPlan;
use super::capture::{Capture, Held, Part};
use super::characters::WholeCharacters;
use super::note;
use super::records::{ReadTime, RecordPlan, Records, UnfinishedLine};
use super::strip::Stripper;

/// A part of the output and its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Write this to the log of the stream, and to the system log.
    Log(&'a [u8]),
    /// Write this to the log of the stream, but not to the system log: whole records.
    Records(Vec<u8>),
    /// Write this to the system log: it becomes a part of records.
    Unformatted(&'a [u8]),
    /// Forward this line, or this part of a long one, to log services.
    Line {
        /// Without its end.
        text: &'a [u8],
        /// Whether it follows the beginning of a long line.
        is_continued: bool,
    },
    /// Pass this to the observers of the stream; captured output too, as in the original.
    Observed(Cow<'a, [u8]>),
    /// Report this finished capture section.
    Section(Held),
    /// A capture section was unfinished when the process ended; its kept content was returned as [`Piece::Log`],
    /// without this number of dropped bytes.
    Cut(u64),
}

/// The state of one stream between its chunks.
#[derive(Clone, Debug)]
pub struct Pipeline {
    stripper: Option<Stripper>,
    stripped: Vec<u8>,
    stages: Stages,
}

/// The stages after stripping.
#[derive(Clone, Debug)]
struct Stages {
    /// Boxed, because hardly any stream has one.
    capture: Option<Box<Capture>>,
    observers: Option<WholeCharacters>,
    /// Boxed for the same reason.
    records: Option<Box<Records>>,
    /// Where lines are forwarded. Boxed for the same reason.
    forwarded: Option<Box<UnfinishedLine>>,
}

/// A pipeline as plain data, for whoever stores it: its stages, without the form of records, which the plan says.
#[derive(Clone, Debug, Default)]
pub struct PipelineData {
    /// Removes escape sequences.
    pub stripper: Option<Stripper>,
    /// Finds capture sections.
    pub capture: Option<Capture>,
    /// Passes whole characters to the observers.
    pub observers: Option<WholeCharacters>,
    /// What has come of a line of which a record will be made.
    pub line: UnfinishedLine,
    /// What has come of a line that will be forwarded.
    pub forwarded: UnfinishedLine,
}

/// Until it is [adapted](Pipeline::adapt) to its plan, a line that has not ended is logged without a form.
impl From<PipelineData> for Pipeline {
    fn from(PipelineData { stripper, capture, observers, line, forwarded }: PipelineData) -> Pipeline {
        let has_line = !line.is_at_rest();
        let records = has_line.then(|| Box::new(Records::resume(RecordPlan::plain(), line)));
        let forwarded = (!forwarded.is_at_rest()).then(|| Box::new(forwarded));
        let stages = Stages { capture: capture.map(Box::new), observers, records, forwarded };
        Pipeline { stripper, stripped: Vec::new(), stages }
    }
}

impl From<&Pipeline> for PipelineData {
    fn from(Pipeline { stripper, stages, .. }: &Pipeline) -> PipelineData {
        let Stages { capture, observers, records, forwarded } = stages.clone();
        let line = records.map(|records| records.unfinished().clone()).unwrap_or_default();
        let (capture, forwarded) = (capture.map(|capture| *capture), forwarded.map(|line| *line).unwrap_or_default());
        PipelineData { stripper: stripper.clone(), capture, observers, line, forwarded }
    }
}

/// The bit of the third byte of a note that tells of a line to be forwarded.
const FORWARDS: u8 = 2;

impl Pipeline {
    /// The pipeline of a new run. `watched` enables [`Piece::Observed`].
    pub fn new(plan: &ChannelPlan, strip_ansi: bool, watched: bool) -> Pipeline {
        Pipeline {
            stripper: strip_ansi.then(Stripper::default),
            stripped: Vec::new(),
            stages: Stages {
                capture: (plan.capture_maxbytes > 0).then(|| Box::new(Capture::new(plan.capture_maxbytes))),
                observers: watched.then(WholeCharacters::default),
                records: plan.records.clone().map(|plan| Box::new(Records::new(plan))),
                forwarded: plan.forward.as_ref().map(|_| Box::default()),
            },
        }
    }

    /// Whether it makes records, so that it needs to know when something was read.
    pub fn makes_records(&self) -> bool {
        self.stages.records.is_some()
    }

    /// Whether nothing should be read yet, because the records would lack the id of the process.
    pub fn awaits_process(&self) -> bool {
        self.stages.records.as_ref().is_some_and(|records| !records.knows_process())
    }

    /// The process has been made.
    pub fn set_pid(&mut self, pid: u32) {
        if let Some(records) = &mut self.stages.records {
            records.set_pid(pid);
        }
    }

    /// What tells in the log what happens to the process, after what may be a part of a line. The time of an unformatted line is
    /// that of the call.
    pub fn marker(&mut self, text: &str, time: ReadTime, is_line_unfinished: bool) -> Vec<u8> {
        match &mut self.stages.records {
            Some(records) => {
                records.set_time(time);
                records.marker(text)
            }
            None => {
                let line_feed = if is_line_unfinished { "\n" } else { "" };
                format!("{line_feed}--- {text}, {} ---\n", rfc_3339(time.wall)).into_bytes()
            }
        }
    }

    /// When what comes next was read.
    pub fn set_read_time(&mut self, time: ReadTime) {
        if let Some(records) = &mut self.stages.records {
            records.set_time(time);
        }
    }

    /// Whether every chunk becomes one [`Piece::Log`] unchanged, so that the pipeline can be bypassed.
    pub fn is_transparent(&self) -> bool {
        let Stages { capture, observers, records, forwarded } = &self.stages;
        self.stripper.is_none() && capture.is_none() && observers.is_none() && records.is_none() && forwarded.is_none()
    }

    /// Whether its state is that of a new run: no bytes are held back, and no section has begun.
    pub fn is_at_rest(&self) -> bool {
        let Stages { capture, observers, records, forwarded } = &self.stages;
        self.stripper.as_ref().is_none_or(Stripper::is_at_rest)
            && capture.as_ref().is_none_or(|capture| capture.is_at_rest())
            && observers.as_ref().is_none_or(WholeCharacters::is_at_rest)
            && records.as_ref().is_none_or(|records| records.is_at_rest())
            && forwarded.as_ref().is_none_or(|line| line.is_at_rest())
    }

    /// Its state, in at most `longest` bytes besides what lines need. That must be at least [`Pipeline::SHORTEST_NOTE`]; the
    /// content of a capture section is left out if it does not fit, and counts as dropped.
    pub fn note(&self, longest: usize) -> Vec<u8> {
        let Stages { capture, observers, records, forwarded } = &self.stages;
        let forwarded = forwarded.as_ref().filter(|line| !line.is_at_rest());
        let third = u8::from(observers.is_some()) | if forwarded.is_some() { FORWARDS } else { 0 };
        let mut out = vec![self.stripper.is_some().into(), capture.is_some().into(), third];
        if let Some(stripper) = &self.stripper {
            stripper.note(&mut out);
        }
        if let Some(observers) = observers {
            observers.note(&mut out);
        }
        if let Some(capture) = capture {
            capture.note(&mut out, longest.saturating_sub(Pipeline::SHORTEST_NOTE));
        }
        if let Some(line) = forwarded {
            line.note(&mut out);
        }
        if let Some(records) = records {
            records.note(&mut out);
        }
        out
    }

    /// The most bytes of a note without the content of a section, and without lines.
    pub const SHORTEST_NOTE: usize = 80;

    /// Restores the pipeline from its note; none if the note is invalid.
    pub fn from_note(mut note: &[u8]) -> Option<Pipeline> {
        let note = &mut note;
        let [strips, captures, shows] = [note::take_byte(note)?, note::take_byte(note)?, note::take_byte(note)?];
        let stripper = if strips > 0 { Some(Stripper::from_note(note)?) } else { None };
        let observers = if shows & !FORWARDS > 0 { Some(WholeCharacters::from_note(note)?) } else { None };
        let capture = if captures > 0 { Some(Box::new(Capture::from_note(note)?)) } else { None };
        let forwarded = if shows & FORWARDS > 0 { Some(Box::new(UnfinishedLine::from_note(note)?)) } else { None };
        let records = if note.is_empty() { None } else { Some(Box::new(Records::from_note(note)?)) };
        Some(Pipeline { stripper, stripped: Vec::new(), stages: Stages { capture, observers, records, forwarded } })
    }

    /// Continues with another plan. Bytes held back by a removed stage are emitted.
    pub fn adapt(&mut self, plan: &ChannelPlan, strip_ansi: bool, watched: bool, emit: &mut dyn FnMut(Piece<'_>)) {
        self.set_strip_ansi(strip_ansi, emit);
        let Stages { capture, observers, records, forwarded } = &mut self.stages;
        match capture {
            Some(capture) if plan.capture_maxbytes > 0 => capture.set_limit(plan.capture_maxbytes),
            Some(unwanted) => {
                unwanted.finish(&mut |part| sort(part, observers, records, forwarded, emit));
                *capture = None;
            }
            None if plan.capture_maxbytes > 0 => *capture = Some(Box::new(Capture::new(plan.capture_maxbytes))),
            None => {}
        }
        match (&mut *records, &plan.records) {
            (Some(records), Some(plan)) => records.set_plan(plan.clone()),
            (Some(unwanted), None) => {
                emit_records(unwanted.finish(), emit);
                *records = None;
            }
            (None, wanted) => *records = wanted.clone().map(|plan| Box::new(Records::new(plan))),
        }
        match (&mut *forwarded, &plan.forward) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(unwanted), None) => {
                unwanted.finish(&mut |text, is_continued| emit(Piece::Line { text, is_continued }));
                *forwarded = None;
            }
            (None, Some(_)) => *forwarded = Some(Box::default()),
        }
        if watched {
            observers.get_or_insert_default();
        } else {
            *observers = None;
        }
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8], emit: &mut dyn FnMut(Piece<'_>)) {
        match &mut self.stripper {
            None => self.stages.push(chunk, emit),
            Some(stripper) => {
                self.stripped.clear();
                stripper.push(chunk, &mut self.stripped);
                self.stages.push(&self.stripped, emit);
            }
        }
    }

    /// Ends the stream and emits all held-back bytes.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Piece<'_>)) {
        self.finish_stripping(emit);
        self.stages.finish(emit);
    }

    /// Turns stripping on or off for later chunks.
    pub fn set_strip_ansi(&mut self, on: bool, emit: &mut dyn FnMut(Piece<'_>)) {
        if on {
            self.stripper.get_or_insert_default();
        } else {
            self.finish_stripping(emit);
            self.stripper = None;
        }
    }

    /// Drops the content captured so far.
    pub fn clear_capture(&mut self) {
        if let Some(capture) = &mut self.stages.capture {
            capture.clear();
        }
    }

    fn finish_stripping(&mut self, emit: &mut dyn FnMut(Piece<'_>)) {
        if let Some(stripper) = &mut self.stripper {
            self.stripped.clear();
            stripper.finish(&mut self.stripped);
            self.stages.push(&self.stripped, emit);
        }
    }
}

impl Stages {
    fn push(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Piece<'_>)) {
        if bytes.is_empty() {
            return;
        }
        let Stages { capture, observers, records, forwarded } = self;
        match capture {
            None => sort(Part::Plain(bytes), observers, records, forwarded, emit),
            Some(capture) => capture.push(bytes, &mut |part| sort(part, observers, records, forwarded, emit)),
        }
    }

    fn finish(&mut self, emit: &mut dyn FnMut(Piece<'_>)) {
        let Stages { capture, observers, records, forwarded } = self;
        if let Some(capture) = capture {
            capture.finish(&mut |part| sort(part, observers, records, forwarded, emit));
        }
        if let Some(line) = forwarded {
            line.finish(&mut |text, is_continued| emit(Piece::Line { text, is_continued }));
        }
        if let Some(records) = records {
            emit_records(records.finish(), emit);
        }
        if let Some(whole) = observers {
            let left = whole.finish();
            if !left.is_empty() {
                emit(Piece::Observed(left.into()));
            }
        }
    }
}

fn sort(
    part: Part<'_>,
    observers: &mut Option<WholeCharacters>,
    records: &mut Option<Box<Records>>,
    forwarded: &mut Option<Box<UnfinishedLine>>,
    emit: &mut dyn FnMut(Piece<'_>),
) {
    match part {
        Part::Plain(bytes) => {
            log(bytes, records, emit);
            forward(bytes, forwarded, emit);
            show(bytes, observers, emit);
        }
        Part::Captured(bytes) => show(bytes, observers, emit),
        Part::Section(held) => emit(Piece::Section(held)),
        Part::Unfinished(held) => {
            if !held.bytes.is_empty() {
                log(&held.bytes, records, emit);
                forward(&held.bytes, forwarded, emit);
            }
            if held.dropped > 0 {
                emit(Piece::Cut(held.dropped));
            }
        }
    }
}

fn log(bytes: &[u8], records: &mut Option<Box<Records>>, emit: &mut dyn FnMut(Piece<'_>)) {
    match records {
        None => emit(Piece::Log(bytes)),
        Some(records) => {
            emit(Piece::Unformatted(bytes));
            emit_records(records.push(bytes), emit);
        }
    }
}

fn forward(bytes: &[u8], forwarded: &mut Option<Box<UnfinishedLine>>, emit: &mut dyn FnMut(Piece<'_>)) {
    if let Some(line) = forwarded {
        line.push(bytes, &mut |text, is_continued| emit(Piece::Line { text, is_continued }));
    }
}

fn emit_records(records: Vec<u8>, emit: &mut dyn FnMut(Piece<'_>)) {
    if !records.is_empty() {
        emit(Piece::Records(records));
    }
}

fn show(bytes: &[u8], observers: &mut Option<WholeCharacters>, emit: &mut dyn FnMut(Piece<'_>)) {
    if let Some(whole) = observers {
        let bytes = whole.push(bytes);
        if !bytes.is_empty() {
            emit(Piece::Observed(bytes));
        }
    }
}

/// The system log messages of one piece of output: one per line, after trailing line feeds are removed, each with the
/// name of its process before it.
pub fn syslog_messages(process: &str, bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let end = bytes.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
    bytes[..end].split(|byte| *byte == b'\n').map(move |line| [process.as_bytes(), b" ", line].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use supervisord_config::log_form::LogFormat;
    use supervisord_config::syslog_code::{SyslogFacility, SyslogSeverity};

    use super::super::Channel;
    use super::super::capture::{BEGIN, END};
    use super::super::forward::{ForwardOrigin, ForwardPlan, TlsFiles};
    use super::super::records::RecordSource;
    use super::*;

    fn plan(capture_maxbytes: u64) -> ChannelPlan {
        ChannelPlan {
            file: None,
            maxbytes: 0,
            backups: 0,
            rotation_rules: None,
            capture_maxbytes,
            events_enabled: true,
            syslog: false,
            keeps_end: false,
            records: None,
            markers: false,
            when_blocked: None,
            memory: None,
            forward: None,
            ready_line: None,
            is_private: false,
        }
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Seen {
        log: Vec<u8>,
        unformatted: Vec<u8>,
        lines: Vec<(Vec<u8>, bool)>,
        observers: Vec<u8>,
        sections: Vec<Held>,
        cut: u64,
    }

    impl Seen {
        fn note(&mut self, piece: Piece<'_>) {
            match piece {
                Piece::Log(bytes) => self.log.extend_from_slice(bytes),
                Piece::Records(records) => self.log.extend_from_slice(&records),
                Piece::Unformatted(bytes) => self.unformatted.extend_from_slice(bytes),
                Piece::Line { text, is_continued } => self.lines.push((text.to_vec(), is_continued)),
                Piece::Observed(bytes) => self.observers.extend_from_slice(&bytes),
                Piece::Section(held) => self.sections.push(held),
                Piece::Cut(bytes) => self.cut += bytes,
            }
        }
    }

    fn run(mut pipeline: Pipeline, chunks: &[&[u8]]) -> Seen {
        let mut seen = Seen::default();
        for chunk in chunks {
            pipeline.push(chunk, &mut |piece| seen.note(piece));
        }
        pipeline.finish(&mut |piece| seen.note(piece));
        seen
    }

    #[test]
    fn a_plain_stream_is_transparent() {
        assert!(Pipeline::new(&plan(0), false, false).is_transparent());
        assert!(!Pipeline::new(&plan(9), false, false).is_transparent());
        assert!(!Pipeline::new(&plan(0), true, false).is_transparent());
        assert!(!Pipeline::new(&plan(0), false, true).is_transparent());
        assert_eq!(run(Pipeline::new(&plan(0), false, false), &[b"a\xff"]).log, b"a\xff");
    }

    #[test]
    fn escapes_inside_a_token_do_not_hide_it() {
        let seen = run(Pipeline::new(&plan(9), true, true), &[b"a<!--XSUPER\x1b[0mVISOR:BEGIN-->b", END, b"c"]);
        assert_eq!((seen.log.as_slice(), seen.observers.as_slice()), (&b"ac"[..], &b"abc"[..]));
        assert_eq!(seen.sections, [Held { bytes: b"b".to_vec(), dropped: 0 }]);
    }

    #[test]
    fn an_unfinished_section_becomes_output_once() {
        let seen = run(Pipeline::new(&plan(4), false, true), &[b"a", BEGIN, b"bcdefg"]);
        assert_eq!(seen.log, b"adefg");
        assert_eq!(seen.observers, b"abcdefg");
        assert_eq!(seen.cut, 2);
    }

    fn with_records() -> ChannelPlan {
        let (program, group, process) = ("web", "web", "web");
        let source = RecordSource { program, group, process, number: 0, channel: Channel::Stdout };
        let format = LogFormat::parse("%(pid)s> %(message)s").unwrap();
        ChannelPlan { records: RecordPlan::new(&format, &source, None), ..plan(9) }
    }

    #[test]
    fn records_are_made_of_what_is_not_captured() {
        let mut pipeline = Pipeline::new(&with_records(), true, true);
        assert!(pipeline.makes_records() && pipeline.awaits_process() && !pipeline.is_transparent());
        pipeline.set_pid(7);
        assert!(!pipeline.awaits_process());
        let seen = run(pipeline, &[b"a\x1b[1mb", BEGIN, b"hidden\n", END, b"c\nd"]);
        assert_eq!((seen.log.as_slice(), seen.unformatted.as_slice()), (&b"7> abc\n7> d\n"[..], &b"abc\nd"[..]));
    }

    #[test]
    fn a_line_that_has_not_ended_survives_as_data_and_as_a_note() {
        let mut pipeline = Pipeline::new(&with_records(), false, false);
        pipeline.set_pid(7);
        pipeline.push(b"half", &mut |_| {});
        assert!(!pipeline.is_at_rest());
        let mut seen = Seen::default();
        let mut next = Pipeline::from(PipelineData::from(&pipeline));
        next.adapt(&with_records(), false, false, &mut |piece| seen.note(piece));
        next.set_pid(8);
        next.push(b" a line\n", &mut |piece| seen.note(piece));
        assert_eq!(seen.log, b"8> half a line\n");
        let next = Pipeline::from_note(&pipeline.note(Pipeline::SHORTEST_NOTE)).unwrap();
        assert_eq!(run(next, &[b" a line\n"]).log, b"7> half a line\n");
        let mut seen = Seen::default();
        pipeline.adapt(&plan(0), false, false, &mut |piece| seen.note(piece));
        assert!(pipeline.is_transparent());
        assert_eq!(seen.log, b"7> half\n");
    }

    fn forwarding() -> ChannelPlan {
        let origin = ForwardOrigin {
            facility: SyslogFacility::USER,
            tag: String::new(),
            hostname: String::new(),
            program: String::new(),
            group: String::new(),
            process: String::new(),
            channel: Some(Channel::Stdout),
            pid: None,
        };
        let (targets, severity) = (Vec::new(), SyslogSeverity::INFO);
        let forward = ForwardPlan { targets, tls: TlsFiles::default(), severity, origin: origin.into() };
        ChannelPlan { forward: Some(forward.into()), ..plan(9) }
    }

    #[test]
    fn lines_are_forwarded_beside_the_log() {
        let line = |text: &str| (text.as_bytes().to_vec(), false);
        let pipeline = Pipeline::new(&forwarding(), true, false);
        assert!(!pipeline.is_transparent() && !pipeline.makes_records());
        let seen = run(pipeline, &[b"a\x1b[1mb", BEGIN, b"hidden\n", END, b"c\r\n\nd"]);
        assert_eq!((seen.log.as_slice(), seen.lines), (&b"abc\r\n\nd"[..], vec![line("abc"), line(""), line("d")]));
    }

    #[test]
    fn a_line_that_is_forwarded_survives_as_data_and_as_a_note() {
        let mut pipeline = Pipeline::new(&forwarding(), false, false);
        pipeline.push(b"half", &mut |_| {});
        assert!(!pipeline.is_at_rest());
        let whole = vec![(b"half a line".to_vec(), false)];
        let mut next = Pipeline::from(PipelineData::from(&pipeline));
        next.adapt(&forwarding(), false, false, &mut |_| {});
        assert_eq!(run(next, &[b" a line\n"]).lines, whole);
        let note = pipeline.note(Pipeline::SHORTEST_NOTE);
        assert_eq!(run(Pipeline::from_note(&note).unwrap(), &[b" a line\n"]).lines, whole);
        let mut seen = Seen::default();
        pipeline.adapt(&plan(0), false, false, &mut |piece| seen.note(piece));
        assert!(pipeline.is_transparent());
        assert_eq!((seen.lines, seen.log.len()), (vec![(b"half".to_vec(), false)], 0));
        pipeline.adapt(&forwarding(), false, false, &mut |_| {});
        assert!(!pipeline.is_transparent() && pipeline.is_at_rest());
    }

    #[test]
    fn turning_stripping_off_emits_a_held_escape() {
        let mut pipeline = Pipeline::new(&plan(0), true, false);
        let mut seen = Seen::default();
        pipeline.push(b"a\x1b", &mut |piece| seen.note(piece));
        pipeline.set_strip_ansi(false, &mut |piece| seen.note(piece));
        pipeline.push(b"[1mb", &mut |piece| seen.note(piece));
        assert_eq!(seen.log, b"a\x1b[1mb");
    }

    #[test]
    fn syslog_gets_one_message_per_line() {
        let messages = |bytes| syslog_messages("web", bytes).collect::<Vec<_>>();
        assert_eq!(messages(b"a\r\n\nb\n\n"), [b"web a\r".to_vec(), b"web ".to_vec(), b"web b".to_vec()]);
        assert_eq!(messages(b"\n"), [b"web ".to_vec()]);
    }

    #[test]
    fn a_long_section_is_noted_as_dropped() {
        let mut pipeline = Pipeline::new(&plan(5000), true, true);
        pipeline.push(&[b"a", BEGIN, &[b'x'; 1000]].concat(), &mut |_| {});
        assert!(pipeline.note(Pipeline::SHORTEST_NOTE + 999).len() <= Pipeline::SHORTEST_NOTE);
        let note = pipeline.note(Pipeline::SHORTEST_NOTE + 1000);
        assert!((1000..=Pipeline::SHORTEST_NOTE + 1000).contains(&note.len()));
        let rest = |note: &[u8]| run(Pipeline::from_note(note).expect("a note"), &[b"y", END, b"b"]);
        assert_eq!(rest(&note).sections[0].dropped, 0);
        let seen = rest(&pipeline.note(Pipeline::SHORTEST_NOTE));
        assert_eq!(
            (seen.log.as_slice(), &seen.sections),
            (&b"b"[..], &vec![Held { bytes: b"y".into(), dropped: 1000 }])
        );
    }

    #[test]
    fn invalid_notes_are_refused() {
        let mut pipeline = Pipeline::new(&plan(50), true, true);
        pipeline.push(&[BEGIN, b"abc"].concat(), &mut |_| {});
        let note = pipeline.note(1000);
        assert!((0..note.len()).all(|end| Pipeline::from_note(&note[..end]).is_none()));
    }

    #[test]
    fn another_plan_emits_held_back_bytes() {
        let mut seen = Seen::default();
        let mut pipeline = Pipeline::new(&plan(50), true, true);
        pipeline.push(b"a<!--X\x1b", &mut |piece| seen.note(piece));
        pipeline.adapt(&plan(0), false, false, &mut |piece| seen.note(piece));
        assert!(pipeline.is_transparent() && pipeline.is_at_rest());
        assert_eq!(seen.log, b"a<!--X\x1b");
        pipeline.adapt(&plan(50), true, true, &mut |_| {});
        assert!(!pipeline.is_transparent());
    }

    proptest! {
        #[test]
        fn a_pipeline_restored_from_its_note_continues_the_same(
            bits in proptest::collection::vec(prop_oneof![
                Just(BEGIN.to_vec()), Just(END.to_vec()), Just(b"\x1b[1m".to_vec()), Just("é€".as_bytes().to_vec()),
                proptest::collection::vec(any::<u8>(), 0..4),
            ], 0..8),
            size in 1usize..30,
        ) {
            let text = bits.concat();
            let mut seen = Seen::default();
            let mut pipeline = Pipeline::new(&plan(7), true, true);
            for chunk in text.chunks(size) {
                pipeline.push(chunk, &mut |piece| seen.note(piece));
                let note = pipeline.note(1000);
                prop_assert!(note.len() <= Pipeline::SHORTEST_NOTE + 7);
                pipeline = Pipeline::from_note(&note).expect("a note");
            }
            pipeline.finish(&mut |piece| seen.note(piece));
            prop_assert_eq!(seen, run(Pipeline::new(&plan(7), true, true), &[&text]));
        }

        #[test]
        fn cuts_make_no_difference(
            bits in proptest::collection::vec(prop_oneof![
                Just(BEGIN.to_vec()), Just(END.to_vec()), Just(b"\x1b[1m".to_vec()), Just("é€".as_bytes().to_vec()),
                proptest::collection::vec(any::<u8>(), 0..4),
            ], 0..8),
            size in 1usize..30,
            strip in any::<bool>(),
        ) {
            let text = bits.concat();
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let pipeline = Pipeline::new(&plan(7), strip, true);
            prop_assert_eq!(run(pipeline.clone(), &chunks), run(pipeline, &[&text]));
        }
    }
}
