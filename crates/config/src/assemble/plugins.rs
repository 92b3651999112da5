//! Sections that name Python code.

use crate::complaint::Complaint;
use crate::error::ConfigError;
use crate::expand::Names;
use crate::host::Host;
use crate::ini::Ini;
use crate::model::Plugin;
use crate::pytext::is_space;
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
    variables: &Names<'_>,
    host: &dyn Host,
) -> Result<Vec<Plugin>, ConfigError> {
    Reader::of_kind(ini, kind).map(|reader| plugin(&reader, factory_key(kind), variables, host)).collect()
}

fn plugin(reader: &Reader<'_>, key: &str, names: &Names<'_>, host: &dyn Host) -> Result<Plugin, ConfigError> {
    let factory = reader.get(key, names, |text| resolved(text, reader.section(), host))?;
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

/// The specification, when it names something there is: `package.module:attribute` in the form of the entry points of
/// Python packages, where blanks, and extras in brackets at the end, mean nothing.
pub(super) fn resolved(specification: &str, section: &str, host: &dyn Host) -> Result<String, Complaint> {
    let complaint =
        |reason: &str| Complaint::quoting("", specification, format!(" cannot be resolved within [{section}]{reason}"));
    let plain = without_extras(specification);
    match host.resolve(&plain) {
        Ok(()) => Ok(plain),
        Err(reason) if reason.is_empty() => Err(complaint("")),
        Err(reason) => Err(complaint(&format!(": {reason}"))),
    }
}

/// An entry point without its blanks and extras; unchanged where it is none.
fn without_extras(specification: &str) -> String {
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let object = match specification.split_once('[') {
        Some((object, extras)) if extras.trim_end_matches(is_space).ends_with(']') && !extras.trim().contains('\n') => {
            object
        }
        Some(_) => return specification.to_owned(),
        None => specification,
    };
    let parts: Vec<&str> = object.split(':').map(|part| part.trim_matches(is_space)).collect();
    match parts.as_slice() {
        [module] if is_name(module) => (*module).to_owned(),
        [module, attribute] if is_name(module) && is_name(attribute) => format!("{module}:{attribute}"),
        _ => specification.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_and_blanks_mean_nothing() {
        for text in ["a.b:c", "a.b : c", "a.b:c[x]", "a.b:c [x]\n", "a.b\n:c\n[eventlistener:x]", "a.b:c [x] [y]"] {
            assert_eq!(without_extras(text), "a.b:c", "{text:?}");
        }
        assert_eq!(without_extras("a.b [x]"), "a.b");
        for text in ["a.b:c x", "a.b:c [x] y", "a b:c", "a.b:", ":c", "a:b:c", "[x]", "a.b:c [x\ny]", ""] {
            assert_eq!(without_extras(text), text, "{text:?}");
        }
    }
}
