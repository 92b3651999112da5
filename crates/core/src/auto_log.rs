//! Names of automatic log files: creates them, and recognizes those that an earlier daemon left.

use crate::output::Channel;
use crate::random::Random;

/// Generates names that do not repeat.
#[derive(Clone, Debug)]
pub struct AutoLogNames {
    random: Random,
}

/// The characters of the random part, as in the original.
const ALPHABET: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789_";

impl AutoLogNames {
    /// A sequence of names determined by the seed.
    pub fn new(seed: u64) -> AutoLogNames {
        AutoLogNames { random: Random::new(seed) }
    }

    /// `PROCESS-CHANNEL---IDENTIFIER-RANDOM.log`; a `/` in the identifier becomes `_`.
    pub fn next(&mut self, process: &str, channel: Channel, identifier: &str) -> String {
        let random: String = (0..8).map(|_| char::from(ALPHABET[self.below(ALPHABET.len())])).collect();
        format!("{process}-{}---{}-{random}.log", channel.name(), identifier.replace('/', "_"))
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.random.next() % limit as u64) as usize
    }
}

/// Whether a file name is that of an automatic log of a daemon with this identifier, rotated files included: at least
/// one character, `---IDENTIFIER-`, one or more characters other than spaces, `.log`, any rest. The rule is that of
/// `clear_autochildlogdir` in the original's `supervisor/options.py`.
pub fn is_auto_log(file_name: &str, identifier: &str) -> bool {
    let marker = format!("---{}-", identifier.replace('/', "_"));
    file_name.match_indices(&marker).filter(|(position, _)| *position > 0).any(|(position, _)| {
        let random = &file_name[position + marker.len()..];
        random.match_indices(".log").any(|(end, _)| end > 0 && !random[..end].contains(char::is_whitespace))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_are_recognized() {
        let mut names = AutoLogNames::new(7);
        let first = names.next("web_00", Channel::Stderr, "sup");
        assert!(first.starts_with("web_00-stderr---sup-") && first.ends_with(".log"), "{first}");
        assert_ne!(first, names.next("web_00", Channel::Stderr, "sup"));
        assert!(is_auto_log(&first, "sup"));
        assert!(is_auto_log(&format!("{first}.1"), "sup"));
        assert!(!is_auto_log(&first, "other"));
    }

    #[test]
    fn other_files_are_not_recognized() {
        for name in ["---sup-abc.log", "x---sup-.log", "x---sup-a b.log", "x---sup-abc.txt", "x-sup-abc.log"] {
            assert!(!is_auto_log(name, "sup"), "{name}");
        }
    }
}
