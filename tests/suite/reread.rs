//! A changed configuration: what `reread` reports, and what `update` does about it.

use crate::harness::additions::without_additions;
use crate::harness::{Scene, Subject, compare, compare_refusal, differ, only_ours};

const BEFORE: &str = "
[program:same]
command=sleep 1000
startsecs=0
[program:changed]
command=sleep 1000
startsecs=0
[program:gone]
command=sleep 1000
startsecs=0
[program:member]
command=sleep 1000
startsecs=0
[group:team]
programs=member
";

const AFTER: &str = "
[program:same]
command=sleep 1000
startsecs=0
[program:changed]
command=sleep 2000
startsecs=0
[program:new]
command=sleep 1000
startsecs=0
[program:member]
command=sleep 1000
startsecs=0
[group:team]
programs=member,new
";

#[test]
fn update_applies_exactly_what_reread_finds() {
    compare(&Scene::with("update", BEFORE), |daemon, observed| {
        daemon.wait_for_states(&["same", "changed", "gone", "team:member"], "RUNNING");
        let same = daemon.pid_of("same");
        observed.note(daemon, "nothing yet", daemon.ctl(&["reread"]).transcript());
        observed.note(daemon, "nothing to do", daemon.ctl(&["update"]).transcript());
        let text = daemon.read("supervisord.conf").replace(BEFORE, AFTER);
        daemon.write("supervisord.conf", &text);
        observed.note(daemon, "reread", daemon.ctl(&["reread"]).transcript());
        observed.exactly("the lists", daemon.call("supervisor.reloadConfig", &[]));
        observed.note(daemon, "available", daemon.ctl(&["avail"]).transcript());
        observed.note(daemon, "update one", daemon.ctl(&["update", "gone", "nobody"]).transcript());
        observed.note(daemon, "update", daemon.ctl(&["update"]).transcript());
        daemon.wait_for_states(&["same", "changed", "team:member", "team:new"], "RUNNING");
        observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        assert_eq!(daemon.pid_of("same"), same, "what did not change goes on");
    });
}

#[test]
fn groups_are_added_and_removed_by_hand() {
    compare(&Scene::with("add", BEFORE), |daemon, observed| {
        daemon.wait_for_states(&["same", "gone"], "RUNNING");
        observed.note(daemon, "remove a running one", daemon.ctl(&["remove", "gone"]).transcript());
        observed.note(daemon, "stop", daemon.ctl(&["stop", "gone"]).transcript());
        observed.note(daemon, "remove", daemon.ctl(&["remove", "gone", "nobody"]).transcript());
        observed.note(daemon, "status", daemon.ctl(&["status", "gone"]).transcript());
        observed.note(daemon, "add", daemon.ctl(&["add", "gone", "same", "nobody"]).transcript());
        daemon.wait_for_state("gone", "RUNNING");
        let log = daemon.story();
        let log = &log[log.find("stopped: gone").unwrap_or(0)..];
        observed.note(daemon, "activity log", log);
    });
}

#[test]
fn a_broken_file_is_reported_and_changes_nothing() {
    const BROKEN: [&str; 4] = [
        "[program:three]\ncommand=cat\nstartsecs=soon\n",
        "[program:three]\n",
        "nonsense\n",
        "[group:g]\nprograms=nobody\n",
    ];
    compare(&Scene::with("broken", BEFORE), |daemon, observed| {
        daemon.wait_for_states(&["same", "changed"], "RUNNING");
        let (pid, good) = (daemon.pid_of("same"), daemon.read("supervisord.conf"));
        for addition in BROKEN {
            daemon.write("supervisord.conf", &format!("{good}{addition}"));
            observed.note(daemon, "fault", format!("{:?}", daemon.rpc("supervisor.reloadConfig", &[])));
            if addition == BROKEN[2] {
                // supervisorctl reads the same file, and the original's ends with an error.
                continue;
            }
            observed.note(daemon, "reread", daemon.ctl(&["reread"]).transcript());
            // The rest of this line is a position in the client's source code.
            let update = daemon.ctl(&["update"]);
            observed.note(daemon, "update", update.stdout.split(": file: ").next().unwrap_or_default().trim_end());
            observed.exactly("its exit status", update.code);
        }
        std::fs::remove_file(daemon.path("supervisord.conf")).expect("the file exists");
        observed.note(daemon, "fault", format!("{:?}", daemon.rpc("supervisor.reloadConfig", &[])));
        daemon.write("supervisord.conf", &good);
        observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        assert_eq!(daemon.pid_of("same"), pid, "nothing was touched");
    });
}

