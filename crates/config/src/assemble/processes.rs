//! The processes of a `[program:x]`, `[fcgi-program:x]` or `[eventlistener:x]` section.

use std::sync::{Arc, OnceLock};

use super::environments::without_losses;
use super::inheritance::INHERIT;
use super::inputs::Inputs;
use crate::convert::name;
use crate::duration::Shown;
use crate::environment;
use crate::error::ConfigError;
use crate::expand::{ExpansionNames, expand, uses_name, without_expressions};
use crate::model::{AutoRestart, FastCgiSocket, LogFile, Logging, Process};
use crate::notices::Notices;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::reader::Reader;
use crate::schema::{Kind, OptionSpec, SectionKind, default_process};
use crate::secret;
use crate::value::ConfigValue;
use crate::words::{self, WordError};

/// The options of 4.3.0 that are read once for all processes of a section, and those that are read for each, in the order of
/// the original, which decides which of several mistakes is reported. All others are read for each, in the order of the table.
const ONCE: [&str; 20] = [
    "priority",
    "autostart",
    "autorestart",
    "startsecs",
    "startretries",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "exitcodes",
    "redirect_stderr",
    "numprocs",
    "numprocs_start",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "serverurl",
    "user",
    "umask",
];
const FOR_EACH: [&str; 10] = [
    "directory",
    "stdout_logfile",
    "stdout_logfile_backups",
    "stdout_logfile_maxbytes",
    "stdout_syslog",
    "stderr_logfile",
    "stderr_logfile_backups",
    "stderr_logfile_maxbytes",
    "stderr_syslog",
    "command",
];

/// The options that are read before there is a process, or in a way of their own.
const OF_THE_SECTION: [&str; 5] = ["numprocs", "numprocs_start", "process_name", "environment", INHERIT];

/// All processes of a section, sorted by name. Errors name section and file, as the original's do.
pub(super) fn processes(
    reader: &Reader<'_>,
    group_name: &str,
    socket: Option<&Arc<FastCgiSocket>>,
    inputs: &Inputs<'_>,
    located: &ExpansionNames<'_>,
    notices: &mut Notices,
) -> Result<Vec<Process>, ConfigError> {
    // Listeners differ in the priority of their pool, not in that of their processes.
    let reader = reader.read_as(SectionKind::Program);
    section_processes(&reader, group_name, socket, inputs, located, notices).map_err(|error| {
        let place = (repr(reader.section()), repr(&reader.section_origin().file));
        error.map(|message| format!("{message} in section {} (file: {})", place.0, place.1))
    })
}

fn section_processes(
    reader: &Reader<'_>,
    group_name: &str,
    socket: Option<&Arc<FastCgiSocket>>,
    inputs: &Inputs<'_>,
    located: &ExpansionNames<'_>,
    notices: &mut Notices,
) -> Result<Vec<Process>, ConfigError> {
    let program_name = name(reader.own_name()).map_err(|complaint| reader.bad_name(&complaint))?;
    let names = ExpansionNames::over(located)
        .text("program_name", program_name)
        .text("host_node_name", &inputs.host_name)
        .text("group_name", group_name);
    let shared = Shared::read(reader, &names, socket, inputs)?;
    let mut processes: Vec<Process> = Vec::new();
    for offset in 0..shared.numprocs {
        let number = shared.numprocs_start.saturating_add(offset);
        let names = ExpansionNames::over(&names).number("process_num", number).number("numprocs", shared.numprocs);
        let mut process = shared.process(reader, &names, inputs, notices)?;
        process.identity.number = number;
        processes.last().into_iter().for_each(|before| process.share_with(before));
        processes.push(process);
    }
    processes.sort_by(|a, b| a.identity.name.cmp(&b.identity.name));
    Ok(processes)
}

/// What is read once for all processes of a section.
struct Shared<'a> {
    numprocs: i64,
    numprocs_start: i64,
    /// Not expanded.
    process_name: &'a str,
    /// A process with what is the same in all of them.
    process: Process,
    writes_killasgroup: bool,
    /// The options that are read for each process and are written.
    for_each: Vec<&'static OptionSpec>,
}

