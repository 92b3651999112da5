//! Completion of the shell's command line.

use std::cell::OnceCell;
use std::time::Duration;

use crate::settings::Settings;
use crate::verbs::{Completion, INTERPRETER, goals};

/// How long completion waits for the daemon.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(2);

/// The source of group and process names.
pub trait ProcessNames {
    /// The group and process names of all active groups.
    fn process_names(&self) -> &[(String, String)];
}

/// The daemon's names, fetched at their first use.
pub struct Names {
    settings: Settings,
    known: OnceCell<Vec<(String, String)>>,
}

impl Names {
    /// Fetches nothing yet.
    pub fn new(settings: &Settings) -> Names {
        Names { settings: settings.clone(), known: OnceCell::new() }
    }

    /// Without an answer of the daemon no name is completed; the action itself will report the error.
    fn fetch(&self) -> Vec<(String, String)> {
        let Ok(mut client) = self.settings.client() else { return Vec::new() };
        client.set_timeout(self.settings.timeout.unwrap_or(COMPLETION_TIMEOUT).min(COMPLETION_TIMEOUT));
        let infos = client.all_process_info().unwrap_or_default();
        infos.into_iter().map(|info| (info.group, info.name)).collect()
    }
}

impl ProcessNames for Names {
    fn process_names(&self) -> &[(String, String)] {
        self.known.get_or_init(|| self.fetch())
    }
}

/// The sorted words that may replace the last word of this line, and the position of that word.
pub fn candidates(line: &str, names: &impl ProcessNames) -> (usize, Vec<String>) {
    let start = line
        .rfind(char::is_whitespace)
        .map_or(0, |blank| blank + line[blank..].chars().next().map_or(0, char::len_utf8));
    let (before, word) = line.split_at(start);
    let mut words = match before.split_whitespace().next() {
        None => actions(),
        Some(action) => match INTERPRETER.find(action) {
            Some(verb) if word.starts_with("--") => verb.flags.known().iter().map(|flag| (*flag).to_owned()).collect(),
            None => Vec::new(),
            Some(verb) => match verb.completion {
                Completion::None => Vec::new(),
                Completion::Verbs => actions(),
                Completion::Awaited if before.split_whitespace().next_back() == Some("--for") => {
                    goals().map(str::to_owned).collect()
                }
                Completion::Awaited => processes(word.contains(':'), names),
                Completion::Numbers => names.process_names().iter().map(|(group, _)| format!("{group}=")).collect(),
                Completion::Groups => names.process_names().iter().map(|(group, _)| group.clone()).collect(),
                Completion::Processes => processes(word.contains(':'), names),
            },
        },
    };
    words.retain(|candidate| candidate.starts_with(word));
    words.sort();
    words.dedup();
    (start, words)
}

fn actions() -> Vec<String> {
    INTERPRETER.verbs.iter().map(|verb| verb.name).filter(|name| *name != "EOF").map(str::to_owned).collect()
}

fn processes(qualified: bool, names: &impl ProcessNames) -> Vec<String> {
    let spellings = |(group, name): &(String, String)| {
        if group == name && !qualified {
            vec![name.clone()]
        } else {
            vec![format!("{group}:{name}"), format!("{group}:*")]
        }
    };
    names.process_names().iter().flat_map(spellings).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ProcessNames for Vec<(String, String)> {
        fn process_names(&self) -> &[(String, String)] {
            self
        }
    }

    fn complete(line: &str) -> Vec<String> {
        let names = [("cat", "cat"), ("grp", "g1"), ("grp", "g2")];
        let names: Vec<_> = names.iter().map(|(group, name)| ((*group).to_owned(), (*name).to_owned())).collect();
        candidates(line, &names).1
    }

    #[test]
    fn the_first_word_is_an_action() {
        assert_eq!(complete("sta"), ["start", "status"]);
        assert_eq!(complete("help st"), ["start", "status", "stop"]);
        assert!(!complete("").contains(&"EOF".to_owned()));
        let listed = INTERPRETER.verbs.iter().filter(|verb| verb.name != "EOF");
        assert_eq!(complete("").len(), listed.count());
    }

    #[test]
    fn processes_and_whole_groups() {
        assert_eq!(complete("start "), ["cat", "grp:*", "grp:g1", "grp:g2"]);
        assert_eq!(complete("stop cat g"), ["grp:*", "grp:g1", "grp:g2"]);
        assert_eq!(complete("tail -f cat:"), ["cat:*", "cat:cat"]);
    }

    #[test]
    fn group_names_complete_actions_on_groups() {
        assert_eq!(complete("update "), ["cat", "grp"]);
    }

    #[test]
    fn options_complete_the_action_that_has_them() {
        assert_eq!(complete("status --w"), ["--watch", "--wide"]);
        assert_eq!(complete("stop --"), ["--dependents"]);
        assert!(complete("nosuch --").is_empty());
    }

    #[test]
    fn what_follows_an_option_or_a_name_is_completed() {
        assert_eq!(complete("wait cat --for r"), ["ready", "running"]);
        assert_eq!(complete("wait c"), ["cat"]);
        assert_eq!(complete("scale g"), ["grp="]);
    }

    #[test]
    fn other_words_are_not_completed() {
        for line in ["avail ", "nosuch ", "open h", "maintail "] {
            assert!(complete(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn only_the_last_word_is_replaced() {
        assert_eq!(candidates("start grp:g", &Vec::new()).0, 6);
        assert_eq!(candidates("sta", &Vec::new()).0, 0);
    }
}
