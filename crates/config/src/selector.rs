//! Selectors: texts that stand for programs, such as `web:*`, `'work*'` or `state=FATAL`.
//!
//! | text | programs |
//! |---|---|
//! | `name` | the one of this name in the group of the same name |
//! | `group:name` | one |
//! | `group:*` | all of a group |
//! | `web*`, `web:w*`, `*:w[0-9]` | those whose names match, in any group where the pattern has none |
//! | `@blue` | those with this tag |
//! | `state=FATAL` | those in this state |
//!
//! An exact name always wins: a program that is called `web*` is meant by `web*`, and no other.

use std::fmt;

use crate::glob::{Pattern, has_wildcard};
use crate::suggest::nearest;

/// What a selector looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selectable<'a> {
    /// The group of a program.
    pub group: &'a str,
    /// Its name within the group.
    pub name: &'a str,
    /// The name of its state.
    pub state: &'a str,
    /// The words that are its tags.
    pub labels: &'a [String],
}

/// A selector that can be understood.
#[derive(Clone, Debug)]
pub struct Selector {
    text: String,
    group: Option<String>,
    name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// One name.
    Name,
    /// Patterns of a group and a name; any group without the first.
    Pattern(Option<Pattern>, Pattern),
    /// A tag.
    Tag(String),
    /// The name of a state.
    State(String),
}

/// Why nothing is selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorError {
    /// It means nothing.
    Malformed(String),
    /// It names something that does not exist.
    Unknown(String),
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (SelectorError::Malformed(text) | SelectorError::Unknown(text)) = self;
        f.write_str(text)
    }
}

impl Selector {
    /// Reads a selector. `states` are the names of all states there are.
    pub fn parse(text: &str, states: &[&str]) -> Result<Selector, SelectorError> {
        if text.is_empty() {
            let forms =
                "a selector is empty: write NAME, GROUP:NAME, GROUP:*, a pattern such as web*, @TAG, or state=FATAL";
            return Err(SelectorError::Malformed(forms.to_owned()));
        }
        let (group, name) = match text.split_once(':') {
            None => (None, text),
            Some((group, "")) => (Some(group), "*"),
            Some((group, name)) => (Some(group), name),
        };
        let kind = match (text.strip_prefix("state="), tag(text)) {
            (Some(state), _) => Kind::State(known_state(state, states)?),
            (None, Some(tag)) => Kind::Tag(tag.to_owned()),
            (None, None) if has_wildcard(text) || name == "*" => {
                Kind::Pattern(group.map(Pattern::parse), Pattern::parse(name))
            }
            (None, None) => Kind::Name,
        };
        Ok(Selector { text: text.to_owned(), group: group.map(str::to_owned), name: name.to_owned(), kind })
    }

