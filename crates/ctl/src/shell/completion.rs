//! What may come next on the command line of the shell.

use std::cell::OnceCell;
use std::time::Duration;

use crate::client::{Client, ServerUrl};
use crate::settings::Settings;
use crate::verbs::{self, Completion, VERBS};

/// How long the tab key waits for the daemon.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the names of groups and processes come from.
pub trait ProcessNames {
    /// Group and process names of everything that is active.
    fn process_names(&self) -> &[(String, String)];
}

/// The names the daemon knows, asked for when they are first needed.
pub struct Names {
    settings: Settings,
    known: OnceCell<Vec<(String, String)>>,
}

impl Names {
    /// Asks nothing yet.
    pub fn new(settings: &Settings) -> Names {
        Names { settings: settings.clone(), known: OnceCell::new() }
    }

    /// Nothing is completed where the daemon does not answer: the line will say so when it is sent.
    fn fetch(&self) -> Vec<(String, String)> {
        let Ok(url) = ServerUrl::parse(&self.settings.server_url) else { return Vec::new() };
        let mut client = Client::new(url, self.settings.credentials());
        client.set_timeout(self.settings.timeout.unwrap_or(PATIENCE).min(PATIENCE));
        let infos = client.all_process_info().unwrap_or_default();
        infos.into_iter().map(|info| (info.group, info.name)).collect()
    }
}

impl ProcessNames for Names {
    fn process_names(&self) -> &[(String, String)] {
        self.known.get_or_init(|| self.fetch())
    }
}

/// The words that can stand at the end of this line instead of the one begun there, sorted, and where that one
/// starts.
pub fn candidates(line: &str, names: &impl ProcessNames) -> (usize, Vec<String>) {
    let start = line
        .rfind(char::is_whitespace)
        .map_or(0, |blank| blank + line[blank..].chars().next().map_or(0, char::len_utf8));
    let (before, word) = line.split_at(start);
    let mut words = match before.split_whitespace().next() {
        None => actions(),
        Some(action) => match verbs::find(action).map(|verb| verb.completion) {
            None | Some(Completion::None) => Vec::new(),
            Some(Completion::Verbs) => actions(),
            Some(Completion::Groups) => names.process_names().iter().map(|(group, _)| group.clone()).collect(),
            Some(Completion::Processes) => processes(word.contains(':'), names),
        },
    };
    words.retain(|candidate| candidate.starts_with(word));
    words.sort();
    words.dedup();
    (start, words)
}

fn actions() -> Vec<String> {
    VERBS.iter().map(|verb| verb.name).filter(|name| *name != "EOF").map(str::to_owned).collect()
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
        assert_eq!(complete("").len(), 23);
    }

    #[test]
    fn processes_and_whole_groups() {
        assert_eq!(complete("start "), ["cat", "grp:*", "grp:g1", "grp:g2"]);
        assert_eq!(complete("stop cat g"), ["grp:*", "grp:g1", "grp:g2"]);
        assert_eq!(complete("tail -f cat:"), ["cat:*", "cat:cat"]);
    }

    #[test]
    fn groups_for_what_takes_groups() {
        assert_eq!(complete("update "), ["cat", "grp"]);
    }

    #[test]
    fn nothing_elsewhere() {
        for line in ["reload ", "nosuch ", "open h", "maintail "] {
            assert!(complete(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn only_the_last_word_is_replaced() {
        assert_eq!(candidates("start grp:g", &Vec::new()).0, 6);
        assert_eq!(candidates("sta", &Vec::new()).0, 0);
    }
}
