//! Where a configuration file is looked for when none is named.

use crate::error::ConfigError;
use crate::path::{join, parent};

/// What the daemon says on stderr, after `UserWarning: `, when it runs as root and no file is named.
pub const ROOT_WARNING: &str = "Supervisord is running as root and it is searching for its configuration file in \
    default locations (including its current working directory); you probably want to specify a \"-c\" argument \
    specifying an absolute path to a configuration file for improved security.";

/// The places where a configuration file may be, best first; the first that exists is taken.
///
/// `program` is the path under which the program was called. The first two places are beside the directory it is in,
/// by its text alone: symbolic links are not followed.
pub fn candidates(program: &str) -> [String; 6] {
    let prefix = parent(parent(program));
    [
        join(prefix, "etc/supervisord.conf"),
        join(prefix, "supervisord.conf"),
        "supervisord.conf".to_owned(),
        "etc/supervisord.conf".to_owned(),
        "/etc/supervisord.conf".to_owned(),
        "/etc/supervisor/supervisord.conf".to_owned(),
    ]
}

/// The error of the daemon when there is a file at none of the [`candidates`].
pub fn not_found(candidates: &[String]) -> ConfigError {
    let paths = candidates.join(", ");
    ConfigError::new(format!(
        "No config file found at default paths ({paths}); use the -c option to specify a config file at a different path"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_places_are_beside_the_program() {
        for (program, first) in [
            ("/opt/x/bin/supervisord", "/opt/x/etc/supervisord.conf"),
            ("/supervisord", "/etc/supervisord.conf"),
            ("bin/supervisord", "etc/supervisord.conf"),
            ("a/bin/supervisord", "a/etc/supervisord.conf"),
            ("supervisord", "etc/supervisord.conf"),
        ] {
            assert_eq!(candidates(program)[0], first, "{program}");
        }
    }

    #[test]
    fn the_warning_is_one_line() {
        assert!(!ROOT_WARNING.contains("  ") && !ROOT_WARNING.contains('\n'));
    }

    #[test]
    fn all_places_are_named_when_there_is_no_file() {
        assert_eq!(
            not_found(&candidates("/usr/bin/supervisord")).to_string(),
            "No config file found at default paths (/usr/etc/supervisord.conf, /usr/supervisord.conf, supervisord.conf, \
             etc/supervisord.conf, /etc/supervisord.conf, /etc/supervisor/supervisord.conf); use the -c option to \
             specify a config file at a different path"
        );
    }
}
