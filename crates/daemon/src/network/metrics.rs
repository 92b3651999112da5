//! `/metrics`: what there is to measure, gathered when somebody asks.
//!
//! A client that accepts OpenMetrics gets that, and others the text format of Prometheus. They differ in the names of counters
//! and of what does not change.

use std::collections::BTreeMap;
use std::fmt::Write;

use hyper::StatusCode;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use supervisord_config::signal;
use supervisord_core::actor::Actor;
use supervisord_core::call::{Reason, Refusal};
use supervisord_core::event_queue_counts::EventQueueCounts;
use supervisord_core::health::HealthStatus;
use supervisord_core::process::{ProcessPhase, ReadinessRule, Wanted};
use supervisord_core::program_counts::{CountedEnd, LostOutput, ProgramCounts};
use supervisord_core::row::Row;
use supervisord_wire::SUPERVISOR_VERSION;
use supervisord_wire::state::{Mood, ProcessState};

use crate::api::Api;
use crate::calls::CallFailure;
use crate::network::reply::Reply;
use crate::output;
use crate::usage::{TreeUsage, Usage, UsageDepth};

/// About how much a program takes, in bytes.
const PROGRAM_BYTES: usize = 4 << 10;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MetricKind {
    /// It goes up and down.
    Gauge,
    /// It only grows, until what is counted begins again.
    Counter,
    /// How often something took how long all in all, in two samples.
    Summary,
}

/// What is measured of each program.
struct ProgramMetric {
    /// Without the `_total` of a counter.
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
    /// None where it does not exist for a program.
    value: fn(&Row, &TreeUsage) -> Option<f64>,
}

const PROGRAM_METRICS: [ProgramMetric; 16] = [
    gauge("supervisord_program_up", "Whether the program is RUNNING.", |row, _| truth(row.phase == ProcessPhase::Up)),
    gauge("supervisord_program_wanted_up", "Whether the program was asked to run last.", |row, _| {
        truth(row.wanted == Wanted::Up)
    }),
    gauge("supervisord_program_disabled", "1 where somebody has disabled the program; of those only.", |row, _| {
        truth(row.disabled.is_some()).filter(|disabled| *disabled > 0.0)
    }),
    gauge("supervisord_program_ready", "Whether the program is ready; of those with ready_when.", |row, _| {
        ReadinessRule::of(&row.config).sign()?;
        truth(row.phase == ProcessPhase::Up)
    }),
    gauge(
        "supervisord_program_healthy",
        "Whether the program is healthy; of those that are checked and run.",
        |row, _| truth(row.health.as_ref()?.status == HealthStatus::Healthy),
    ),
    gauge("supervisord_program_health_failures", "How many health checks in a row have failed.", |row, _| {
        Some(f64::from(row.health.as_ref()?.failures))
    }),
    gauge(
        "supervisord_program_failed_attempts",
        "How many attempts to start the program have failed in a row.",
        |row, _| Some(row.attempts as f64),
    ),
    counter(
        "supervisord_program_restarts",
        "How often it was started again by itself since somebody started it.",
        |row, _| Some(f64::from(row.restarts)),
    ),
    gauge(
        "supervisord_program_start_time_seconds",
        "When the program was last started, or an attempt was made.",
        |row, _| Some(row.start as f64).filter(|start| *start > 0.0),
    ),
    gauge("supervisord_program_last_end_time_seconds", "When the program last ended.", |row, _| {
        Some(row.last_end.as_ref()?.at as f64)
    }),
    gauge("supervisord_program_last_exit_status", "How the program last ended; -1 after a signal.", |row, _| {
        row.exitstatus.map(f64::from)
    }),
    counter("supervisord_program_cpu_seconds", "Processor time of the program and its descendants.", |_, used| {
        Some(used.cpu_seconds)
    }),
    gauge(
        "supervisord_program_resident_memory_bytes",
        "Resident memory of the program and its descendants.",
        |_, used| Some(used.memory_bytes as f64),
    ),
    gauge("supervisord_program_processes", "How many processes the program has.", |_, used| {
        Some(f64::from(used.processes))
    }),
    gauge("supervisord_program_threads", "How many threads the program and its descendants have.", |_, used| {
        Some(f64::from(used.threads))
    }),
    gauge(
        "supervisord_program_open_fds",
        "How many descriptors the program and its descendants have open.",
        |_, used| used.descriptors.map(|count| count as f64),
    ),
];

