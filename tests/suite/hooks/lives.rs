//! Hooks while the daemon is replaced or killed: whoever goes on knows them, and no program is started meanwhile.

use super::{ALL, description, hold, pid_of_hook, release, scene, told};
use crate::harness::{Daemon, Subject, only_ours, processes, wait};

/// Begins what makes a hook run, and waits until it runs.
fn begin(daemon: &mut Daemon, hook: &str) -> i32 {
    hold(daemon, hook);
    match hook {
        "pre_start" | "post_start" => {
            daemon.call("supervisor.startProcess", &["p".into(), false.into()]);
        }
        _ => {
            assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: started\n");
            daemon.wait_until("its start is told", |daemon| told(daemon).contains(&"post_start ended".to_owned()));
            daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
        }
    }
    pid_of_hook(daemon, hook)
}

/// The state of the program while a hook runs, and after it.
fn states(hook: &str) -> (&'static str, &'static str) {
    match hook {
        "pre_start" => ("STARTING", "RUNNING"),
        "post_start" => ("RUNNING", "RUNNING"),
        "pre_stop" => ("STOPPING", "STOPPED"),
        _ => ("STOPPED", "STOPPED"),
    }
}

const HOOKS: [&str; 4] = ["pre_start", "post_start", "pre_stop", "post_stop"];

fn goes_on(hook: &str, replace: impl Fn(&mut Daemon)) {
    let mut daemon = scene(&format!("{ALL}autostart=false")).start(Subject::Ours);
    let pid = begin(&mut daemon, hook);
    let (during, after) = states(hook);
    daemon.wait_until("that is known", |daemon| daemon.state_of("p") == during);
    replace(&mut daemon);
    assert_eq!(daemon.state_of("p"), during, "{hook}\n{}", daemon.report());
    assert!(processes::alive(pid), "{hook} goes on\n{}", daemon.report());
    if hook == "post_stop" {
        // The next start waits for it, whoever goes on.
        daemon.call("supervisor.startProcess", &["p".into(), false.into()]);
        assert_eq!(description(&daemon), "waiting for post-stop hook to end");
        daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
    }
    release(&daemon, hook);
    daemon.wait_until("it has ended", |daemon| told(daemon).contains(&format!("{hook} ended")));
    daemon.wait_for_state("p", after);
    let ran = told(&daemon).iter().filter(|line| line.starts_with(&format!("{hook} p"))).count();
    assert_eq!(ran, 1, "{hook} ran once\n{}", daemon.report());
    assert!(!daemon.log().contains(" hook failed"), "{hook}\n{}", daemon.report());
    assert!(daemon.read("p.log").contains(&format!("{hook} out\n")));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_upgrade_in_the_middle_of_a_hook_is_not_noticed() {
    only_ours(|| {
        for hook in HOOKS {
            goes_on(hook, |daemon| {
                assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
                daemon.wait_for_log("supervisord upgraded with pid");
            });
        }
    });
}

#[test]
fn a_hook_goes_on_when_the_daemon_is_killed() {
    if !crate::harness::needs::kernel_is_at_least(6, 15) {
        return eprintln!("left out: only from Linux 6.15 on the next daemon learns how a hook ended");
    }
    only_ours(|| {
        for hook in HOOKS {
            goes_on(hook, |daemon| {
                daemon.crash();
                daemon.start_again();
                daemon.wait_until("it answers", |daemon| daemon.rpc_if_up("supervisor.getState", &[]).is_some());
            });
        }
    });
}

#[test]
fn the_time_limit_of_a_hook_goes_on_in_the_next_daemon() {
    only_ours(|| {
        let mut daemon =
            scene("pre_start=./hook pre_start\nautostart=false\nhook_timeout=2\nstartretries=0").start(Subject::Ours);
        let hook = begin(&mut daemon, "pre_start");
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "FATAL");
        assert!(!processes::alive(hook));
        // What the hook wrote is quoted where the daemon that was killed had not read it.
        let told = description(&daemon);
        assert!(told.starts_with("pre-start hook failed (killed after 2s, its time limit"), "{told}");
    });
}

#[test]
fn a_hook_that_ended_while_no_daemon_ran_has_an_unknown_status() {
    only_ours(|| {
        let options = "pre_start=./hook pre_start\nautostart=false\nstartretries=0\n[program:other]\ncommand=sleep 1000\nstartsecs=0\n";
        let mut daemon = scene(options).start(Subject::Ours);
        daemon.wait_for_state("other", "RUNNING");
        let hook = begin(&mut daemon, "pre_start");
        daemon.crash_with_keeper();
        release(&daemon, "pre_start");
        wait::until("it has ended", || !processes::alive(hook));
        daemon.start_again();
        daemon.wait_for_state("p", "FATAL");
        let text = "it ended while no daemon ran, with an unknown exit status";
        assert_eq!(description(&daemon), format!("pre-start hook failed ({text})"));
    });
}

/// A release to come may run a hook: this one ends it before it starts the program.
#[test]
fn a_hook_of_a_state_that_is_not_understood_is_ended() {
    only_ours(|| {
        for with_keeper in [false, true] {
            let mut daemon = scene(&format!("{ALL}autostart=true")).start(Subject::Ours);
            daemon.wait_for_state("p", "RUNNING");
            let hook = {
                hold(&daemon, "pre_stop");
                daemon.call("supervisor.stopProcess", &["p".into(), false.into()]);
                pid_of_hook(&mut daemon, "pre_stop")
            };
            daemon.wait_until("it is noted", |daemon| {
                daemon.read("supervisord.pid.state").contains(&format!("\"pid\":{hook}"))
            });
            let program = daemon.pid_of("p");
            if with_keeper {
                daemon.crash();
                // What the keeper holds is as it was; the state file is not looked at.
                release(&daemon, "pre_stop");
                daemon.start_again();
                daemon.wait_for_state("p", "STOPPED");
                continue;
            }
            daemon.crash_with_keeper();
            let state = daemon.read("supervisord.pid.state");
            let other = state.replacen("\"version\":2", "\"version\":9", 1).replace("\"state\":20", "\"state\":{}");
            daemon.write("supervisord.pid.state", &other);
            daemon.start_again();
            wait::until("both have ended", || !processes::alive(hook) && !processes::alive(program));
            daemon.wait_for_state("p", "RUNNING");
            assert_ne!(daemon.pid_of("p"), program);
        }
    });
}