impl<'a> Shared<'a> {
    fn read(
        reader: &Reader<'a>,
        names: &ExpansionNames<'_>,
        socket: Option<&Arc<FastCgiSocket>>,
        inputs: &Inputs<'_>,
    ) -> Result<Shared<'a>, ConfigError> {
        let mut process = default_process(reader.section(), reader.section_origin().clone());
        process.spawn.socket = socket.cloned();
        let (mut numprocs, mut numprocs_start, mut writes_killasgroup) = (1, 0, false);
        for row in once().filter(|row| reader.is_written(row)) {
            match row.name {
                "numprocs" => numprocs = reader.get(row.name, names, inputs.host)?,
                "numprocs_start" => numprocs_start = reader.get(row.name, names, inputs.host)?,
                _ => drop(set(&mut process, row, reader, names, inputs)?),
            }
            writes_killasgroup |= row.name == "killasgroup";
        }
        let numprocs = inputs.scaled(reader.section(), numprocs);
        let process_name = reader.raw("process_name").unwrap_or_default();
        let checked =
            name(process_name).or_else(|refused| name(&without_expressions(process_name)).map_err(|_| refused));
        checked.map_err(|complaint| reader.cannot_convert("process_name", &complaint))?;
        let process_name = strip(process_name);
        let written = reader.written_rows();
        check_contradictions(reader, &written)?;
        set_implied(&mut process, reader, &written)?;
        let is_written = |row: &&'static OptionSpec| written.iter().any(|known| std::ptr::eq(*known, *row));
        let for_each = for_each().iter().copied().filter(is_written).collect();
        Shared { numprocs, numprocs_start, process_name, process, writes_killasgroup, for_each }.check(reader)
    }

    /// What several options must satisfy together.
    fn check(mut self, reader: &Reader<'_>) -> Result<Shared<'a>, ConfigError> {
        let is_numbered = self.process_name.contains("%(process_num)") || uses_name(self.process_name, "process_num");
        if self.numprocs > 1 && !is_numbered {
            let message = "%(process_num) must be present within process_name when numprocs > 1";
            let advice = "write process_name=%(program_name)s_%(process_num)02d";
            return Err(reader.error("numprocs", message).advise(advice.to_owned()));
        }
        let stop = &mut self.process.stop;
        if stop.stopasgroup && !stop.killasgroup {
            if self.writes_killasgroup {
                let advice = "remove this line: killasgroup is true where stopasgroup is";
                let error = reader.error("killasgroup", "Cannot set stopasgroup=true and killasgroup=false");
                return Err(error.advise(advice.to_owned()));
            }
            stop.killasgroup = true;
        }
        Ok(self)
    }

    /// One process; `names` has its number.
    fn process(
        &self,
        reader: &Reader<'_>,
        names: &ExpansionNames<'_>,
        inputs: &Inputs<'_>,
        notices: &mut Notices,
    ) -> Result<Process, ConfigError> {
        let mut process = self.process.clone();
        process.spawn.environment = environment(reader, names, notices)?;
        let names = &ExpansionNames::over(names).variables(&process.spawn.environment);
        let mut read = Vec::new();
        for row in &self.for_each {
            read.push((row.name, set(&mut process, row, reader, names, inputs)?));
        }
        set_families(&mut process, reader, names)?;
        check_times(reader, &read)?;
        check_type(reader, &process)?;
        let is_written = |option: &str, value: ConfigValue<'_>| read.contains(&(option, value));
        let section = reader.section();
        let Logging { stdout, stderr, redirect_stderr, .. } = &mut process.logging;
        for (log, channel) in [(stdout, "stdout"), (&mut *stderr, "stderr")] {
            let key = format!("{channel}_logfile");
            if is_written(&key, ConfigValue::Syslog) {
                log.syslog = true;
                let text = format!(
                    "For [{section}], {key}=syslog but this is deprecated and will be removed.  Use \
                     {channel}_syslog=true to enable syslog instead."
                );
                notices.warn_about(text, reader.place(&key));
            }
            if log.file == LogFile::Auto && is_written(&format!("{key}_maxbytes"), ConfigValue::Integer(0)) {
                let text = format!(
                    "For [{section}], AUTO logging used for {key} without rollover, set maxbytes > 0 to avoid filling \
                     up filesystem unintentionally"
                );
                notices.warn_about(text, reader.place(&format!("{key}_maxbytes")));
            }
        }
        if *redirect_stderr {
            if matches!(stderr.file, LogFile::Path(_)) {
                let text = format!(
                    "For [{section}], redirect_stderr=true but stderr_logfile has also been set to a filename, \
                     the filename has been ignored"
                );
                notices.warn_about(text, reader.place("stderr_logfile"));
            }
            stderr.file = LogFile::None;
        }
        if let Some(row) = required().find(|row| !reader.is_written(row)) {
            return Err(reader.error(row.name, format!("program section {section} does not specify a {}", row.name)));
        }
        check_command(reader, &process.spawn.command, notices);
        process.identity.name = self.expanded_name(reader, names)?;
        Ok(process)
    }

    /// The name, whose characters were checked before it was expanded; after that only an empty one is refused.
    fn expanded_name(&self, reader: &Reader<'_>, names: &ExpansionNames<'_>) -> Result<String, ConfigError> {
        match expand(self.process_name, names, "process_name") {
            Ok(expanded) if !expanded.is_empty() => Ok(expanded),
            Ok(_) => Err(reader.error("process_name", "Invalid name: '' because it is empty")),
            Err(complaint) => Err(reader.cannot_expand("process_name", &complaint)),
        }
    }
}