/// The original notices it at the next restart, and exits.
#[test]
fn an_unknown_user_is_reported_by_reread() {
    let fault = "fault 92 CANT_REREAD: Invalid user name no-such-user".to_owned();
    differ("[[[], [], []]]".to_owned(), fault, |subject| {
        let mut daemon = Scene::with("user", BEFORE).start(subject);
        daemon.wait_for_state("same", "RUNNING");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &format!("{text}[supervisord]\nuser=no-such-user\n"));
        without_additions(&daemon.answer("supervisor.reloadConfig", &[]))
    });
}

/// The original reads the file of the new configuration, and goes on writing to the old one.
#[test]
fn a_reread_does_not_move_the_activity_log() {
    differ(["fault 20 NO_FILE"; 2].map(str::to_owned), ["the log", "true"].map(str::to_owned), |subject| {
        let mut daemon = Scene::with("moved", BEFORE).start(subject);
        daemon.wait_for_state("same", "RUNNING");
        daemon.wait_for_log("success: same entered RUNNING");
        let text = daemon.read("supervisord.conf");
        daemon.write("supervisord.conf", &text.replace("supervisord.log", "moved.log"));
        daemon.call("supervisor.reloadConfig", &[]);
        assert!(!daemon.path("moved.log").exists());
        let log = daemon.answer("supervisor.readLog", &[0.into(), 0.into()]);
        let is_the_log = log.contains("success: same entered RUNNING");
        let cleared = daemon.answer("supervisor.clearLog", &[]);
        [if is_the_log { "the log" } else { &log }.split(':').next().unwrap_or_default().to_owned(), cleared]
    });
}

const FACTORY: &str = "make_main_rpcinterface\n";

/// Servers and their interfaces are created only at a start, which finds unknown options of an interface.
#[test]
fn options_of_the_built_in_rpc_interface_are_refused_at_the_next_start() {
    let spoiled = |text: &str| text.replace(FACTORY, &format!("{FACTORY}loglevel=info\n"));
    compare(&Scene::with("interface", BEFORE), |daemon, observed| {
        daemon.wait_for_state("same", "RUNNING");
        let text = spoiled(&daemon.read("supervisord.conf").replace(BEFORE, AFTER));
        daemon.write("supervisord.conf", &text);
        observed.note(daemon, "reread", daemon.ctl(&["reread"]).transcript());
        observed.note(daemon, "available", daemon.ctl(&["avail"]).transcript());
    });
    compare_refusal(&Scene::with("interface", "[rpcinterface:supervisor]\nloglevel=info\n"));
    only_ours(|| {
        let mut daemon = Scene::with("interface", BEFORE).start(Subject::Ours);
        daemon.wait_for_state("same", "RUNNING");
        let text = spoiled(&daemon.read("supervisord.conf"));
        daemon.write("supervisord.conf", &text);
        daemon.ctl(&["reread"]);
        daemon.wait_for_log("The next start will be refused: Could not make supervisor rpc interface");
        let refused = daemon.ctl(&["reload"]);
        assert!(refused.stdout.contains("Could not make supervisor rpc interface"), "{}", refused.transcript());
        assert_eq!(daemon.state_of("same"), "RUNNING");
    });
}

/// A section that is indented by mistake continues the value before it, and brackets after an entry point are its
/// extras.
#[test]
fn extras_and_spaces_in_a_factory_name_are_ignored() {
    for changed in [
        "make_main_rpcinterface\n  [eventlistener:x]\n",
        "make_main_rpcinterface [extra] [more]\n",
        "make_main_rpcinterface[extra]\n",
    ] {
        compare(&Scene::with("brackets", BEFORE), |daemon, observed| {
            daemon.wait_for_state("same", "RUNNING");
            let text = daemon.read("supervisord.conf").replace(FACTORY, changed).replace(BEFORE, AFTER);
            daemon.write("supervisord.conf", &text);
            observed.note(daemon, "reread", daemon.ctl(&["reread"]).transcript());
            observed.exactly("end", daemon.stop());
            daemon.start_again();
            daemon.wait_for_states(&["same", "changed", "team:member", "team:new"], "RUNNING");
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        });
    }
}

#[test]
fn a_warning_is_logged_once_per_change_of_the_file() {
    only_ours(|| {
        let daemon = Scene::with("warnings", BEFORE).start(Subject::Ours);
        let text = daemon.read("supervisord.conf");
        let count = || daemon.log().matches("Unknown option misspelt").count();
        let misspelt = format!("{text}misspelt=1\n");
        for (content, warnings) in [(&misspelt, 1), (&text, 1), (&misspelt, 2)] {
            daemon.write("supervisord.conf", content);
            for action in ["reread", "update", "update"] {
                assert_eq!(daemon.ctl(&[action]).code, 0);
            }
            crate::harness::wait::until("the warning is logged", || count() >= warnings);
            assert_eq!(count(), warnings);
        }
    });
}
