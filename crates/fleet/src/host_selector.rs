//! Which hosts are meant: `web1`, `web*`, `role=web`, `role=web,zone=eu*`.
//!
//! Conditions between commas hold together; several selectors are hosts that any of them selects. `!` before a condition
//! turns it around.

use std::collections::BTreeMap;
use std::str::FromStr;

/// The longest selector, in bytes.
const MAX_BYTES: usize = 1024;

/// What is known of a host besides its name.
pub type HostLabels = BTreeMap<String, String>;

/// One selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSelector {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    /// The label; none for the name of the host.
    label: Option<String>,
    pattern: String,
    is_negated: bool,
}

impl FromStr for HostSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<HostSelector, String> {
        let forms = "write a name, a pattern such as web*, LABEL=PATTERN, or several of them between commas";
        if text.len() > MAX_BYTES {
            return Err(format!("a selector of hosts has {MAX_BYTES} bytes at the most"));
        }
        let condition = |part: &str| {
            let (is_negated, part) = part.strip_prefix('!').map_or((false, part), |rest| (true, rest));
            let (label, pattern) = match part.split_once('=') {
                Some((label, pattern)) => (Some(label.trim()), pattern.trim()),
                None => (None, part.trim()),
            };
            if label.is_some_and(str::is_empty) || label.is_none() && pattern.is_empty() {
                return Err(format!("the selector of hosts {text:?} has an empty part: {forms}"));
            }
            Ok(Condition { label: label.map(str::to_owned), pattern: pattern.to_owned(), is_negated })
        };
        Ok(HostSelector { conditions: text.split(',').map(condition).collect::<Result<_, _>>()? })
    }
}

impl HostSelector {
    /// Whether a host is meant.
    pub fn selects(&self, host: &str, labels: &HostLabels) -> bool {
        self.conditions.iter().all(|condition| {
            let matches = match &condition.label {
                None => is_like(&condition.pattern, host),
                Some(label) => labels.get(label).is_some_and(|value| is_like(&condition.pattern, value)),
            };
            matches != condition.is_negated
        })
    }
}

/// Whether any of the selectors means a host; all hosts are meant where there is none.
pub fn is_selected(selectors: &[HostSelector], host: &str, labels: &HostLabels) -> bool {
    selectors.is_empty() || selectors.iter().any(|selector| selector.selects(host, labels))
}

/// Whether a text matches a pattern with `*` and `?`. The time is bounded by the product of their lengths.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where the last star is, and how much of the text it stands for.
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(place) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    place = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|letter| *letter == '*'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn selects(selector: &str, host: &str) -> bool {
        let labels = [("role", "web"), ("zone", "eu-1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        selector.parse::<HostSelector>().unwrap().selects(host, &labels.into())
    }

    #[test]
    fn hosts_are_selected_by_name_and_label() {
        for selector in ["web1", "web*", "*1", "w?b1", "role=web", "role=w*,zone=eu*", "web*,!web2", "!role=db"] {
            assert!(selects(selector, "web1"), "{selector}");
        }
        for selector in ["web", "web2", "role=db", "nosuch=*", "web*,role=db", "!web*", "role="] {
            assert!(!selects(selector, "web1"), "{selector}");
        }
    }

    #[test]
    fn several_selectors_add_up_and_none_means_all() {
        let selectors: Vec<HostSelector> = ["a", "b*"].map(|text| text.parse().unwrap()).into();
        let labels = HostLabels::new();
        assert!(is_selected(&selectors, "a", &labels) && is_selected(&selectors, "bc", &labels));
        assert!(!is_selected(&selectors, "c", &labels) && is_selected(&[], "c", &labels));
    }

    #[test]
    fn an_empty_part_is_refused() {
        for text in ["", ",", "a,", "=x", "!"] {
            assert!(text.parse::<HostSelector>().unwrap_err().contains("empty part"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_what_stars_stand_for(name in "[a-z.]{0,12}", cut in 0usize..12) {
            let cut = cut.min(name.len());
            prop_assert!(is_like(&name, &name) && is_like("*", &name));
            let with_star = format!("{}*{}", &name[..cut], &name[cut..]);
            prop_assert!(is_like(&with_star, &name));
            let question = "?".repeat(name.len());
            prop_assert!(is_like(&question, &name));
            let longer = format!("{}?", name);
            prop_assert!(!is_like(&longer, &name));
        }
    }
}