/// Refuses an option beside one that is written in its place.
fn check_contradictions(reader: &Reader<'_>, written: &[&'static OptionSpec]) -> Result<(), ConfigError> {
    for (row, other) in written.iter().flat_map(|row| row.in_place_of.iter().map(move |other| (row, *other))) {
        if reader.writes(other) {
            let message = format!("{} is written in place of {other}, which is written as well at ", row.name);
            let error = reader.error(row.name, message + &reader.origin(other).to_string());
            return Err(error.advise(format!("remove {} or {other}", row.name)));
        }
    }
    for row in written {
        let is_there = |other: &str| SectionKind::Program.option(other).is_some_and(|other| reader.is_written(other));
        if !row.only_with.is_empty() && !row.only_with.iter().any(|other| is_there(other)) {
            let others = row.only_with.join(" or ");
            let error = reader.error(row.name, format!("{} means nothing without {others}", row.name));
            return Err(error.advise(format!("write {others} as well, or remove {}", row.name)));
        }
    }
    Ok(())
}

/// Sets options that are not written to the defaults that they have beside others that are.
fn set_implied(process: &mut Process, reader: &Reader<'_>, written: &[&'static OptionSpec]) -> Result<(), ConfigError> {
    let by_alias = |row: &OptionSpec| if reader.is_written_by_name(row) { &[][..] } else { row.implied_by_alias };
    for (option, default) in written.iter().flat_map(|row| row.implied.iter().chain(by_alias(row))) {
        let Some(row) = SectionKind::Program.option(option).filter(|row| !reader.is_written(row)) else { continue };
        let value = row.kind.convert(default).map_err(|complaint| reader.cannot_convert(option, &complaint))?;
        let field = row.of_process().ok_or_else(|| reader.wrong_shape(row))?;
        field.set(process, value).map_err(|_| reader.wrong_shape(row))?;
    }
    Ok(())
}

/// Refuses a time that is not sooner than one that it must be sooner than.
fn check_times(reader: &Reader<'_>, read: &[(&str, ConfigValue<'_>)]) -> Result<(), ConfigError> {
    let value_of = |option: &str| read.iter().find(|(name, _)| *name == option).map(|(_, value)| value);
    for (row, other) in SectionKind::Program.options().filter_map(|row| Some((row, row.sooner_than?))) {
        let times = value_of(row.name).zip(value_of(other));
        let Some((Some(sooner), Some(later))) = times.map(|(value, other)| (value.longest(), other.longest())) else {
            continue;
        };
        if sooner >= later {
            let (sooner, later) = (Shown(sooner), Shown(later));
            let message = format!("{} may be as late as {sooner}, but {other} is {later} at ", row.name);
            let error = reader.error(row.name, message + &reader.origin(other).to_string());
            return Err(error.advise(format!("make {} shorter than {other}, or remove one of them", row.name)));
        }
    }
    Ok(())
}