    /// Whether it can only mean one program, whatever programs there are.
    pub fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Name)
    }

    fn is_exactly(&self, item: Selectable<'_>) -> bool {
        item.group == self.group.as_deref().unwrap_or(&self.name) && item.name == self.name
    }

    fn matches(&self, item: Selectable<'_>) -> bool {
        match &self.kind {
            Kind::Name => self.is_exactly(item),
            Kind::State(state) => item.state == state,
            Kind::Tag(tag) => item.labels.contains(tag),
            Kind::Pattern(group, name) => {
                group.as_ref().is_none_or(|group| group.matches(item.group)) && name.matches(item.name)
            }
        }
    }

    /// The error where nothing matches, which is none where that may well be so.
    fn nothing<'a>(&self, all: impl Iterator<Item = Selectable<'a>> + Clone) -> Option<SelectorError> {
        let groups = all.clone().map(|item| item.group);
        let said = match (&self.kind, self.group.as_deref()) {
            (Kind::State(_), _) => return None,
            (Kind::Tag(tag), _) => {
                let labels = all.flat_map(|item| item.labels.iter().map(String::as_str));
                (format!("no program has the tag {tag}"), nearest(tag, labels).map(|meant| format!("@{meant}")))
            }
            (Kind::Pattern(..), Some(group)) if !has_wildcard(group) && !groups.clone().any(|other| other == group) => {
                let meant = nearest(group, groups).map(|meant| format!("{meant}:{}", self.name));
                (format!("no group is named {group}"), meant)
            }
            (Kind::Pattern(..), _) => return None,
            (Kind::Name, _) => (format!("no program is named {}", self.text), self.meant(all)),
        };
        Some(SelectorError::Unknown(match said {
            (text, Some(meant)) => format!("{text}; did you mean {meant}?"),
            (text, None) => text,
        }))
    }

    /// What a name that no program has was probably meant to be.
    fn meant<'a>(&self, all: impl Iterator<Item = Selectable<'a>> + Clone) -> Option<String> {
        if self.group.is_none() {
            if all.clone().any(|item| item.group == self.name) {
                return Some(format!("{}:*", self.name));
            }
            if let Some(Selectable { group, name, .. }) = all.clone().find(|item| item.name == self.name) {
                return Some(format!("{group}:{name}"));
            }
        }
        let names: Vec<String> = all.map(|Selectable { group, name, .. }| spelt(group, name)).collect();
        nearest(&self.text, names.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// The tag of a selector that is one.
pub fn tag(selector: &str) -> Option<&str> {
    selector.strip_prefix('@').filter(|tag| !tag.is_empty() && !tag.contains(':'))
}

fn spelt(group: &str, name: &str) -> String {
    if group == name { name.to_owned() } else { format!("{group}:{name}") }
}

fn known_state(text: &str, states: &[&str]) -> Result<String, SelectorError> {
    let known = states.iter().find(|state| state.eq_ignore_ascii_case(text));
    known.map(|state| (*state).to_owned()).ok_or_else(|| {
        let meant = match nearest(text, states.iter().copied()) {
            Some(meant) => format!("did you mean state={meant}?"),
            None => format!("the states are {}", states.join(", ")),
        };
        SelectorError::Malformed(format!("no state is named '{text}'; {meant}"))
    })
}

/// Those of `all` that any of the selectors selects, in the order of `all`. A name that does not exist is an error; a pattern or
/// a state that no program has selects none.
pub fn select<T>(
    selectors: &[Selector],
    all: Vec<T>,
    of: impl Fn(&T) -> Selectable<'_>,
) -> Result<Vec<T>, SelectorError> {
    let mut is_selected = vec![false; all.len()];
    for selector in selectors {
        let marked = |matches: &dyn Fn(Selectable<'_>) -> bool| -> Vec<usize> {
            all.iter().enumerate().filter(|(_, item)| matches(of(item))).map(|(place, _)| place).collect()
        };
        let mut found = marked(&|item| selector.is_exactly(item));
        if found.is_empty() {
            found = marked(&|item| selector.matches(item));
        }
        if found.is_empty()
            && let Some(error) = selector.nothing(all.iter().map(&of))
        {
            return Err(error);
        }
        found.into_iter().for_each(|place| is_selected[place] = true);
    }
    Ok(all.into_iter().zip(is_selected).filter(|(_, is_selected)| *is_selected).map(|(item, _)| item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [&str; 2] = ["RUNNING", "FATAL"];

    /// Group, name and state; those with an `a` have the tag `blue`.
    const ALL: [(&str, &str, &str); 6] = [
        ("cron", "cron", "FATAL"),
        ("web", "web_1", "RUNNING"),
        ("web", "web_2", "FATAL"),
        ("work", "a*", "RUNNING"),
        ("work", "ab", "RUNNING"),
        ("worker", "worker", "RUNNING"),
    ];

    fn selected(texts: &[&str]) -> Result<String, String> {
        let parse = |text: &&str| Selector::parse(text, &STATES);
        let selectors: Result<Vec<Selector>, _> = texts.iter().map(parse).collect();
        let blue = ["blue".to_owned()];
        let found = select(&selectors.map_err(|error| error.to_string())?, ALL.to_vec(), |(group, name, state)| {
            Selectable { group, name, state, labels: if name.contains('a') { &blue } else { &[] } }
        });
        let found = found.map_err(|error| error.to_string())?;
        Ok(found.iter().map(|(group, name, _)| spelt(group, name)).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_form_selects_what_it_says() {
        for (text, expected) in [
            ("cron", "cron"),
            ("web:web_1", "web:web_1"),
            ("web:*", "web:web_1 web:web_2"),
            ("web:", "web:web_1 web:web_2"),
            ("web*", "web:web_1 web:web_2"),
            ("*:*_2", "web:web_2"),
            ("w*:*b*", "web:web_1 web:web_2 work:ab"),
            ("*", "cron web:web_1 web:web_2 work:a* work:ab worker"),
            ("@blue", "work:a* work:ab"),
            ("state=FATAL", "cron web:web_2"),
            ("state=running", "web:web_1 work:a* work:ab worker"),
            ("x*", ""),
        ] {
            assert_eq!(selected(&[text]).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn several_select_each_program_once_and_in_order() {
        assert_eq!(selected(&["worker", "state=FATAL", "web:*"]).as_deref(), Ok("cron web:web_1 web:web_2 worker"));
    }

    #[test]
    fn an_exact_name_wins_over_the_pattern_that_it_looks_like() {
        assert_eq!(selected(&["work:a*"]).as_deref(), Ok("work:a*"));
        assert_eq!(selected(&["work:a?"]).as_deref(), Ok("work:a* work:ab"));
    }

    #[test]
    fn a_name_that_does_not_exist_is_told_with_what_was_meant() {
        for (text, expected) in [
            ("web", "no program is named web; did you mean web:*?"),
            ("web_1", "no program is named web_1; did you mean web:web_1?"),
            ("wroker", "no program is named wroker; did you mean worker?"),
            ("web:web_3", "no program is named web:web_3; did you mean web:web_1?"),
            ("nothing", "no program is named nothing"),
            ("wbe:*", "no group is named wbe; did you mean web:*?"),
            ("@bleu", "no program has the tag bleu; did you mean @blue?"),
            ("state=FATL", "no state is named 'FATL'; did you mean state=FATAL?"),
            ("state=", "no state is named ''; the states are RUNNING, FATAL"),
        ] {
            assert_eq!(selected(&["cron", text]).unwrap_err(), expected, "{text}");
        }
        assert!(selected(&[""]).unwrap_err().starts_with("a selector is empty: write NAME"));
    }
}
