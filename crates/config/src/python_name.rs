//! Names of Python code, as `[rpcinterface:x]`, `[ctlplugin:x]` and `result_handler` have them.

use crate::complaint::Complaint;
use crate::host::Host;
use crate::pytext::is_space;

/// The specification, when it names something there is: `package.module:attribute` in the form of the entry points of
/// Python packages, where blanks, and extras in brackets at the end, mean nothing.
pub(crate) fn resolved(specification: &str, section: &str, host: &dyn Host) -> Result<String, Complaint> {
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
