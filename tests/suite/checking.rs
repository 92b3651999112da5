//! `supervisord --check`, `--resolved` and `--json-schema`: what is told of a configuration without running it. The original has
//! none of them.

use serde_json::Value;

use crate::harness::needs::Power;
use crate::harness::{Scene, Subject, only_ours};

const BROKEN: &str = "[supervisord]\nlogfile={dir}/no/such.log\n[template:t]\nstopwaitsecs=30s\n\
    [program:a]\ncommand=/no/such/program\ninherit=t\n[program:b]\ncommand=sleep 1\ndirectory={dir}/nowhere\nstop_signal=TERM\n\
    env_file={dir}/a.env\nsecret.KEY=file:{dir}/no-key\nsecret.OTHER=credential:other\nsecret.THIRD=exec:./no-such-command\n[program:c]\ncommand=sleep 1\nstartsecs=x\nstdout_logfile={dir}\nsyslog_cafile={dir}/no-ca\n";

#[test]
fn all_problems_are_told_at_once_and_nothing_is_started_or_written() {
    only_ours(|| {
        let scene = Scene::new("check").config(BROKEN).file("a.env", "A=1\nhunter2\n").arguments(&[
            "--check",
            "-c",
            "supervisord.conf",
        ]);
        let place = scene.set_up(Subject::Ours);
        let before = place.names();
        let said = scene.run_in(&place);
        assert_eq!(said.code, 2, "{}", said.transcript());
        for expected in [
            "[supervisord] logfile=",
            "[template:t] stopwaitsecs=30s, used by [program:a]: expected a whole number; write 30)\n",
            "error: can't find command '/no/such/program' (supervisord.conf:6, [program:a] command=/no/such/program)\n",
            "error: there is no directory ",
            "a.env:2: expected NAME=VALUE",
            "[program:c] startsecs=x",
            " is a directory (supervisord.conf:",
            "warning: Unknown option stop_signal in section [program:b] is ignored (supervisord.conf:11: did you mean stopsignal?)\n",
            "no-ca cannot be used: ",
            "no-key cannot be read as user ",
            ": No such file or directory (supervisord.conf:13, [program:b] secret.KEY=***)\n",
            "which is not set; systemd sets it for a unit with LoadCredential=other:PATH (supervisord.conf:14, [program:b] secret.OTHER=***)\n",
            "error: can't find command './no-such-command' (supervisord.conf:15, [program:b] secret.THIRD=***)\n",
            "supervisord.conf: 9 errors, 3 warnings\n",
        ] {
            assert!(said.stdout.contains(expected), "{expected:?} is not in {}", said.stdout);
        }
        assert!(!said.stdout.contains("hunter2"));
        assert_eq!(place.names(), before);
    });
}

/// Many write commands as for a shell, which the daemon does not run.
#[test]
fn what_is_written_for_a_shell_is_told_what_to_write() {
    only_ours(|| {
        let text = "[supervisord]\nlogfile={dir}/l\npidfile={dir}/p\n\
            [program:a]\ncommand=cd /srv && ./run\n[program:b]\ncommand=sleep 1 | cat\npre_start=sleep 1 && sleep 2\n\
            [program:c]\ncommand=/bin/sh -c 'cd / && sleep 1'\n[program:d]\ncommand=find / -name x -exec ls {} ;\n\
            [program:e]\ncommand=PORT=80 sleep 1\n";
        let scene = Scene::new("check-shell").config(text).arguments(&["--check", "-c", "supervisord.conf"]);
        let said = scene.run(Subject::Ours);
        for expected in [
            "error: can't find command 'cd' (supervisord runs no shell; write command=/bin/sh -c '...') (supervisord.conf:5, ",
            "warning: '|' is an argument of the program: supervisord runs no shell; write command=/bin/sh -c '...' (supervisord.conf:7, ",
            "warning: '&&' is an argument of the program: supervisord runs no shell; write /bin/sh -c '...' (supervisord.conf:8, ",
            "error: can't find command 'PORT=80' (supervisord runs no shell; write command=/bin/sh -c '...') (supervisord.conf:14, ",
            "supervisord.conf: 2 errors, 2 warnings\n",
        ] {
            assert!(said.stdout.contains(expected), "{expected:?} is not in {}", said.stdout);
        }
    });
}

