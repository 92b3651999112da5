//! Actions of `[ctlplugin:x]` sections: Python code in the plug-in process, which exists only if there are such
//! sections.

use std::io;

use supervisord_config::model::Plugin;
use supervisord_wire::plugin::{CtlSettings, FromPlugins, Section, ToPlugins};

use super::verb::{Flow, Interpreter};
use crate::client::ClientError;
use crate::failure::Failure;
use crate::plugin_process::PluginProcess;
use crate::render;
use crate::session::Session;
use crate::settings::Settings;
use crate::status;

/// The result of an action.
struct ActionResult {
    status: u8,
    leave: bool,
    error: Option<String>,
    unauthorized: bool,
}

/// Starts the plug-in process and creates the plug-ins of the configuration. The error is the text after `Error: `.
pub fn prepare(session: &mut Session, interpreter: &Interpreter) -> Result<(), String> {
    if session.settings.plugins.is_empty() {
        return Ok(());
    }
    let broken = |error: io::Error| format!("the plug-ins cannot be run by python3: {error}");
    let mut process = PluginProcess::start().map_err(broken)?;
    match make_plugins(&mut process, session, interpreter).map_err(broken)? {
        Some(error) => Err(error),
        None => {
            session.plugins = Some(process);
            Ok(())
        }
    }
}

/// Runs an action of a plug-in; none if no plug-in has an action with this name.
pub fn act(
    session: &mut Session,
    interpreter: &Interpreter,
    name: &str,
    argument: &str,
) -> Result<Option<Flow>, Failure> {
    let Some(mut process) = session.plugins.take() else {
        return Ok(None);
    };
    let is_known = process.plugins.iter().flat_map(|plugin| &plugin.actions).any(|action| action.name == name);
    if !is_known {
        session.plugins = Some(process);
        return Ok(None);
    }
    let (status, settings) = (session.exit_status(), settings(session));
    let done = send_request(&mut process, session, interpreter, |id| ToPlugins::Act {
        id,
        name: name.to_owned(),
        argument: argument.to_owned(),
        status,
        settings,
    });
    finish(session, process, done).map(Some)
}

/// Prints the help of each plug-in for a topic.
pub fn explain(session: &mut Session, interpreter: &Interpreter, topic: &str) -> Result<(), Failure> {
    let Some(mut process) = session.plugins.take() else { return Ok(()) };
    let done =
        send_request(&mut process, session, interpreter, |id| ToPlugins::Explain { id, topic: topic.to_owned() });
    let done = done.map(|done| ActionResult { status: session.exit_status(), ..done });
    finish(session, process, done).map(drop)
}

/// Lists the actions that plug-ins can explain.
pub fn list(session: &mut Session) {
    let Some(process) = session.plugins.take() else { return };
    for plugin in &process.plugins {
        let names: Vec<&str> =
            plugin.actions.iter().filter(|action| action.documented).map(|action| action.name.as_str()).collect();
        if !names.is_empty() {
            let header = format!("{} commands (type help <topic>):", plugin.name);
            let text = render::help_block(&header, &names);
            session.console.raw(session.console.printable(&text).into_owned().as_bytes());
        }
    }
    session.plugins = Some(process);
}

fn finish(session: &mut Session, process: PluginProcess, done: io::Result<ActionResult>) -> Result<Flow, Failure> {
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            session.fail(status::GENERIC, format_args!("error: the plug-in process ended: {error}"));
            return Ok(Flow::Continue);
        }
    };
    session.plugins = Some(process);
    if done.unauthorized {
        return Err(ClientError::Status { code: 401, reason: "Unauthorized".to_owned() }.into());
    }
    session.set_exit_status(done.status);
    if let Some(error) = done.error {
        session.fail(status::GENERIC, error);
    }
    Ok(if done.leave { Flow::Leave } else { Flow::Continue })
}

fn settings(session: &Session) -> CtlSettings {
    let Settings { server_url, username, password, interactive, prompt, .. } = &session.settings;
    CtlSettings {
        serverurl: server_url.clone(),
        username: username.clone(),
        password: password.clone(),
        interactive: *interactive,
        prompt: prompt.clone(),
    }
}

fn section(plugin: &Plugin) -> Section {
    Section { name: plugin.name.clone(), factory: plugin.factory.clone(), options: plugin.options.clone() }
}

/// Creates the plug-ins; returns an error message if that fails.
fn make_plugins(
    process: &mut PluginProcess,
    session: &mut Session,
    interpreter: &Interpreter,
) -> io::Result<Option<String>> {
    let plugins = session.settings.plugins.iter().map(section).collect();
    let (id, settings) = (process.take_id(), settings(session));
    process.write(&ToPlugins::Control { id, plugins, settings }.line())?;
    loop {
        match process.read()? {
            FromPlugins::Controlling { plugins, error, .. } => {
                process.plugins = plugins;
                return Ok(error);
            }
            question => answer(process, session, interpreter, question)?,
        }
    }
}

/// Sends a request and serves the requests of the plug-ins until it is answered.
fn send_request(
    process: &mut PluginProcess,
    session: &mut Session,
    interpreter: &Interpreter,
    question: impl FnOnce(u64) -> ToPlugins,
) -> io::Result<ActionResult> {
    let id = process.take_id();
    process.write(&question(id).line())?;
    loop {
        match process.read()? {
            FromPlugins::Acted { status, leave, error, unauthorized, .. } => {
                return Ok(ActionResult { status, leave, error, unauthorized });
            }
            question => answer(process, session, interpreter, question)?,
        }
    }
}

fn answer(
    process: &mut PluginProcess,
    session: &mut Session,
    interpreter: &Interpreter,
    question: FromPlugins,
) -> io::Result<()> {
    let (id, yes) = match question {
        FromPlugins::Perform { id, line } => (id, (interpreter.perform)(session, &line) == Flow::Leave),
        FromPlugins::Upcheck { id } => match session.up_check() {
            Ok(is_up) => (id, is_up),
            Err(failure) => {
                session.fail(status::GENERIC, failure.line());
                (id, false)
            }
        },
        FromPlugins::Log { text, .. } => {
            session.console.print_error(text);
            return Ok(());
        }
        // Requests that only the daemon can answer.
        FromPlugins::Rpc { id, .. } | FromPlugins::Snapshot { id } | FromPlugins::Define { id, .. } => {
            return process.write(&ToPlugins::Refused { id, text: "this is not the daemon".to_owned() }.line());
        }
        _ => return Ok(()),
    };
    let status = session.exit_status();
    process.write(&ToPlugins::Performed { id, status, yes }.line())
}
