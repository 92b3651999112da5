//! What is particular to `[eventlistener:x]`: the pool.

use super::inputs::Inputs;
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::model::ListenerPool;
use crate::reader::Reader;
use crate::suggest::did_you_mean;

/// The pool of a section.
pub(super) fn pool(
    reader: &Reader<'_>,
    inputs: &Inputs<'_>,
    located: &ExpansionNames<'_>,
) -> Result<ListenerPool, ConfigError> {
    let section = reader.section();
    let buffer_size = reader.get("buffer_size", located, inputs.host)?;
    let result_handler = reader.get("result_handler", located, inputs.host)?;
    let events = events(reader, inputs, located)?;
    if reader.get("redirect_stderr", located, inputs.host)? {
        let message = format!(
            "[{section}] section sets redirect_stderr=true but this is not allowed because it will interfere with \
             the eventlistener protocol"
        );
        return Err(reader.error("redirect_stderr", message));
    }
    Ok(ListenerPool { buffer_size, events, result_handler })
}

fn events(reader: &Reader<'_>, inputs: &Inputs<'_>, located: &ExpansionNames<'_>) -> Result<Vec<String>, ConfigError> {
    let section = reader.section();
    let known = inputs.host.events();
    let mut events: Vec<String> = Vec::new();
    let names: Option<Vec<String>> = reader.maybe("events", located, inputs.host)?;
    for name in names.unwrap_or_default() {
        let name = name.to_uppercase();
        if !known.contains(&name.as_str()) {
            let error = reader.error("events", format!("Unknown event type {name} in [{section}] events"));
            return Err(error.advise(did_you_mean(&name, known)));
        }
        if !events.contains(&name) {
            events.push(name);
        }
    }
    if events.is_empty() {
        return Err(reader.error("events", format!("[{section}] section requires an \"events\" line")));
    }
    Ok(events)
}