#[test]
fn what_the_user_of_the_daemon_may_not_do_is_told() {
    only_ours(|| {
        if !Power::ChangeUser.is_there_for("what a check without rights says") {
            return;
        }
        let text = "[supervisord]\nlogfile=/dev/null\npidfile=/tmp/none\n[program:a]\ncommand=sleep 1\nuser=daemon\n\
            [program:b]\ncommand=sleep 1\nnice=-5\n[program:c]\ncommand=sleep 1\nnice=5\nuser=nobody\n";
        let as_nobody = "set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        let scene = Scene::new("check-rights").config(text).open_to_all().shell(as_nobody);
        let said = scene.arguments(&["--check", "-c", "supervisord.conf"]).run(Subject::Ours);
        for expected in [
            "error: only a daemon that runs as root can start a program as daemon, not one of nobody (supervisord.conf:6, ",
            "error: user nobody may not start a program with nice=-5 (supervisord.conf:9, ",
            "supervisord.conf: 2 errors, 0 warnings\n",
        ] {
            assert!(said.stdout.contains(expected), "{expected:?} is not in {}", said.transcript());
        }
    });
}

/// A file has one writer; a stream, a device and a terminal have many, as in a container.
#[test]
fn only_a_file_of_the_daemon_is_none_for_a_program() {
    only_ours(|| {
        let scene = |logfile: &str, stdout: &str, stderr: &str, redirection: &str| {
            let text = format!(
                "[supervisord]\nlogfile={logfile}\nlogfile_maxbytes=0\npidfile={{dir}}/p\n[program:a]\ncommand=sleep 1\n\
                 stdout_logfile={stdout}\nstdout_logfile_maxbytes=0\nstderr_logfile={stderr}\nstderr_logfile_maxbytes=0\n"
            );
            let scene = Scene::new("check-own").config(&text).shell(redirection);
            scene.arguments(&["--check", "-c", "supervisord.conf"]).run(Subject::Ours)
        };
        // The answer goes to a pipe, or through a file that is its standard output.
        for redirection in [
            "",
            "\"$@\" > out; status=$?; cat out; exit $status",
            "\"$@\" > out 2>&1; status=$?; cat out; exit $status",
        ] {
            for log in ["/dev/stdout", "/dev/stderr", "/dev/null", "/dev/fd/1"] {
                for (stdout, stderr) in [(log, "NONE"), (log, log), ("/dev/stdout", "/dev/stderr")] {
                    let said = scene(log, stdout, stderr, redirection);
                    assert_eq!(said.stdout, "supervisord.conf: 0 errors, 0 warnings\n", "{log} {stdout} {stderr}");
                    assert_eq!(said.code, 0);
                }
            }
        }
        let said = scene("{dir}/l", "{dir}/l", "{dir}/p", "");
        assert_eq!(said.code, 1, "{}", said.transcript());
        for expected in [
            "/l is a file of the daemon itself, its activity log: ",
            "/p is a file of the daemon itself, its pid file: ",
        ] {
            assert!(said.stdout.contains(expected), "{expected:?} is not in {}", said.stdout);
        }
    });
}

