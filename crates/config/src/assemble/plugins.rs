//! Sections that name Python code.

use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::Host;
use crate::ini::Ini;
use crate::model::Plugin;
use crate::python_name::resolved;
use crate::reader::Reader;
use crate::schema::SectionKind;

/// The option that names the code.
fn factory_key(kind: SectionKind) -> &'static str {
    if kind == SectionKind::CtlPlugin { "supervisor.ctl_factory" } else { "supervisor.rpcinterface_factory" }
}

/// All sections of this kind, in file order.
pub(crate) fn plugins(
    ini: &Ini,
    kind: SectionKind,
    variables: &ExpansionNames<'_>,
    host: &dyn Host,
) -> Result<Vec<Plugin>, ConfigError> {
    Reader::of_kind(ini, kind).map(|reader| plugin(&reader, factory_key(kind), variables, host)).collect()
}

fn plugin(reader: &Reader<'_>, key: &str, names: &ExpansionNames<'_>, host: &dyn Host) -> Result<Plugin, ConfigError> {
    let factory = reader.text(key, names)?.ok_or_else(|| reader.missing(key))?;
    let factory =
        resolved(&factory, reader.section(), host).map_err(|complaint| reader.cannot_convert(key, &complaint))?;
    let mut options = Vec::new();
    for option in reader.options().filter(|&option| option != key) {
        let value = reader.text(option, names)?.unwrap_or_default();
        options.push((option.to_owned(), value));
    }
    Ok(Plugin { name: reader.own_name().to_owned(), factory, options })
}

/// The interface that is built in.
const MAIN_INTERFACE: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// The interface that is built in takes no options, not even those of `[DEFAULT]`. The original finds that out when it
/// opens its servers, and so not without any.
pub(super) fn check_main_interface(ini: &Ini, interfaces: &[Plugin]) -> Result<(), ConfigError> {
    let spoiled = interfaces.iter().find(|plugin| plugin.factory == MAIN_INTERFACE && !plugin.options.is_empty());
    let Some(plugin) = spoiled else { return Ok(()) };
    let message = format!("Could not make {} rpc interface", plugin.name);
    let reader = Reader::of_kind(ini, SectionKind::RpcInterface).find(|reader| reader.own_name() == plugin.name);
    let place = reader.zip(plugin.options.first()).map(|(reader, (option, _))| reader.place(option));
    Err(match place {
        Some(place) => ConfigError::at(message, place.advise("it takes no options of its own, remove it".to_owned())),
        None => ConfigError::new(message),
    })
}
