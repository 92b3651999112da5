//! What stands in the parentheses of `%(...)s` and is no name: arithmetic, and a variable with a default.

use std::borrow::Cow;

use super::arithmetic::{DEFAULT, NoValue, closing, evaluate, is_name_part};
use super::names::{ExpansionNames, NamedValue};

/// What the text in the parentheses stands for. A name that is known is that name, whatever else it looks like.
pub(super) fn value<'n>(text: &str, names: &'n ExpansionNames<'_>) -> Result<Cow<'n, NamedValue>, NoValue> {
    if let Some(value) = names.get(text) {
        return Ok(Cow::Borrowed(value));
    }
    if let Some((variable, default)) = with_default(text) {
        let set = names.get(variable).map(NamedValue::shown).filter(|value| !value.is_empty());
        return Ok(Cow::Owned(number_or_text(set.as_deref().unwrap_or(default))));
    }
    let number = evaluate(text, &|name| match value(name, names)?.as_ref() {
        NamedValue::Number(number) => Ok(*number),
        NamedValue::Text(text) => {
            let number = text.trim().parse();
            number
                .map_err(|_| NoValue::Bad(format!("{} is no whole number", name.split(DEFAULT).next().unwrap_or(name))))
        }
    });
    match number {
        Ok(number) => Ok(Cow::Owned(NamedValue::Number(number))),
        Err(NoValue::NotAnExpression) => Err(NoValue::Unknown(text.to_owned())),
        Err(other) => Err(other),
    }
}

/// Whether it is arithmetic or a variable with a default.
pub(super) fn is_expression(text: &str) -> bool {
    with_default(text).is_some() || evaluate(text, &|_| Ok(1)) != Err(NoValue::NotAnExpression)
}

/// `ENV_NAME:-default`, cut in two.
fn with_default(text: &str) -> Option<(&str, &str)> {
    let (variable, default) = text.split_once(DEFAULT)?;
    (variable.strip_prefix("ENV_")?.chars().all(is_name_part)).then_some((variable, default))
}

/// A number where the text is one, so that `%d` takes it; `%s` shows the same text either way.
fn number_or_text(text: &str) -> NamedValue {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => NamedValue::Number(number),
        _ => NamedValue::Text(text.to_owned()),
    }
}

/// The text in the parentheses that a conversion begins with.
pub(super) fn in_parentheses(conversion: &str) -> Option<&str> {
    let inside = conversion.strip_prefix('(')?;
    Some(&inside[..closing(inside.char_indices()).unwrap_or(inside.len())])
}
