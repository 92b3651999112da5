//! From the command line to a running supervisor, and to the next one after a restart.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use supervisord_config::host::Host;
use supervisord_config::model::LogLevel;
use supervisord_config::{Purpose, load_with, search};
use supervisord_sys::signal::Signals;
use supervisord_sys::{command, inherited};

use crate::command_line::{self, Inquiry, Options, ParsedCommandLine};
use crate::control::{SELF_TEST, UNDERSTOOD};
use crate::generation::{Generation, GenerationContext, GenerationEnd, Reader, catch_signals};
use crate::hand_over::HandOver;
use crate::host::SystemHost;
use crate::plugins::process::Launcher;
use crate::start_error::StartError;
use crate::{hand_over, hash_password, inquiry, keeper, socket_activation};

/// Runs `supervisord`.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == keeper::ARGUMENT) {
        return keeper::run();
    }
    supervisord_sys::memory::limit_heap_retention();
    // What somebody left open for us is not for our children. That it cannot be marked would show in nothing else.
    let _ = inherited::note_at_start();
    let is_upgraded = std::env::var_os(hand_over::VARIABLE).is_some();
    socket_activation::take(&supervisord_sys::host::environment(), std::process::id(), is_upgraded);
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|argument| argument == SELF_TEST) {
        return self_test(arguments);
    }
    if arguments.get(1).is_some_and(|argument| argument == hash_password::ARGUMENT) {
        return hash_password::run(arguments.get(2..).unwrap_or_default());
    }
    let program = name_of(&arguments);
    let done = match command_line::parse(arguments) {
        Ok(ParsedCommandLine::Print(text, before)) => {
            let checked = before.convert(&SystemHost::new()).map_err(|error| StartError(error.to_string()));
            checked.map(|_| {
                crate::say(&mut std::io::stdout(), &text);
                0
            })
        }
        Ok(ParsedCommandLine::Run(options)) => supervise(&program, &options),
        Ok(ParsedCommandLine::Inquire(inquiry, options)) => inquire(&program, inquiry, &options),
        Err(text) => return usage_error(&text),
    };
    match done {
        Ok(status) => status.into(),
        Err(error) => usage_error(&format!("Error: {error}\nFor help, use {program} -h\n")),
    }
}

/// Says whether this program could go on from the state on its stdin with the arguments behind the first.
fn self_test(mut arguments: Vec<OsString>) -> ExitCode {
    arguments.remove(1);
    let mut text = Vec::new();
    let read = std::io::stdin().read_to_end(&mut text).map_err(|error| error.to_string());
    let understood = read.and_then(|_| hand_over::read(&text)).and_then(|handed| {
        let program = name_of(&arguments);
        let host = Arc::new(SystemHost::in_directory(handed.start_dir));
        match command_line::parse(arguments)? {
            ParsedCommandLine::Run(options) => {
                reader(&program, &options, host).map(drop).map_err(|error| error.to_string())
            }
            ParsedCommandLine::Print(..) | ParsedCommandLine::Inquire(..) => Ok(()),
        }
    });
    match understood {
        Ok(()) => {
            crate::say(&mut std::io::stdout(), &format!("{UNDERSTOOD}\n"));
            ExitCode::SUCCESS
        }
        Err(reason) => usage_error(&format!("{reason}\n")),
    }
}

/// Tells what is asked about the configuration. Gives the exit status.
fn inquire(program: &str, inquiry: Inquiry, options: &Options) -> Result<u8, StartError> {
    let host = SystemHost::new();
    let overrides = options.settings.convert(&host).map_err(|error| StartError(error.to_string()))?;
    let file = find_file(program, options)?;
    let told = inquiry::tell(&file, &overrides, inquiry, &host);
    crate::say(&mut std::io::stdout(), &told.text);
    Ok(told.status)
}

fn name_of(arguments: &[OsString]) -> String {
    arguments.first().map_or_else(|| "supervisord".into(), |name| name.to_string_lossy().into_owned())
}

fn usage_error(text: &str) -> ExitCode {
    crate::say(&mut std::io::stderr(), text);
    ExitCode::from(2)
}

/// Supervises until the end. Gives the exit status of the daemon.
fn supervise(program: &str, options: &Options) -> Result<u8, StartError> {
    let (mut generation, mut signals) = match hand_over::inherited() {
        None => first_generation(program, options)?,
        Some(Ok(handed)) => {
            let host = Arc::new(SystemHost::in_directory(handed.start_dir.clone()));
            let start =
                GenerationContext { directory: handed.start_dir.clone(), read: reader(program, options, host)? };
            let generation = Generation::resume(handed, start)?;
            (generation, catch_signals()?)
        }
        Some(Err(reason)) => return Err(StartError(format!("cannot go on from the program before: {reason}"))),
    };
    loop {
        let (start, config) = (generation.start_parameters(), generation.config());
        (generation, signals) = match generation.run(signals)? {
            GenerationEnd::Exit(status) => return Ok(status),
            GenerationEnd::Restart(next, serial, signals) => {
                (Generation::restart(*next, &config, start, serial)?, signals)
            }
            GenerationEnd::HandOver(handed, mut signals) => {
                let (handed, failure) = hand_over::execute(*handed, &mut signals).map_err(StartError)?;
                (go_on_as_before(handed, start, &failure)?, signals)
            }
            GenerationEnd::NotHandedOver(handed, signals, reason) => {
                (go_on_as_before(*handed, start, reason)?, signals)
            }
        }
    }
}

/// Goes on after an upgrade that could not be completed.
fn go_on_as_before(
    handed: HandOver<OwnedFd>,
    start: GenerationContext,
    reason: &str,
) -> Result<Generation, StartError> {
    let generation = Generation::resume(handed, start)?;
    generation.log(LogLevel::Error, &format!("not upgraded, going on as before: {reason}"));
    Ok(generation)
}

fn first_generation(program: &str, options: &Options) -> Result<(Generation, Signals), StartError> {
    let host = Arc::new(SystemHost::new());
    let directory = host.current_dir();
    let start = GenerationContext { read: reader(program, options, host)?, directory };
    let config = (start.read)(Purpose::Start, &[], Launcher::Caller).map_err(StartError)?;
    Generation::begin(config, start)
}

/// The configuration file: the one that was named, or the first that exists in the usual places.
fn find_file(program: &str, options: &Options) -> Result<String, StartError> {
    if let Some(file) = &options.configuration {
        return Ok(file.clone());
    }
    if supervisord_sys::user::current_uid() == 0 {
        crate::say(&mut std::io::stderr(), &format!("{program}: UserWarning: {}\n", search::ROOT_WARNING));
    }
    let candidates = search::candidates(&command::own_path().to_string_lossy());
    match candidates.iter().find(|path| Path::new(path).exists()) {
        Some(file) => Ok(file.clone()),
        None => Err(StartError(search::not_found(&candidates).to_string())),
    }
}

/// Reads the configuration, now and whenever it is asked for again.
fn reader(program: &str, options: &Options, host: Arc<SystemHost>) -> Result<Reader, StartError> {
    let overrides = options.settings.convert(host.as_ref()).map_err(|error| StartError(error.to_string()))?;
    let file = find_file(program, options)?;
    Ok(Arc::new(move |purpose, scales, launcher| {
        let host = host.with_launcher(launcher);
        load_with(&file, &overrides.with_scales(scales), purpose, &host).map_err(|error| error.to_string())
    }))
}
