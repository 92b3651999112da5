//! The parameters of a page.

use std::collections::HashMap;

use super::csrf;
use crate::network::query::pairs;

/// Parameters by name, decoded.
#[derive(Debug, Default)]
pub struct Fields {
    values: HashMap<String, String>,
    has_csrf_token: bool,
}

impl Fields {
    /// From the query of an address and the body of a form. As in the original, of a name that occurs more than once the
    /// first in the query counts, but the last in the body, and the body before the query. The CSRF token is
    /// accepted from the body only, because others may see an address.
    pub fn new(query: &str, body: &str) -> Fields {
        let mut values = HashMap::new();
        for (name, value) in pairs(query) {
            values.entry(name).or_insert(value);
        }
        let has_csrf_token = pairs(body).any(|(name, value)| name == csrf::FIELD && csrf::is_valid(&value));
        values.extend(pairs(body));
        Fields { values, has_csrf_token }
    }

    /// Whether they come from a form of the page, which carries the CSRF token.
    pub fn has_csrf_token(&self) -> bool {
        self.has_csrf_token
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        let fields = Fields::new("processname=grp%3Ag1&message=a+b%2Bc&empty", "");
        assert_eq!(fields.get("processname"), Some("grp:g1"));
        assert_eq!(fields.get("message"), Some("a b+c"));
        assert_eq!(fields.get("empty"), Some(""));
        assert_eq!(fields.get("none"), None);
    }

    #[test]
    fn the_csrf_token_counts_in_a_body_only() {
        let pair = format!("a=1&{}={}", csrf::FIELD, csrf::token());
        assert!(Fields::new("", &pair).has_csrf_token());
        for (query, body) in [(&*pair, ""), ("", "a=1&token="), ("", "token=00000000000000000000000000000000")] {
            assert!(!Fields::new(query, body).has_csrf_token());
        }
    }

    #[test]
    fn the_body_wins_and_its_last_word_counts() {
        let fields = Fields::new("a=1&a=2&b=3", "b=4&b=5\r\n");
        assert_eq!(fields.get("a"), Some("1"));
        assert_eq!(fields.get("b"), Some("5"));
    }
}