/// Only a log that is to be renamed needs a directory in which that is allowed.
#[test]
fn a_log_grows_without_limit_only_where_it_is_to_be_renamed() {
    only_ours(|| {
        if !Power::ChangeUser.is_there_for("what a check says of logs in directories of others") {
            return;
        }
        // The last one is inherited, and a file in such a directory.
        let logs = [
            ("size", "{dir}/logs/a\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=3", true),
            ("time", "{dir}/logs/a\nstdout_logfile_maxbytes=0\nstdout_logfile_rotate=daily", true),
            ("none", "{dir}/logs/a\nstdout_logfile_maxbytes=1MB\nstdout_logfile_backups=0", false),
            ("timed", "{dir}/logs/a\nstdout_logfile_backups=0\nstdout_logfile_rotate=daily", false),
            ("never", "{dir}/logs/a\nstdout_logfile_maxbytes=0", false),
            ("dates", "{dir}/logs/a\nstdout_logfile_maxbytes=0\nstdout_logfile_date_format=%%Y", false),
            ("stream", "/dev/fd/7\nstdout_logfile_maxbytes=1MB", false),
        ];
        let programs = logs.map(|(name, log, _)| {
            format!("[program:{name}]\ncommand=sleep 1\nstderr_logfile=NONE\nstdout_logfile={log}\n")
        });
        let text = format!("[supervisord]\nlogfile=/dev/null\npidfile=/tmp/none\n{}", programs.concat());
        let as_nobody = "mkdir logs; : > logs/a; chmod 666 logs/a; chmod 755 logs; exec 7>> logs/a\n\
            set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
        let scene = Scene::new("check-rotation").config(&text).open_to_all().shell(as_nobody);
        let said = scene.arguments(&["--check", "-c", "supervisord.conf"]).run(Subject::Ours);
        for (name, _, grows) in logs {
            let line = said.stdout.lines().find(|line| line.contains(&format!("[program:{name}]")));
            let is_told =
                line.is_some_and(|line| line.contains(" cannot be rotated, because user nobody may not rename"));
            assert_eq!((is_told, line.is_some()), (grows, grows), "{name}: {}", said.transcript());
        }
        assert!(said.stdout.ends_with("supervisord.conf: 0 errors, 2 warnings\n"), "{}", said.transcript());
    });
}

#[test]
fn the_answers_are_for_programs_too() {
    only_ours(|| {
        let scene = |text: &str, arguments: &[&str]| {
            Scene::new("check-json").config(text).arguments(arguments).run(Subject::Ours)
        };
        let clean = "[supervisord]\nlogfile={dir}/l\npidfile={dir}/p\n[program:a]\ncommand=sleep 1\n";
        let said = scene(clean, &["--check", "-c", "supervisord.conf"]);
        assert_eq!((said.code, said.stdout.as_str()), (0, "supervisord.conf: 0 errors, 0 warnings\n"));
        let warned = scene(&format!("{clean}nonsense=1\n"), &["--check", "--format", "json", "-c", "supervisord.conf"]);
        let answer: Value = serde_json::from_str(&warned.stdout).expect("it is JSON");
        assert_eq!((warned.code, &answer["warnings"], &answer["errors"]), (1, &1.into(), &0.into()));
        let problem = &answer["problems"][0];
        assert_eq!((&problem["line"], &problem["section"]), (&6.into(), &"program:a".into()));
        assert_eq!(problem["option"], "nonsense");
        let text = format!("{clean}redirect_stderr=true\nstderr_logfile=e\nenvironement=A=1\nnumprocs=2\n");
        let text =
            text + "process_name=a%(process_num)d\n[nonsense]\n[program:b]\ncommand=sleep 1\nsecret.K=file:/no/key\n";
        let warned = scene(&text, &["--check", "--format", "json", "-c", "supervisord.conf"]);
        let answer: Value = serde_json::from_str(&warned.stdout).expect("it is JSON");
        let problems = answer["problems"].as_array().expect("problems").iter().map(|problem| {
            let member = |name: &str| problem[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {}", problem["line"], member("section"), member("option"), member("advice"))
        });
        let mut problems: Vec<_> = problems.collect();
        problems.sort();
        let expected = [
            "11 nonsense - -",
            "14 program:b secret.K -",
            "7 program:a stderr_logfile -",
            "8 program:a environement did you mean environment?",
        ];
        assert_eq!(problems, expected, "{}", warned.stdout);
        let said = scene(&format!("{clean}environment=KEY=\"hunter2\"\n"), &["--resolved", "-c", "supervisord.conf"]);
        assert!(
            said.code == 0 && said.stdout.contains("command = sleep 1") && !said.stdout.contains("hunter2"),
            "{}",
            said.stdout
        );
        let said = scene(clean, &["--resolved", "--format", "json", "-c", "supervisord.conf"]);
        let answer: Value = serde_json::from_str(&said.stdout).expect("it is JSON");
        assert_eq!(answer["sections"][1]["options"][0]["source"]["line"], 5);
        let schema: Value = serde_json::from_str(&scene(clean, &["--json-schema"]).stdout).expect("it is JSON");
        assert!(schema["patternProperties"]["^program:.+$"]["properties"]["command"].is_object());
    });
}