const fn gauge(name: &'static str, help: &'static str, value: fn(&Row, &TreeUsage) -> Option<f64>) -> ProgramMetric {
    ProgramMetric { name, kind: MetricKind::Gauge, help, value }
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Row, &TreeUsage) -> Option<f64>) -> ProgramMetric {
    ProgramMetric { name, kind: MetricKind::Counter, help, value }
}

fn truth(is_so: bool) -> Option<f64> {
    Some(f64::from(u8::from(is_so)))
}

/// What a client understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextFormat {
    Prometheus,
    OpenMetrics,
}

impl TextFormat {
    fn of(headers: &HeaderMap) -> TextFormat {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        match accepted.into_iter().any(|value| value.contains("application/openmetrics-text")) {
            true => TextFormat::OpenMetrics,
            false => TextFormat::Prometheus,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            TextFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics of what exists for this actor.
pub async fn reply(api: &Api, actor: &Actor, headers: &HeaderMap) -> Reply {
    let format = TextFormat::of(headers);
    match gathered(api, actor, format).await {
        Ok(reply) => reply.text(CONTENT_TYPE, format.media_type()).text(CACHE_CONTROL, "no-store").length(),
        Err(CallFailure::Refused(Refusal { reason: Reason::NotPermitted, .. })) => Reply::error(StatusCode::FORBIDDEN),
        Err(_) => Reply::error(StatusCode::SERVICE_UNAVAILABLE),
    }
}

async fn gathered(api: &Api, actor: &Actor, format: TextFormat) -> Result<Reply, CallFailure> {
    let view = api.view(actor)?;
    let (mood, identifier) = (view.mood(), view.identifier());
    let mut reservation = api.reserve(view.len().saturating_mul(PROGRAM_BYTES)).await?;
    let usage = api.usage(actor, UsageDepth::WithDescriptors).await?;
    let memory = api.output_memory_size(actor)?;
    let text = api.blocking.compute(move || text(&usage, memory, mood, &identifier, format)).await?;
    reservation.settle(text.len());
    Ok(Reply::whole(StatusCode::OK, text).within(reservation))
}

/// The whole text.
fn text(usage: &Usage, memory: u64, mood: Mood, identifier: &str, format: TextFormat) -> String {
    let mut out = Exposition { text: String::new(), format };
    let version = env!("CARGO_PKG_VERSION");
    out.info(
        "supervisord_build",
        "Which program this is.",
        &[("identifier", identifier), ("version", version), ("supervisor_version", SUPERVISOR_VERSION)],
    );
    out.family("supervisord_running", MetricKind::Gauge, "Whether the daemon supervises, and is not shutting down.");
    out.sample("supervisord_running", "", &[], f64::from(u8::from(mood == Mood::Running)));
    let name = "supervisord_log_lost_bytes";
    out.family(name, MetricKind::Counter, "How many bytes the logs of programs and of the daemon could not take.");
    out.sample(name, "_total", &[], output::lost_bytes() as f64);
    let name = "supervisord_forward_lost_lines";
    out.family(name, MetricKind::Counter, "How many lines did not get to log services.");
    out.sample(name, "_total", &[], output::lost_lines() as f64);
    let name = "supervisord_log_memory_bytes";
    out.family(name, MetricKind::Gauge, "How much memory the last output of programs takes that is kept there.");
    out.sample(name, "", &[], memory as f64);
    let daemon = &usage.daemon;
    for (name, kind, help, value) in [
        ("process_cpu_seconds", MetricKind::Counter, "Processor time of the daemon.", Some(daemon.cpu_seconds)),
        (
            "process_resident_memory_bytes",
            MetricKind::Gauge,
            "Resident memory of the daemon.",
            Some(daemon.memory_bytes as f64),
        ),
        ("process_threads", MetricKind::Gauge, "Threads of the daemon.", Some(f64::from(daemon.threads))),
        (
            "process_open_fds",
            MetricKind::Gauge,
            "Open descriptors of the daemon.",
            daemon.descriptors.map(|count| count as f64),
        ),
    ] {
        if let Some(value) = value {
            out.family(name, kind, help);
            out.sample(name, suffix(kind), &[], value);
        }
    }
    let name = "supervisord_program_state";
    out.family(name, MetricKind::Gauge, "The state of the program: 1 for the present one, 0 for the others.");
    for (row, _) in &usage.programs {
        for state in ProcessState::ALL {
            let labels = [("group", &*row.group), ("name", &*row.config.identity.name), ("state", state.name())];
            out.sample(name, "", &labels, f64::from(u8::from(row.state() == state)));
        }
    }
    for ProgramMetric { name, kind, help, value } in &PROGRAM_METRICS {
        let mut is_begun = false;
        for (row, used) in &usage.programs {
            let Some(value) = value(row, used) else { continue };
            if !std::mem::replace(&mut is_begun, true) {
                out.family(name, *kind, help);
            }
            let labels = [("group", &*row.group), ("name", &*row.config.identity.name)];
            out.sample(name, suffix(*kind), &labels, value);
        }
    }
    counts(&mut out, usage);
    event_queues(&mut out, usage);
    out.text + "# EOF\n"
}

/// Starts, ends and times to come up, of the programs to which that has happened.
fn counts(out: &mut Exposition, usage: &Usage) {
    let counted = || usage.programs.iter().filter_map(|(row, _)| Some((row, row.counts.as_ref()?)));
    if counted().next().is_none() {
        return;
    }
    let labels = |row: &Row| [("group", row.group.to_string()), ("name", row.config.identity.name.clone())];
    let name = "supervisord_program_starts";
    out.family(name, MetricKind::Counter, "How often a process of the program was started.");
    for (row, counts) in counted() {
        out.sample_of(name, "_total", &labels(row), counts.starts as f64);
    }
    let name = "supervisord_program_exits";
    out.family(name, MetricKind::Counter, "How often the program ended, by exit status or signal.");
    for (row, counts) in counted() {
        for (end, number) in &counts.ends {
            let (status, signal) = match end {
                CountedEnd::Code(code) => (code.to_string(), String::new()),
                CountedEnd::Signal(number) => {
                    let name = signal::name(i32::from(*number)).map_or_else(|| number.to_string(), str::to_owned);
                    (String::new(), name)
                }
                CountedEnd::Unknown => ("unknown".to_owned(), String::new()),
            };
            let [group, program] = labels(row);
            out.sample_of(name, "_total", &[group, program, ("status", status), ("signal", signal)], *number as f64);
        }
    }
    let lost_bytes: fn(&ProgramCounts) -> LostOutput = |counts| counts.lost_output;
    let lost_lines: fn(&ProgramCounts) -> LostOutput = |counts| counts.lost_lines;
    for (name, help, lost) in [
        (
            "supervisord_program_log_lost_bytes",
            "How many bytes of the output of the program did not get into its logs.",
            lost_bytes,
        ),
        (
            "supervisord_program_forward_lost_lines",
            "How many lines of the output of the program did not get to log services.",
            lost_lines,
        ),
    ] {
        out.family(name, MetricKind::Counter, help);
        for (row, counts) in counted() {
            let LostOutput { stdout, stderr } = lost(counts);
            for (stream, lost) in [("stdout", stdout), ("stderr", stderr)] {
                let [group, program] = labels(row);
                out.sample_of(name, "_total", &[group, program, ("stream", stream.to_owned())], lost as f64);
            }
        }
    }
    let name = "supervisord_program_time_to_running_seconds";
    out.family(name, MetricKind::Summary, "How long the program took from its start to RUNNING.");
    for (row, counts) in counted() {
        out.sample_of(name, "_sum", &labels(row), counts.time_to_up.as_secs_f64());
        out.sample_of(name, "_count", &labels(row), counts.times_up as f64);
    }
}

/// The queues of the pools of event listeners.
fn event_queues(out: &mut Exposition, usage: &Usage) {
    let mut queues: BTreeMap<&str, &EventQueueCounts> = BTreeMap::new();
    let listeners = usage.programs.iter().filter_map(|(row, _)| Some((&*row.group, row.event_queue.as_deref()?)));
    queues.extend(listeners);
    if queues.is_empty() {
        return;
    }
    for (name, kind, help, value) in EVENT_QUEUE_METRICS {
        out.family(name, kind, help);
        for (group, counts) in &queues {
            out.sample(name, suffix(kind), &[("group", group)], value(counts) as f64);
        }
    }
}

type EventQueueMetric = (&'static str, MetricKind, &'static str, fn(&EventQueueCounts) -> u64);

const EVENT_QUEUE_METRICS: [EventQueueMetric; 3] = [
    (
        "supervisord_event_queue_length",
        MetricKind::Gauge,
        "How many events wait for the listeners of a pool.",
        EventQueueCounts::queued,
    ),
    (
        "supervisord_event_queue_events",
        MetricKind::Counter,
        "How many events the queue of a pool has taken.",
        EventQueueCounts::accepted,
    ),
    (
        "supervisord_event_queue_lost_events",
        MetricKind::Counter,
        "How many events were dropped because the queue of a pool was full.",
        EventQueueCounts::lost,
    ),
];

const fn suffix(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Gauge | MetricKind::Summary => "",
        MetricKind::Counter => "_total",
    }
}

/// The text as it grows.
struct Exposition {
    text: String,
    format: TextFormat,
}

impl Exposition {
    /// Begins a metric, whose samples follow.
    fn family(&mut self, name: &str, kind: MetricKind, help: &str) {
        let suffix = match self.format {
            TextFormat::Prometheus => suffix(kind),
            TextFormat::OpenMetrics => "",
        };
        let kind = match kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
            MetricKind::Summary => "summary",
        };
        self.head(&format!("{name}{suffix}"), kind, help);
    }

    /// A metric whose labels are what it tells.
    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) {
        match self.format {
            TextFormat::Prometheus => self.head(&format!("{name}_info"), "gauge", help),
            TextFormat::OpenMetrics => self.head(name, "info", help),
        }
        self.sample(name, "_info", labels, 1.0);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample_of(&mut self, name: &str, suffix: &str, labels: &[(&str, String)], value: f64) {
        let labels: Vec<(&str, &str)> = labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
        self.sample(name, suffix, &labels, value);
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        for (place, (label, value)) in labels.iter().enumerate() {
            self.text.push_str(if place == 0 { "{" } else { "," });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for letter in value.chars() {
                match letter {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use supervisord_core::health::HealthResult;
    use supervisord_core::process::ExitStatus;
    use supervisord_core::program_counts::ProgramCounts;
    use supervisord_core::row::RowHealth;
    use supervisord_core::samples::row;

    use super::*;

    fn usage(name: &str) -> Usage {
        let last = Some(HealthResult { at: 9, failure: None });
        let health = Some(Box::new(RowHealth { status: HealthStatus::Healthy, failures: 0, last }));
        let used =
            TreeUsage { cpu_seconds: 1.5, memory_bytes: 1 << 40, processes: 2, threads: 3, descriptors: Some(4) };
        Usage {
            programs: vec![
                (
                    Arc::new(Row {
                        health,
                        start: 100,
                        exitstatus: Some(3),
                        counts: Some(Arc::new(counted())),
                        event_queue: Some(Arc::default()),
                        ..row("web", name)
                    }),
                    used,
                ),
                (Arc::new(row("web", "other")), TreeUsage::default()),
            ],
            daemon: used,
        }
    }

    fn counted() -> ProgramCounts {
        let mut counts = ProgramCounts::default();
        counts.started();
        counts.came_up(Duration::from_millis(1500));
        counts.ended(ExitStatus::Code(3));
        counts.ended(ExitStatus::Signal { number: 15, core_dumped: false });
        counts
    }

    fn plain(name: &str, format: TextFormat) -> String {
        text(&usage(name), 0, Mood::Running, "supervisor", format)
    }

    /// Reads the text strictly, as the specification of OpenMetrics has it, and gives the metrics with their kinds. Each line
    /// belongs to the metric before, of which there is one only, and no sample occurs twice.
    fn read(text: &str, format: TextFormat) -> BTreeMap<String, String> {
        let (mut kinds, mut samples, mut current) = (BTreeMap::new(), BTreeSet::new(), String::new());
        let body = text.strip_suffix("# EOF\n").expect("an end");
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').expect("a name and a text");
                assert!(text.ends_with('.') && !text.contains('\\'), "{line}");
                current = name.to_owned();
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a name and a kind");
                assert_eq!(name, current, "the help comes first");
                assert_eq!(kinds.insert(name.to_owned(), kind.to_owned()), None, "{name} occurs twice");
            } else {
                let end = line.find(['{', ' ']).expect("a name");
                let (name, rest) = line.split_at(end);
                let suffix = match (&*kinds[&current], format) {
                    ("counter", TextFormat::OpenMetrics) => "_total",
                    ("info", _) => "_info",
                    ("summary", _) if name.ends_with("_sum") => "_sum",
                    ("summary", _) => "_count",
                    _ => "",
                };
                assert_eq!(name, format!("{current}{suffix}"), "{line}");
                let is_counter = kinds[&current] == "counter";
                assert_eq!(name.ends_with("_total"), is_counter, "{line}");
                let (labels, value) = rest.rsplit_once(' ').expect("a value");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                assert!(labels.is_empty() || labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
                assert!(samples.insert((name.to_owned(), labels.to_owned())), "{line} occurs twice");
            }
        }
        kinds
    }

    #[test]
    fn both_formats_are_well_formed_and_tell_the_same() {
        let prometheus = read(&plain("a", TextFormat::Prometheus), TextFormat::Prometheus);
        let open = read(&plain("a", TextFormat::OpenMetrics), TextFormat::OpenMetrics);
        assert_eq!(prometheus["supervisord_program_cpu_seconds_total"], "counter");
        assert_eq!(open["supervisord_program_cpu_seconds"], "counter");
        assert_eq!((&*prometheus["supervisord_build_info"], &*open["supervisord_build"]), ("gauge", "info"));
        assert_eq!(prometheus.len(), open.len());
    }

    #[test]
    fn the_values_are_those_of_the_programs() {
        let text = plain("a", TextFormat::OpenMetrics);
        for line in [
            "supervisord_program_state{group=\"web\",name=\"a\",state=\"RUNNING\"} 1",
            "supervisord_program_state{group=\"web\",name=\"a\",state=\"FATAL\"} 0",
            "supervisord_program_resident_memory_bytes{group=\"web\",name=\"a\"} 1099511627776",
            "supervisord_program_cpu_seconds_total{group=\"web\",name=\"a\"} 1.5",
            "supervisord_program_healthy{group=\"web\",name=\"a\"} 1",
            "supervisord_program_last_exit_status{group=\"web\",name=\"a\"} 3",
            "supervisord_program_processes{group=\"web\",name=\"other\"} 0",
            "process_open_fds 4",
            "supervisord_program_starts_total{group=\"web\",name=\"a\"} 1",
            "supervisord_program_exits_total{group=\"web\",name=\"a\",status=\"3\",signal=\"\"} 1",
            "supervisord_program_exits_total{group=\"web\",name=\"a\",status=\"\",signal=\"SIGTERM\"} 1",
            "supervisord_program_time_to_running_seconds_sum{group=\"web\",name=\"a\"} 1.5",
            "supervisord_program_time_to_running_seconds_count{group=\"web\",name=\"a\"} 1",
            "supervisord_event_queue_lost_events_total{group=\"web\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("supervisord_program_healthy{group=\"web\",name=\"other\"}"));
    }

    #[test]
    fn a_name_cannot_break_a_line() {
        let text = plain("a\"} 1\n\\", TextFormat::OpenMetrics);
        assert!(text.contains("name=\"a\\\"} 1\\n\\\\\"} "), "{text}");
        read(&text, TextFormat::OpenMetrics);
    }

    /// The dashboard and the alerts name only what there is.
    #[test]
    fn what_contrib_asks_for_exists() {
        let known = read(&plain("a", TextFormat::Prometheus), TextFormat::Prometheus);
        let ready = "supervisord_program_ready";
        let end = "supervisord_program_last_end_time_seconds";
        for file in ["grafana-dashboard.json", "alerts.yml"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            let named: BTreeSet<&str> =
                words.filter(|word| word.starts_with("supervisord_") || word.starts_with("process_")).collect();
            assert!(named.len() > 3, "{file} names {named:?}");
            for name in named {
                assert!(known.contains_key(name) || [ready, end].contains(&name), "{file} asks for {name}");
            }
        }
    }
}
