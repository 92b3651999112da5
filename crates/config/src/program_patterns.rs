//! Which programs somebody may see and act on (`programs` of `[user:x]`).

use std::fmt;

use crate::complaint::Complaint;
use crate::glob::{Pattern, has_wildcard};
use crate::selector::{Selectable, tag};

/// Patterns of programs, as they are written. They mean what [selectors](crate::selector) of the same form mean: `NAME`,
/// `GROUP:NAME`, `GROUP:*`, names with `*`, `?` and `[...]`, in any group where none is written, and `@TAG`, which stands for the
/// programs that have the tag when the configuration is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramPatterns(Vec<ProgramPattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct ProgramPattern {
    written: String,
    /// None for any group.
    group: Option<Pattern>,
    name: Pattern,
}

impl ProgramPatterns {
    /// Reads patterns that are separated by commas.
    ///
    /// # Errors
    /// There is none, or a part of one is empty.
    pub fn parse(text: &str) -> Result<ProgramPatterns, Complaint> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let patterns: Vec<_> = parts.map(ProgramPattern::parse).collect::<Result<_, _>>()?;
        if patterns.is_empty() {
            return Err(Complaint::quoting("Invalid programs value ", format!("{text:?}"), ": it names no program"));
        }
        Ok(ProgramPatterns(patterns))
    }

    /// The same with the programs that have the tag in the place of each `@TAG`; where no program has it, it stays, and
    /// includes none.
    pub(crate) fn resolved(self, programs: &[Selectable<'_>]) -> ProgramPatterns {
        let mut resolved = Vec::new();
        for pattern in self.0 {
            let members = tag(&pattern.written).map_or(Vec::new(), |tag| ProgramPattern::of_tag(tag, programs));
            if members.is_empty() { resolved.push(pattern) } else { resolved.extend(members) }
        }
        ProgramPatterns(resolved)
    }

    /// Whether a program is one of them.
    pub fn includes(&self, group: &str, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.may_be_in(group) && pattern.name.matches(name))
    }

    /// Whether some program of a group may be one of them.
    pub fn may_include_some_of(&self, group: &str) -> bool {
        self.0.iter().any(|pattern| pattern.may_be_in(group))
    }

    /// Each pattern as it is written.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pattern| pattern.written.as_str())
    }
}

impl ProgramPattern {
    fn of_tag(tag: &str, programs: &[Selectable<'_>]) -> Vec<ProgramPattern> {
        let tagged = programs.iter().filter(|program| program.labels.iter().any(|label| label == tag));
        let pattern = |Selectable { group, name, .. }: &Selectable<'_>| {
            let written = format!("{group}:{name}");
            ProgramPattern { written, group: Some(Pattern::parse(group)), name: Pattern::parse(name) }
        };
        tagged.map(pattern).collect()
    }

    fn parse(text: &str) -> Result<ProgramPattern, Complaint> {
        let (group, name) = match text.split_once(':') {
            Some((group, name)) => (Some(group), name),
            // A program that is in no other group is in one of its own name.
            None => (Some(text).filter(|text| !has_wildcard(text)), text),
        };
        if group == Some("") || name.is_empty() {
            let advice = "write NAME, GROUP:NAME, GROUP:* or @TAG".to_owned();
            return Err(Complaint::quoting("Invalid programs value ", text, "").advise(advice));
        }
        Ok(ProgramPattern { written: text.to_owned(), group: group.map(Pattern::parse), name: Pattern::parse(name) })
    }

    fn may_be_in(&self, group: &str) -> bool {
        self.group.as_ref().is_none_or(|pattern| pattern.matches(group))
    }
}

impl fmt::Display for ProgramPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, pattern) in self.written().enumerate() {
            write!(f, "{}{pattern}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> ProgramPatterns {
        ProgramPatterns::parse(text).unwrap()
    }

    #[test]
    fn patterns_mean_what_selectors_mean() {
        let both = patterns("web:*, db");
        assert!(both.includes("web", "a") && both.includes("db", "db"));
        assert!(!both.includes("db", "db_1") && !both.includes("webs", "a") && !both.includes("cache", "db"));
        let some = patterns("web:api_?");
        assert!(some.includes("web", "api_1") && !some.includes("web", "api_10") && !some.includes("web", "admin"));
        assert!(some.may_include_some_of("web") && !some.may_include_some_of("db"));
        let anywhere = patterns("api*");
        assert!(anywhere.includes("team", "api_1") && !anywhere.includes("api", "team"));
        assert!(anywhere.may_include_some_of("team") && patterns("*").includes("any", "thing"));
        assert!(patterns("team-*:*").includes("team-a", "x") && !patterns("team-*:*").includes("a", "team-a"));
        assert_eq!(both.to_string(), "web:*, db");
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in ["", " , ", "web:", ":a", "web:*, :"] {
            assert!(ProgramPatterns::parse(text).is_err(), "{text}");
        }
    }
}
