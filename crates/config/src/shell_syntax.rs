//! Commands that are written for a shell. The daemon runs none: what only a shell understands becomes an argument.

/// The first words that are no programs, but commands of the shell itself.
const BUILTINS: [&str; 20] = [
    ".", "alias", "case", "cd", "eval", "exec", "export", "for", "if", "pushd", "set", "shopt", "source", "trap",
    "ulimit", "umask", "unset", "until", "wait", "while",
];

/// What stands between or behind commands.
const OPERATORS: [&str; 8] = ["&&", "||", "|", "|&", ";", "&", "<", "<<"];

/// What stands before the name of a file that output goes to.
const REDIRECTIONS: [&str; 5] = [">", "1>", "2>", "&>", ">>"];

/// The options of `find` whose commands end with a semicolon.
const EXECUTING: [&str; 4] = ["-exec", "-execdir", "-ok", "-okdir"];

/// The first piece of a command that is for a shell, and would be an argument of the program: an operator, a redirection or a
/// substitution that is not quoted.
pub fn shell_operator(command: &str) -> Option<&str> {
    let words = bare_words(command);
    let is_search = words.iter().any(|word| EXECUTING.contains(word));
    let is_for_shell = |word: &str| match word {
        ";" => !is_search,
        _ => {
            OPERATORS.contains(&word)
                || REDIRECTIONS.iter().any(|sign| word.starts_with(sign))
                || word.contains("$(")
                || word.contains('`')
                || word.len() > 1 && word.ends_with(';') && !is_search
        }
    };
    words.into_iter().find(|word| is_for_shell(word))
}

/// Whether a command begins with one of the shell's own, with a variable, or has an operator in it. Such a command is not found,
/// or not what was meant.
pub fn is_for_shell(command: &str) -> bool {
    let words = bare_words(command);
    let first = words.first().filter(|first| command.trim_start().starts_with(**first));
    let sets_variable = |word: &str| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit()) && name.chars().all(is_letter)
    };
    first.is_some_and(|first| BUILTINS.contains(first) || sets_variable(first)) || shell_operator(command).is_some()
}

/// The words without a quotation mark or a backslash in them that are not within a quotation.
fn bare_words(command: &str) -> Vec<&str> {
    let mut bare = Vec::new();
    let mut quotation = None;
    for word in command.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        let was_open = quotation.is_some();
        let mut letters = word.chars();
        while let Some(letter) = letters.next() {
            match (quotation, letter) {
                (None, '\'' | '"') => quotation = Some(letter),
                (None | Some('"'), '\\') => drop(letters.next()),
                (Some(mark), letter) if mark == letter => quotation = None,
                _ => {}
            }
        }
        if !was_open && !word.contains(['\'', '"', '\\']) {
            bare.push(word);
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_shell_understands_is_found() {
        for (command, operator) in [
            ("cd /srv && ./run", "&&"),
            ("/srv/run || true", "||"),
            ("/srv/run | tee log", "|"),
            ("/srv/prepare ; /srv/run", ";"),
            ("/srv/prepare; /srv/run", "/srv/prepare;"),
            ("/srv/run &", "&"),
            ("/srv/run >/dev/null 2>&1", ">/dev/null"),
            ("/srv/run > log", ">"),
            ("/srv/run 2>>log", "2>>log"),
            ("/srv/run < file", "<"),
            ("kill $(cat pid)", "$(cat"),
            ("kill `cat pid`", "`cat"),
        ] {
            assert_eq!(shell_operator(command), Some(operator), "{command}");
            assert!(is_for_shell(command), "{command}");
        }
    }

    #[test]
    fn what_programs_take_is_left_alone() {
        for command in [
            "/bin/sh -c 'cd /srv && ./run; exit > log'",
            "/bin/sh -c \"a || b\"",
            "nginx -g \"daemon off;\"",
            "psql -c 'commit;'",
            "curl http://h/?a=1&b=2",
            "grep -E a|b file",
            "find /tmp -name x -exec rm {} ;",
            "find /tmp -exec rm {} \\;",
            "/srv/run --format=a>b --name=<x>",
            "/srv/run '&&' \"|\"",
            "/srv/run a\\ b",
            "",
        ] {
            assert_eq!(shell_operator(command), None, "{command}");
            assert!(!is_for_shell(command), "{command}");
        }
    }

    #[test]
    fn the_first_word_can_be_one_of_the_shell() {
        for command in ["cd /srv", "source env", ". env", "exec /srv/run", "PORT=80 /srv/run", "ulimit -n 100"] {
            assert!(is_for_shell(command), "{command}");
            assert_eq!(shell_operator(command), None, "{command}");
        }
        for command in ["/srv/cd x", "run cd", "'cd' x", "1A=2 x", "a.b=c", "=x"] {
            assert!(!is_for_shell(command), "{command}");
        }
    }
}
