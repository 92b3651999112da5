//! Processes that a plug-in defines: its options are read as if they stood in the configuration file.

use std::collections::BTreeMap;
use std::sync::Arc;

use supervisord_config::command_line::Overrides;
use supervisord_config::model::{Config, Process};
use supervisord_config::{load_text, resolve_dependencies};

use crate::host::SystemHost;

/// The processes a section `program:NAME` with these options defines in a group; the error says what is wrong.
pub(super) fn processes(
    config: &Config,
    group: &str,
    section: &str,
    options: &BTreeMap<String, String>,
) -> Result<Vec<Arc<Process>>, String> {
    let program =
        section.strip_prefix("program:").ok_or_else(|| format!("{section} is not the section of a program"))?;
    let file = format!("{}/plug-in", config.here);
    let text = text(group, program, options)?;
    let defined =
        load_text(&text, &file, &Overrides::default(), &SystemHost::new()).map_err(|error| error.to_string())?;
    let processes =
        defined.groups.into_iter().find(|defined| defined.name == group).map(|group| group.processes.clone());
    let inherited = &config.supervisord.environment;
    let finished = |process: &Arc<Process>| {
        let mut process = with_environment(process, inherited);
        resolve_dependencies(&mut process, group, &config.groups).map_err(|complaint| complaint.to_string())?;
        Ok(Arc::new(process))
    };
    processes.unwrap_or_default().iter().map(finished).collect()
}

/// What every program of the daemon gets, where the process says nothing else.
fn with_environment(process: &Process, inherited: &[(String, String)]) -> Process {
    let mut process = process.clone();
    for (name, value) in inherited {
        if !process.spawn.environment.iter().any(|(known, _)| known == name) {
            process.spawn.environment.push((name.clone(), value.clone()));
        }
    }
    process
}

fn text(group: &str, program: &str, options: &BTreeMap<String, String>) -> Result<String, String> {
    let is_plain = |name: &str| !name.is_empty() && !name.contains(['\n', '\r', ']']);
    if !is_plain(group) || !is_plain(program) || program.contains(',') {
        return Err("a name contains characters that no section can have".to_owned());
    }
    let mut text = format!("[supervisord]\n[group:{group}]\nprograms={program}\n[program:{program}]\n");
    for (name, value) in options {
        if !is_plain(name) || name.contains(['=', ':', '[', ';', '#']) {
            return Err(format!("{name:?} is not the name of an option"));
        }
        text += &format!("{name}={}\n", value.replace('\n', "\n "));
    }
    Ok(text)
}
