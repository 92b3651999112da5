//! Process names in requests and listings: `process`, `group:process` and `group:*`.

/// A parsed name of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespec {
    /// The group.
    pub group: String,
    /// The process, or none for the whole group (`group:*` or `group:`).
    pub process: Option<String>,
}

impl Namespec {
    /// Parses a name; the first colon separates group and process, and a name without a colon is both.
    pub fn parse(text: &str) -> Namespec {
        match text.split_once(':') {
            None => Namespec { group: text.to_owned(), process: Some(text.to_owned()) },
            Some((group, "" | "*")) => Namespec { group: group.to_owned(), process: None },
            Some((group, process)) => Namespec { group: group.to_owned(), process: Some(process.to_owned()) },
        }
    }
}

/// The displayed name: the bare process name if the group has the same name, else `group:process`.
pub fn namespec(group: &str, process: &str) -> String {
    if group == process { process.to_owned() } else { format!("{group}:{process}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_both_group_and_process() {
        assert_eq!(Namespec::parse("a"), Namespec { group: "a".into(), process: Some("a".into()) });
    }

    #[test]
    fn only_the_first_colon_separates() {
        assert_eq!(Namespec::parse("g:p:q"), Namespec { group: "g".into(), process: Some("p:q".into()) });
    }

    #[test]
    fn a_star_or_nothing_means_the_whole_group() {
        for text in ["g:*", "g:"] {
            assert_eq!(Namespec::parse(text), Namespec { group: "g".into(), process: None });
        }
    }
}