/// Refuses what a program that does its work and ends cannot be, or be told.
fn check_type(reader: &Reader<'_>, process: &Process) -> Result<(), ConfigError> {
    if !process.is_oneshot() {
        return Ok(());
    }
    let kept_type = || SectionKind::Program.options().find(|row| row.kind == Kind::ProgramType);
    let of_type = |message: &str, advice: String| match kept_type() {
        Some(row) => reader.error(row.name, message).advise(advice),
        None => reader.section_error(message).advise(advice),
    };
    if SectionKind::of(reader.section()) == Some(SectionKind::EventListener) {
        let message = "an event listener cannot be a one-shot: it waits for events until it is stopped";
        return Err(of_type(message, "remove this line, or write a [program:x] section".to_owned()));
    }
    if process.restart.autorestart == AutoRestart::Always {
        let message = "a one-shot is not started again when it has done its work, as autorestart=true demands";
        let advice = "remove autorestart, or write autorestart=false for a one-shot that is not tried again either";
        return Err(reader.error("autorestart", message).advise(advice.to_owned()));
    }
    let written = SectionKind::Program.options().filter(|row| row.is_not_of_oneshots && reader.is_written(row));
    match written.into_iter().next() {
        Some(row) => {
            let message = format!("{} means nothing for a one-shot, which is ready when it has ended", row.name);
            Err(reader.error(row.name, message).advise(format!("remove {}, or the type of the program", row.name)))
        }
        None => Ok(()),
    }
}

/// The options that are read once, in this order.
fn once() -> impl Iterator<Item = &'static OptionSpec> {
    ONCE.into_iter().filter_map(|option| SectionKind::Program.option(option))
}

/// The options that are read for each process, in this order.
fn for_each() -> &'static [&'static OptionSpec] {
    static ROWS: OnceLock<Vec<&'static OptionSpec>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let lists = [&ONCE[..], &FOR_EACH, &OF_THE_SECTION];
        let is_listed = |row: &OptionSpec| lists.into_iter().any(|listed| listed.contains(&row.name));
        let listed = FOR_EACH.into_iter().filter_map(|option| SectionKind::Program.option(option));
        listed.chain(SectionKind::Program.options().filter(|row| !is_listed(row) && !row.is_family)).collect()
    })
}

/// The options without which there is no process.
fn required() -> impl Iterator<Item = &'static OptionSpec> {
    SectionKind::Program.options().filter(|row| row.required())
}

/// Sets an option that is written, and tells what to.
fn set(
    process: &mut Process,
    row: &OptionSpec,
    reader: &Reader<'_>,
    names: &ExpansionNames<'_>,
    inputs: &Inputs<'_>,
) -> Result<ConfigValue<'static>, ConfigError> {
    let value = reader.value(row, names, inputs.host)?.unwrap_or(ConfigValue::Unset);
    let field = row.of_process().ok_or_else(|| reader.wrong_shape(row))?;
    field.set(process, value.clone()).map_err(|_| reader.wrong_shape(row))?;
    Ok(value)
}

fn environment(
    reader: &Reader<'_>,
    names: &ExpansionNames<'_>,
    notices: &mut Notices,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut layers = Vec::new();
    for reader in reader.layers("environment") {
        let raw = reader.raw("environment").unwrap_or_default();
        let text =
            expand(raw, names, "environment").map_err(|complaint| reader.cannot_expand("environment", &complaint))?;
        let read = environment::read(&text).map_err(|complaint| reader.cannot_convert("environment", &complaint))?;
        layers.push(without_losses(&reader, read, notices));
    }
    Ok(environment::merged(layers))
}

/// Sets options that are written with names of the user's.
fn set_families(process: &mut Process, reader: &Reader<'_>, names: &ExpansionNames<'_>) -> Result<(), ConfigError> {
    for row in SectionKind::Program.options().filter(|row| row.is_family) {
        let mut texts = Vec::new();
        for (option, name, value) in reader.family(row, names)? {
            let Some(name) = secret::variable(&name) else {
                let error = reader.error(&option, format!("{} cannot be the name of a variable", repr(&name)));
                return Err(error.advise("write letters, digits and underscores behind the dot".to_owned()));
            };
            let ConfigValue::Text(place) = value else { return Err(reader.wrong_shape(row)) };
            texts.push(format!("{name}={place}"));
        }
        let field = row.of_process().ok_or_else(|| reader.wrong_shape(row))?;
        field.set(process, ConfigValue::Texts(texts.into())).map_err(|_| reader.wrong_shape(row))?;
    }
    Ok(())
}

/// Mentions a command that no start will be able to take apart.
fn check_command(reader: &Reader<'_>, command: &str, notices: &mut Notices) {
    let Err(error) = words::split(command) else { return };
    let advice = reader.cut_off("command").filter(|_| error != WordError::Nul);
    let text = match error {
        WordError::NoClosingQuotation | WordError::NoEscapedCharacter => {
            format!("The command of [{}] cannot be split into words: {error}", reader.section())
        }
        WordError::Nul => format!("The command of [{}] cannot be run: {error}", reader.section()),
    };
    notices.warn_at(text, reader.place("command").advise(advice));
}
