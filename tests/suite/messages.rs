//! Messages of a running daemon, and how they reach the person who can mend what they are about.

use crate::harness::terminal::Terminal;
use crate::harness::{Scene, Subject, compare, only_ours};

const SLEEPER: &str = "[program:a]\ncommand=sleep 1000\nstartsecs=0\n";

const MISTAKES: &str = "autostrat=true\n[progam:b]\ncommand=sleep 1000\n";

const WARNINGS: [&str; 2] = [
    "warning: Unknown option autostrat in section [program:a] is ignored (supervisord.conf:14: did you mean autostart?)",
    "warning: Unknown section [progam:b] is ignored (supervisord.conf:15: did you mean [program:b]?)",
];

#[test]
fn mistakes_in_a_file_are_shown_by_reread_and_update_on_a_terminal() {
    only_ours(|| {
        let mut daemon = Scene::with("misspelt", SLEEPER).start(Subject::Ours);
        daemon.wait_for_state("a", "RUNNING");
        assert_eq!(daemon.answer("supervisor.getConfigWarnings", &[]), "[]");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &format!("{text}{MISTAKES}"));
        let first = text.lines().count() + 1;
        for action in ["reread", "update"] {
            let (shown, _) = Terminal::ctl(&daemon, &[action]).end();
            for warning in WARNINGS {
                let warning =
                    warning.replace(":14:", &format!(":{first}:")).replace(":15:", &format!(":{}:", first + 1));
                let line = format!("supervisorctl: {warning}");
                assert!(shown.lines().any(|said| said == line), "{action}: {shown} lacks {line:?}");
            }
            let output = daemon.ctl(&[action]);
            assert_eq!(
                (output.stderr.as_str(), output.code),
                ("", 0),
                "scripts and cron jobs see the original's words"
            );
        }
    });
}

/// What scripts see of a file with mistakes is what the original shows.
#[test]
fn mistakes_in_a_file_change_nothing_for_scripts() {
    compare(&Scene::with("misspelt", SLEEPER), |daemon, observed| {
        daemon.wait_for_state("a", "RUNNING");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &format!("{text}{MISTAKES}[program:c]\ncommand=sleep 1000\n"));
        observed.exactly("the lists", daemon.call("supervisor.reloadConfig", &[]));
        for action in ["reread", "update"] {
            observed.note(daemon, action, daemon.ctl(&[action]).transcript());
        }
    });
}
