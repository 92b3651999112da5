//! Words that other tools have for what these programs call otherwise: advice for whoever writes such a word here.

const PLAN: &str = "supervisorctl update --plan shows what an update would change, and changes nothing";
const CHECK: &str = "supervisord --check -c FILE checks a configuration, and starts nothing";
const CHECK_OR_PLAN: &str = "supervisord --check -c FILE checks a configuration, supervisorctl update --plan shows what an \
                             update would change";
const STATUS: &str = "supervisorctl status lists the programs";
const ACTIONS: &str = "the actions are those of the client: supervisorctl status, or supervisord ctl status";

const DRY_RUN: [&str; 6] = ["dry-run", "dryrun", "simulate", "noop", "diff", "plan"];
const VALIDATE: [&str; 9] =
    ["check", "check-config", "configtest", "config-test", "test", "t", "validate", "verify", "lint"];
const ACTION: [&str; 16] = [
    "start", "stop", "restart", "status", "reload", "reread", "update", "shutdown", "upgrade", "tail", "logs", "why",
    "pid", "signal", "wait", "health",
];

/// Advice for an option or action that `supervisorctl` does not have, such as `--dry-run` or `configtest`.
pub fn advice_of_client(word: &str) -> Option<&'static str> {
    let name = bare(word);
    let is_option = word.starts_with('-');
    match name.as_str() {
        "fleet" if is_option => Some(
            "write --fleet first, and no -c, since supervisor-fleet reads no configuration: supervisorctl --fleet status",
        ),
        "v" if is_option => {
            Some("supervisorctl --version prints the version of this program, supervisorctl version that of the daemon")
        }
        "resolved" => Some("supervisord --resolved -c FILE prints every option with its value and where it comes from"),
        "ps" | "ls" | "list" if !is_option => Some(STATUS),
        "kill" if !is_option => {
            Some("supervisorctl signal KILL NAME sends a signal, supervisorctl stop NAME stops a program")
        }
        "mask" | "off" if !is_option => {
            Some("supervisorctl disable NAME stops a program, and nothing starts it until supervisorctl enable NAME")
        }
        "unmask" | "on" if !is_option => Some("supervisorctl enable NAME lets a disabled program be started again"),
        "numprocs" | "resize" => Some("supervisorctl scale NAME=NUMBER runs another number of processes of a program"),
        "daemon-reload" => Some("supervisorctl reread reads the configuration, supervisorctl update applies it"),
        name if DRY_RUN.contains(&name) => Some(PLAN),
        name if VALIDATE.contains(&name) => Some(CHECK_OR_PLAN),
        _ => None,
    }
}

/// Advice for an option or word that `supervisord` does not have.
pub fn advice_of_daemon(word: &str) -> Option<&'static str> {
    let name = bare(word);
    match name.as_str() {
        "fleet" => Some("supervisorctl --fleet status asks many hosts"),
        name if DRY_RUN.contains(&name) || VALIDATE.contains(&name) => Some(CHECK),
        name if ACTION.contains(&name) && !word.starts_with('-') => Some(ACTIONS),
        _ => None,
    }
}

/// A word without dashes in front, in the spelling of the tables.
fn bare(word: &str) -> String {
    word.trim_start_matches('-').to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_tools_lead_to_ours() {
        for word in ["--dry-run", "--dry_run", "--DryRun", "dry-run", "diff"] {
            assert_eq!(advice_of_client(word), Some(PLAN), "{word}");
        }
        for word in ["configtest", "--validate", "-t", "check", "--check"] {
            assert_eq!(advice_of_client(word), Some(CHECK_OR_PLAN), "{word}");
            assert_eq!(advice_of_daemon(word), Some(CHECK), "{word}");
        }
        assert!(advice_of_client("--fleet").unwrap().contains("first"));
        assert!(advice_of_client("-v").unwrap().contains("--version"));
        assert_eq!(advice_of_daemon("status"), Some(ACTIONS));
    }

    #[test]
    fn other_words_lead_nowhere() {
        for word in ["", "-", "--", "fleet", "v", "--ps", "--nosuch"] {
            assert_eq!(advice_of_client(word), None, "{word}");
        }
        for word in ["", "--status", "web"] {
            assert_eq!(advice_of_daemon(word), None, "{word}");
        }
    }
}
