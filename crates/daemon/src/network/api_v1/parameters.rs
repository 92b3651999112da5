//! The parameters behind a path, checked against the table of routes before anything is done.

use hyper::StatusCode;

use super::problem::Problem;
use crate::network::query::pairs;

/// A parameter behind the path.
#[derive(Clone, Copy)]
pub(super) struct QueryParameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: QueryKind,
}

/// What a parameter may be.
#[derive(Clone, Copy)]
pub(super) enum QueryKind {
    /// It is there or not.
    Flag,
    /// A whole number, at least and at most.
    Number(i64, i64),
    /// A text.
    Text,
    /// Texts; it may be repeated.
    Texts,
}

/// What a flag may be written as: `?follow` alone, or with a value.
pub(super) const FLAG_VALUES: [&str; 5] = ["", "true", "1", "false", "0"];

/// Whether a value of a flag switches it on.
pub(super) fn is_on(value: &str) -> bool {
    !["false", "0"].contains(&value)
}

/// Checks an undecoded text like `a=1&b=2`. Names that the table does not have mean nothing.
///
/// # Errors
///
/// The status 400 for a value that is not of its kind, and for a parameter that is written twice and may not be.
pub(super) fn check(declared: &[QueryParameter], query: &str) -> Result<(), Problem> {
    for QueryParameter { name, kind, .. } in declared {
        let mut values = pairs(query).filter(|(other, _)| other == name).map(|(_, value)| value).peekable();
        while let Some(value) = values.next() {
            let wanted = match kind {
                QueryKind::Flag if FLAG_VALUES.contains(&value.as_str()) => None,
                QueryKind::Flag => Some("write it without a value, or with true or false".to_owned()),
                QueryKind::Number(least, most) => {
                    let is_good = value.parse::<i64>().is_ok_and(|number| (*least..=*most).contains(&number));
                    (!is_good).then(|| numbers(*least, *most))
                }
                QueryKind::Text | QueryKind::Texts => value.is_empty().then(|| "write a text".to_owned()),
            };
            if let Some(wanted) = wanted {
                return Err(bad(format!("{name} is '{value}': {wanted}")));
            }
            if !matches!(kind, QueryKind::Texts) && values.peek().is_some() {
                return Err(bad(format!("{name} is there more than once: write it once")));
            }
        }
    }
    Ok(())
}

fn numbers(least: i64, most: i64) -> String {
    match (least, most) {
        (i64::MIN, i64::MAX) => "write a whole number".to_owned(),
        (least, i64::MAX) => format!("write a whole number of {least} or more"),
        (least, most) => format!("write a whole number from {least} to {most}"),
    }
}

fn bad(detail: String) -> Problem {
    Problem::with(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &[QueryParameter] = &[
        QueryParameter { name: "follow", about: "", kind: QueryKind::Flag },
        QueryParameter { name: "offset", about: "", kind: QueryKind::Number(i64::MIN, i64::MAX) },
        QueryParameter { name: "length", about: "", kind: QueryKind::Number(0, i64::MAX) },
        QueryParameter { name: "usage", about: "", kind: QueryKind::Number(1, 3600) },
        QueryParameter { name: "last_event_id", about: "", kind: QueryKind::Text },
        QueryParameter { name: "select", about: "", kind: QueryKind::Texts },
    ];

    fn detail(query: &str) -> Option<String> {
        check(DECLARED, query).err().and_then(Problem::into_detail)
    }

    #[test]
    fn what_is_no_value_of_a_parameter_is_refused_with_what_to_write() {
        for good in
            ["", "follow", "follow=", "follow=true", "follow=0", "offset=-5&length=0", "select=a&select=b", "x=1"]
        {
            assert_eq!(detail(good), None, "{good}");
        }
        for (bad, expected) in [
            ("follow=null", "follow is 'null': write it without a value, or with true or false"),
            ("follow&follow", "follow is there more than once: write it once"),
            ("offset=x", "offset is 'x': write a whole number"),
            ("offset=", "offset is '': write a whole number"),
            ("offset=9223372036854775808", "offset is '9223372036854775808': write a whole number"),
            ("length=-1", "length is '-1': write a whole number of 0 or more"),
            ("usage=0", "usage is '0': write a whole number from 1 to 3600"),
            ("last_event_id=", "last_event_id is '': write a text"),
            ("last_event_id=a-1&last_event_id=a-2", "last_event_id is there more than once: write it once"),
            ("select=a&select=", "select is '': write a text"),
        ] {
            assert_eq!(detail(bad).as_deref(), Some(expected), "{bad}");
        }
    }

    #[test]
    fn a_flag_may_be_switched_off() {
        assert!(is_on("") && is_on("true") && is_on("1"));
        assert!(!is_on("false") && !is_on("0"));
    }
}
