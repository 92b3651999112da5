//! From the command line to a running supervisor, and to the next one after a restart.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use supervisord_config::command_line::Overrides;
use supervisord_config::model::Config;
use supervisord_config::{load_with, search};
use supervisord_core::supervisor::Ending;

use crate::command_line::{self, Options, Request};
use crate::host::System;
use crate::life::Life;

/// Why the daemon cannot start; the text is the original's where it has one.
#[derive(Debug)]
pub struct StartError(pub String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs `supervisord`.
pub fn main() -> ExitCode {
    supervisord_sys::memory::give_back_what_is_freed();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let program = arguments.first().map_or_else(|| "supervisord".into(), |name| name.to_string_lossy().into_owned());
    match command_line::parse(arguments) {
        Ok(Request::Print(text)) => {
            crate::say(&mut std::io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Ok(Request::Run(options)) => match supervise(&program, &options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => usage_error(&format!("Error: {error}\nFor help, use {program} -h\n")),
        },
        Err(text) => usage_error(&text),
    }
}

fn usage_error(text: &str) -> ExitCode {
    crate::say(&mut std::io::stderr(), text);
    ExitCode::from(2)
}

fn supervise(program: &str, options: &Options) -> Result<(), StartError> {
    let host = Arc::new(System::new());
    let overrides = options.settings.convert(host.as_ref()).map_err(|error| StartError(error.to_string()))?;
    let file = find_file(program, options)?;
    let read = reader(file, overrides, host);
    let mut config = read().map_err(StartError)?;
    let mut first = true;
    let mut serial = 0;
    loop {
        let life = Life::prepare(config, read.clone(), first, serial)?;
        match life.live()? {
            (Ending::Exit, _) => return Ok(()),
            (Ending::Restart(next), next_serial) => {
                config = *next;
                serial = next_serial;
                first = false;
            }
        }
    }
}

/// The configuration file: the one that was named, or the first that exists in the usual places.
fn find_file(program: &str, options: &Options) -> Result<String, StartError> {
    if let Some(file) = &options.configuration {
        return Ok(file.clone());
    }
    if supervisord_sys::user::current_uid() == 0 {
        crate::say(&mut std::io::stderr(), &format!("{program}: UserWarning: {}\n", search::ROOT_WARNING));
    }
    let candidates = search::candidates(program);
    match candidates.iter().find(|path| Path::new(path).exists()) {
        Some(file) => Ok(file.clone()),
        None => Err(StartError(search::not_found(&candidates).to_string())),
    }
}

/// Reads the configuration, now and whenever it is asked for again.
fn reader(file: String, overrides: Overrides, host: Arc<System>) -> ReadConfig {
    Arc::new(move || load_with(&file, &overrides, host.as_ref()).map_err(|error| error.to_string()))
}

/// Reads the configuration; the error is the message of the original.
pub type ReadConfig = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;
