//! `supervisord` under the names of the other programs, as a package or an image carries it: one file and links to it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::harness::command::{copy_program, run};
use crate::harness::{Daemon, Program, Scene, Subject, only_ours};

const SLEEPER: &str = "[program:p]\ncommand=sleep 1000\nstartsecs=0\n";

#[test]
fn one_file_is_all_four_programs_by_the_name_that_it_is_called() {
    only_ours(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let others = [
            ("supervisorctl", Program::Supervisorctl, &["--help", "--no-such-option", "-u"][..]),
            ("echo_supervisord_conf", Program::EchoSupervisordConf, &[""]),
            ("pidproxy", Program::Pidproxy, &["only-one-word"]),
        ];
        for (name, program, words) in others {
            let link = directory.path().join(name);
            symlink(Subject::Ours.path(Program::Supervisord), &link).expect("the place is free");
            for word in words {
                let mut alone = run(Command::new(Subject::Ours.path(program)).arg(word), "");
                let linked = run(Command::new(&link).arg(word), "");
                // Both say how they were called.
                let called = |text: &str| {
                    text.replace(&Subject::Ours.path(program).display().to_string(), &link.display().to_string())
                };
                alone.stdout = called(&alone.stdout);
                alone.stderr = called(&alone.stderr);
                assert_eq!(linked, alone, "{name} {word}");
                let first_word = run(Command::new(Subject::Ours.path(Program::Supervisord)).args([name, word]), "");
                assert_eq!(
                    (first_word.code, !first_word.stdout.is_empty()),
                    (alone.code, !alone.stdout.is_empty()),
                    "{name} {word}"
                );
            }
        }
    });
}

/// The daemon starts itself again for its keeper and for an upgrade, under names of their own.
#[test]
fn the_daemon_and_its_client_are_one_file_that_a_package_replaces() {
    only_ours(|| {
        let place = Scene::with("one_file", SLEEPER).set_up(Subject::Ours);
        let file = place.path("supervisord");
        copy_program(&Subject::Ours.path(Program::Supervisord), &file);
        symlink("supervisord", place.path("supervisorctl")).expect("the place is free");
        let mut command = place.command(&file);
        command.args(["-n", "-c", "supervisord.conf"]);
        let mut daemon = Daemon::launch(place, command);
        daemon.wait_for_log("entered RUNNING state");
        let pid = daemon.pid_of("p");
        assert!(daemon.keeper().is_some(), "{}", daemon.report());

        copy_program(&Subject::Ours.path(Program::Supervisord), &daemon.path("new"));
        fs::rename(daemon.path("new"), &file).expect("replaced");
        let by_name = Command::new(daemon.path("supervisorctl"))
            .args(["-c", &daemon.path("supervisord.conf").display().to_string(), "upgrade"])
            .output()
            .expect("executed");
        assert_eq!(String::from_utf8_lossy(&by_name.stdout), "Upgraded supervisord\n", "{by_name:?}");
        daemon.wait_for_log("supervisord upgraded with pid");
        let by_word = Command::new(&file)
            .args(["ctl", "-c", &daemon.path("supervisord.conf").display().to_string(), "pid", "p"])
            .output()
            .expect("executed");
        assert_eq!(String::from_utf8_lossy(&by_word.stdout), format!("{pid}\n"), "{by_word:?}");
        let refused = run(Command::new(&file).args(["ctl", "-c", "/nonexistent/supervisord.conf"]), "");
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains("supervisord ctl"), "the usage names both words: {refused:?}");
        assert_eq!(daemon.stop(), 0);
    });
}
