//! Options that programs share, and the tags by which they are selected. The original has neither.

use crate::harness::{Daemon, Scene, Subject, only_ours};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program inherit", "program tags"];

const PROGRAMS: &str = "[program-default]\nautostart=false\ncommand=sleep 1000\nstartsecs=0\n\
    [template:worker]\ntags=workers\nautostart=true\n\
    [program:mail]\ninherit=worker\n[program:video]\ninherit=worker\ntags=workers, slow\n[program:other]\n";

fn start() -> Daemon {
    let mut daemon = Scene::with("templates", PROGRAMS).start(Subject::Ours);
    daemon.wait_for_states(&["mail", "video"], "RUNNING");
    daemon.wait_for_states(&["other"], "STOPPED");
    daemon
}

#[test]
fn programs_have_what_their_template_says_and_are_selected_by_their_tags() {
    only_ours(|| {
        let mut daemon = start();
        assert_eq!(daemon.ctl(&["stop", "@slow"]).stdout, "video: stopped\n");
        let status = daemon.ctl(&["status", "@workers"]);
        let names: Vec<&str> = status.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["mail", "video"]);
        assert_eq!(daemon.ctl(&["start", "@workers"]).stdout, "mail: ERROR (already started)\nvideo: started\n");
        let wide = daemon.ctl(&["status", "--wide", "@slow"]).stdout;
        assert!(wide.contains("video") && !wide.contains("mail"), "{wide}");
        for refused in [daemon.ctl(&["stop", "@fast"]), daemon.ctl(&["status", "@fast"]), daemon.ctl(&["pid", "@fast"])]
        {
            assert_eq!(refused.stdout, "@fast: ERROR (no program has the tag fast)\n");
            assert_ne!(refused.code, 0);
        }
        daemon.wait_for_states(&["mail", "video"], "RUNNING");
    });
}

#[test]
fn a_changed_template_changes_the_programs_that_use_it() {
    only_ours(|| {
        let daemon = start();
        let file =
            daemon.read("supervisord.conf").replace("tags=workers\nautostart", "tags=workers\npriority=5\nautostart");
        daemon.write("supervisord.conf", &file);
        let said = daemon.ctl(&["reread"]).stdout;
        assert_eq!(said, "mail: changed\nvideo: changed\n");
        daemon.write("supervisord.conf", &file.replace("priority=5", "priority=five"));
        let said = daemon.ctl(&["reread"]).stdout;
        assert!(
            said.contains("[template:worker] priority=five, used by [program:mail]: expected a whole number"),
            "{said}"
        );
    });
}
