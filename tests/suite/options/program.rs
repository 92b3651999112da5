//! `[program:x]`: the command, the number of processes, their order, and when they count as running.

use nix::unistd::geteuid;

use crate::harness::random::Random;
use crate::harness::{Scene, Subject, compare, compare_refusal, only_ours, wait};

/// A program without log files, unless the options say otherwise.
fn scene(name: &str, options: &str) -> Scene {
    Scene::with(name, &format!("[program:p]\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n"))
}

fn refused(option: &str) {
    compare_refusal(&scene("refused", &format!("command=/bin/cat\n{option}")));
}

/// The lines of the activity log about starts and ends of processes.
fn start_and_end_lines(log: &str) -> String {
    const WORDS: [&str; 6] = ["spawned:", "success:", "exited:", "stopped:", "gave up:", "spawnerr:"];
    log.lines().filter(|line| WORDS.iter().any(|word| line.contains(word))).collect::<Vec<_>>().join("\n")
}

/// The names in the lines of the activity log with this first word, in order.
fn order<'a>(log: &'a str, word: &str) -> Vec<&'a str> {
    log.lines()
        .filter_map(|line| line.split_once(word)?.1.split(' ').next())
        .map(|name| name.trim_matches('\''))
        .collect()
}

pins! {
    command: "program command" => {
        let scene = Scene::with("command", "
[program:words]
command=/bin/sh -c 'for word; do echo \"<$word>\"; done' 'x y' \"q\\\"r\" z\\ w a\"b\"'c' '' %(program_name)s 100%% #kept ;cut
autorestart=false
startsecs=0
stdout_logfile={dir}/words.log
stderr_logfile=NONE
[program:missing]
command=no-such-command
startretries=0
[program:unparsable]
command=/bin/echo 'open
startretries=0
[program:directory]
command={dir}
startretries=0
[program:unexecutable]
command={dir}/supervisord.conf
startretries=0
[program:local]
command=./local.sh
autorestart=false
startsecs=0
stdout_logfile={dir}/local.log
[program:shadowed]
command=shadow
environment=PATH=\"{dir}/first:{dir}/second\"
startretries=0
").file("first/shadow", "not a program").script("second/shadow", "#!/bin/sh\n").script("local.sh", "#!/bin/sh\necho $0\n");
        compare(&scene, |daemon, observed| {
            daemon.wait_for_states(&["missing", "unparsable", "directory", "unexecutable", "shadowed"], "FATAL");
            daemon.wait_for_states(&["words", "local"], "EXITED");
            observed.exactly("arguments", daemon.read("words.log"));
            observed.exactly("relative command", daemon.read("local.log"));
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
            for word in ["spawnerr:", "gave up:"] {
                let log = daemon.log();
                let lines: Vec<&str> = log.lines().filter(|line| line.contains(word)).collect();
                observed.note(daemon, word, lines.join("\n"));
            }
            for name in ["missing", "unparsable", "directory", "unexecutable", "shadowed"] {
                observed.note(daemon, "start", daemon.ctl(&["start", name]).transcript());
                observed.note(daemon, "fault", format!("{:?}", daemon.rpc("supervisor.startProcess", &[name.into()])));
            }
        });
        compare_refusal(&Scene::with("command", "[program:p]\nprocess_name=x\n"));
    }

    names_and_numbers: "program process_name" "program numprocs" "program numprocs_start" => {
        compare(&scene("names", "command=sleep 1000\nstartsecs=0\nnumprocs=11\nnumprocs_start=2\nprocess_name=%(program_name)s-%(process_num)d-of-%(numprocs)d"), |daemon, observed| {
            daemon.wait_for_state("p:p-12-of-11", "RUNNING");
            daemon.wait_until("all are up", |daemon| order(&daemon.log(), "success: ").len() == 11);
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
            observed.note(daemon, "activity log", daemon.story());
            observed.note(daemon, "one", daemon.ctl(&["stop", "p:*"]).transcript().lines().count());
        });
        compare(&scene("names", "command=cat\nnumprocs=0"), |daemon, observed| {
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
            observed.note(daemon, "group", daemon.ctl(&["status", "p:*"]).transcript());
        });
        refused("numprocs=2");
        refused("numprocs=x");
        refused("numprocs_start=x");
        refused("process_name=a b");
        refused("process_name=%(nope)s");
    }

    priority: "program priority" => {
        let program = |name: &str, priority: i32| {
            format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\npriority={priority}\nstdout_logfile=NONE\nstderr_logfile=NONE\n")
        };
        let text = program("late", 30) + &program("early", -5) + &program("b", 10) + &program("a", 10) + "[supervisord]\nloglevel=debug\n";
        compare(&Scene::with("priority", &text), |daemon, observed| {
            daemon.wait_for_states(&["late", "early", "b", "a"], "RUNNING");
            daemon.wait_until("all are logged", |daemon| order(&daemon.log(), "success: ").len() == 4);
            observed.exactly("start order", order(&daemon.log(), "spawned: ").join(" "));
            observed.exactly("stop by hand", daemon.ctl(&["stop", "all"]).stdout.lines().count());
            let log = daemon.log();
            observed.exactly("stop order by hand", order(&log, "DEBG killing ").join(" "));
            observed.note(daemon, "available", daemon.ctl(&["avail"]).transcript());
            daemon.ctl(&["start", "all"]);
            observed.exactly("exit status", daemon.stop());
            observed.exactly("stop order at the end", order(&daemon.log()[log.len()..], "DEBG killing ").join(" "));
        });
        refused("priority=high");
    }

    autostart: "program autostart" => {
        compare(&scene("autostart", "command=sleep 1000\nstartsecs=0\nautostart=false\n[program:q]\ncommand=sleep 1000\nstartsecs=0"), |daemon, observed| {
            daemon.wait_for_state("q", "RUNNING");
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
            observed.note(daemon, "available", daemon.ctl(&["avail"]).transcript());
            observed.note(daemon, "start", daemon.ctl(&["start", "p"]).transcript());
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        });
        refused("autostart=perhaps");
    }

    autorestart: "program autorestart" "program exitcodes" => {
        // Each counts its starts; a program that should not be restarted ends after the first, one that should after
        // the third.
        let text: String = [
            ("never", "false", "0", 1),
            ("expected", "unexpected", "0,1", 1),
            ("unexpected", "unexpected", "0", 1),
            ("always", "true", "0,1", 1),
            ("none", "unexpected", "", 0),
        ]
        .iter()
        .map(|(name, restart, codes, status)| {
            format!(
                "[program:{name}]\ncommand=sh -c 'echo started >>{name}.txt; test $(wc -l <{name}.txt) -lt 3 || exec sleep 1000; exit {status}'\n\
                startsecs=0\nautorestart={restart}\nexitcodes={codes}\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
            )
        })
        .collect();
        compare(&Scene::with("autorestart", &text), |daemon, observed| {
            daemon.wait_for_states(&["never", "expected"], "EXITED");
            for name in ["unexpected", "always", "none"] {
                daemon.wait_until("the third runs", |daemon| daemon.read(&format!("{name}.txt")).lines().count() == 3);
                daemon.wait_for_state(name, "RUNNING");
            }
            for name in ["never", "expected", "unexpected", "always", "none"] {
                observed.exactly(name, daemon.read(&format!("{name}.txt")).lines().count());
                let log = daemon.log();
                let ends: Vec<&str> = log.lines().filter(|line| line.contains(&format!("exited: {name} "))).collect();
                observed.note(daemon, "its ends", ends.join("\n"));
            }
            observed.note(daemon, "why", daemon.info("never").get("spawnerr"));
            observed.note(daemon, "status", daemon.info("expected").get("exitstatus"));
        });
        refused("autorestart=sometimes");
        refused("exitcodes=0,x");
        refused("exitcodes=256");
    }

    startsecs: "program startsecs" => {
        compare(&scene("startsecs", "command=sleep 1000\nstartsecs=2\n[program:quick]\ncommand=sh -c 'sleep 0.1; exit 0'\nstartsecs=1\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile=NONE"), |daemon, observed| {
            daemon.wait_for_state("quick", "FATAL");
            observed.exactly("too early", daemon.state_of("p"));
            daemon.wait_for_state("p", "RUNNING");
            daemon.wait_for_log("success: p");
            observed.note(daemon, "lives", { let log = daemon.log(); let mut lines: Vec<String> = start_and_end_lines(&log).lines().map(str::to_owned).collect(); lines.sort_by_key(|line| line[24..].to_owned()); lines.join("\n") });
        });
        refused("startsecs=soon");
    }

    startretries: "program startretries" => {
        compare(&scene("startretries", "command=sh -c 'exit 3'\nstartretries=2\nstartsecs=1"), |daemon, observed| {
            daemon.wait_for_state("p", "FATAL");
            daemon.wait_for_log("gave up: p");
            observed.note(daemon, "lives", start_and_end_lines(&daemon.log()));
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        });
        compare(&scene("startretries", "command=nowhere\nstartretries=1"), |daemon, observed| {
            daemon.wait_for_state("p", "FATAL");
            daemon.wait_for_log("gave up: p");
            observed.note(daemon, "lives", start_and_end_lines(&daemon.log()));
        });
        refused("startretries=x");
    }

    /// A program of another user, and one whose user cannot be set.
    user: "program user" => {
        refused("user=no-such-user");
        refused("user=999999");
        if geteuid().is_root() {
            let text = "command=sh -c 'id; echo $HOME $USER'\nuser=nobody\nautorestart=false\nstartsecs=0\nstdout_logfile={dir}/p.log";
            compare(&scene("user", text), |daemon, observed| {
                daemon.wait_for_state("p", "EXITED");
                observed.note(daemon, "identity", daemon.read("p.log"));
                observed.note(daemon, "configuration", daemon.call("supervisor.getAllConfigInfo", &[]));
            });
            let text = "command=id\nuser=root\nautorestart=false\nstartretries=0\nstderr_logfile={dir}/p.log\n[supervisord]\nuser=nobody";
            compare(&scene("user", text).open_to_all(), |daemon, observed| {
                daemon.wait_for_state("p", "FATAL");
            daemon.wait_for_log("gave up: p");
                observed.note(daemon, "complaint", daemon.read("p.log"));
                observed.note(daemon, "lives", start_and_end_lines(&daemon.log()));
            });
        }
    }

    directory_and_umask: "program directory" "program umask" => {
        compare(&scene("directory", "command=sh -c 'pwd; umask'\ndirectory={dir}/there\numask=027\nautorestart=false\nstartsecs=0\nstdout_logfile={dir}/p.log\n[program:lost]\ncommand=pwd\ndirectory=%(here)s/nowhere\nstartretries=0\nstartsecs=60\nstderr_logfile={dir}/lost.log").file("there/.keep", ""), |daemon, observed| {
            daemon.wait_for_state("p", "EXITED");
            daemon.wait_for_state("lost", "FATAL");
            observed.note(daemon, "here", daemon.read("p.log"));
            observed.note(daemon, "lost", daemon.read("lost.log"));
            observed.note(daemon, "lives", start_and_end_lines(&daemon.log()).lines().filter(|line| line.contains("lost")).collect::<Vec<_>>().join("\n"));
        });
        refused("umask=999");
    }

    /// The original does not have it.
    nice: "program nice" => {
        only_ours(|| {
            let scene = scene("nice", "command=sh -c 'nice; exec sleep 1000'\nnice=7\nstartsecs=0\nstdout_logfile={dir}/p.log");
            let mut daemon = scene.start(Subject::Ours);
            daemon.wait_for_state("p", "RUNNING");
            wait::until("it says how nice it is", || daemon.read("p.log") == "7\n");
            let text = daemon.read("supervisord.conf").replace("nice=7", "nice=8");
            daemon.write("supervisord.conf", &text);
            let pid = daemon.pid_of("p");
            assert_eq!(daemon.ctl(&["update"]).stdout, "p: stopped\np: updated process group\n");
            wait::until("the other value counts", || daemon.read("p.log") == "7\n8\n");
            assert_ne!(daemon.pid_of("p"), pid);
            assert_eq!(daemon.ctl(&["upgrade"]).stdout, "Upgraded supervisord\n");
            assert_eq!(daemon.ctl(&["update"]).stdout, "", "the next program of the daemon knows the value");
            daemon.write("supervisord.conf", &text.replace("nice=8", "nice=20"));
            let refused = daemon.ctl(&["reread"]);
            assert!(refused.stdout.contains("20 is above upper bound (19)"), "{}", refused.stdout);
        });
    }

    environment: "program environment" "program serverurl" => {
        let dump = |name: &str, options: &str| format!("[program:{name}]\ncommand=env\nautorestart=false\nstartsecs=0\nstdout_logfile={{dir}}/{name}.log\nstderr_logfile=NONE\n{options}\n");
        let text = dump("plain", "")
            + &dump("own", "environment=A=\"a,b=c\",\n  B='%(program_name)s %(process_num)d %(group_name)s',C=x/y.z-w,HOME=/elsewhere,D=%%")
            + &dump("url", "serverurl=http://example.com:1")
            + &dump("auto", "serverurl=auto")
            + &dump("empty", "serverurl=")
            + "[supervisord]\nenvironment=B=base,E=base\n";
        compare(&Scene::with("environment", &text), |daemon, observed| {
            for name in ["plain", "own", "url", "auto", "empty"] {
                daemon.wait_for_state(name, "EXITED");
                let text = daemon.read(&format!("{name}.log"));
                let mut lines: Vec<&str> = text.lines().collect();
                lines.sort();
                observed.note(daemon, name, lines.join("\n"));
            }
        });
        refused("environment=A");
        refused("environment=A=\"open");
        refused("environment=A=%(nope)s");
    }

    stopsignal: "program stopsignal" => {
        let text: String = ["TERM", "HUP", "int", "SIGQUIT", "9", "USR1", "usr2", "12"].iter().map(|signal| {
            format!("[program:by-{signal}]\ncommand=sleep 1000\nstartsecs=0\nstopsignal={signal}\nstdout_logfile=NONE\nstderr_logfile=NONE\n")
        }).collect();
        compare(&Scene::with("stopsignal", &text), |daemon, observed| {
            daemon.wait_until("all are up", |daemon| order(&daemon.log(), "success: ").len() == 8);
            daemon.ctl(&["stop", "all"]);
            let log = daemon.log();
            let mut lines: Vec<&str> = log.lines().filter_map(|line| line.split_once("stopped: ")).map(|(_, what)| what).collect();
            lines.sort();
            observed.exactly("ends", lines.join("\n"));
            observed.note(daemon, "configuration", daemon.call("supervisor.getAllConfigInfo", &[]));
        });
        refused("stopsignal=SIGNOTHING");
        refused("stopsignal=35");
    }

    stopwaitsecs: "program stopwaitsecs" => {
        compare(&scene("stopwaitsecs", "command=sh -c 'trap \"\" TERM; touch ready; while :; do sleep 1; done'\nstartsecs=0\nstopwaitsecs=1\nkillasgroup=true"), |daemon, observed| {
            daemon.wait_for_state("p", "RUNNING");
            daemon.wait_until("it ignores TERM", |daemon| daemon.path("ready").exists());
            observed.note(daemon, "stop", daemon.ctl(&["stop", "p"]).transcript());
            observed.note(daemon, "activity log", daemon.story());
        });
        // Each has a timeout of its own: the longer one has not expired when the other program is killed.
        let deaf = |name: &str, wait: &str| format!("[program:{name}]\ncommand=sh -c 'trap \"\" TERM; touch {name}.ready; while :; do sleep 1; done'\nstartsecs=0\nstopwaitsecs={wait}\nkillasgroup=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n");
        let text = deaf("patient", "600") + &deaf("hasty", "1");
        compare(&Scene::with("stopwaitsecs", &text), |daemon, observed| {
            daemon.wait_until("both ignore TERM", |daemon| daemon.path("patient.ready").exists() && daemon.path("hasty.ready").exists());
            daemon.wait_for_states(&["patient", "hasty"], "RUNNING");
            for name in ["patient", "hasty"] {
                daemon.call("supervisor.stopProcess", &[name.into(), false.into()]);
            }
            daemon.wait_for_state("hasty", "STOPPED");
            observed.exactly("patient", daemon.state_of("patient"));
            daemon.kill_child("patient");
            daemon.wait_for_state("patient", "STOPPED");
        });
        refused("stopwaitsecs=x");
    }

    /// The signal goes to the whole process group or only to its leader.
    groups: "program stopasgroup" "program killasgroup" => {
        // The leader and its child each record the signal they get; the leader exits, its child stays. A shell writes
        // "Terminated" to stderr when the signal has ended its `sleep`; once the daemon has closed the pipes of a dead
        // leader, SIGPIPE would kill the shell there, so the child has a stderr of its own.
        let family = |name: &str, options: &str| format!("[program:{name}]\ncommand=sh {{dir}}/family.sh {name}\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n");
        let stubborn = |name: &str, options: &str| format!("[program:{name}]\ncommand=sh {{dir}}/stubborn.sh {name}\nstartsecs=0\nstopwaitsecs=1\nstdout_logfile=NONE\nstderr_logfile=NONE\n{options}\n");
        let text = family("alone", "") + &family("together", "stopasgroup=true") + &stubborn("leader", "") + &stubborn("all", "killasgroup=true");
        let scene = Scene::with("groups", &text)
            .file("family.sh", "sh -c 'trap \"echo got it >>$1-child.txt; exit\" TERM; touch $1-ready; while :; do sleep 0.1; done' child $1 2>/dev/null &\ntrap 'echo got it >>'$1-leader.txt'; exit' TERM\nwhile :; do sleep 0.1; done\n")
            .file("stubborn.sh", "trap '' TERM\nsh -c 'trap \"\" TERM; echo $$ >$1-child.txt; while :; do sleep 0.1; done' child $1 &\nwhile :; do sleep 0.1; done\n");
        compare(&scene, |daemon, observed| {
            daemon.wait_for_states(&["alone", "together", "leader", "all"], "RUNNING");
            daemon.wait_until("the children listen", |daemon| ["alone-ready", "together-ready"].iter().all(|name| daemon.path(name).exists()));
            let children = ["leader", "all"].map(|name| daemon.wait_for_file(&format!("{name}-child.txt")).trim().parse().unwrap_or(0));
            daemon.ctl(&["stop", "all"]);
            daemon.wait_until("the group was signalled", |daemon| daemon.path("together-child.txt").exists());
            for name in ["alone", "together"] {
                observed.exactly(name, daemon.read(&format!("{name}-leader.txt")));
                observed.exactly("its child", daemon.read(&format!("{name}-child.txt")));
            }
            daemon.wait_until("the group was killed", |_| !crate::harness::processes::alive(children[1]));
            observed.exactly("child of a killed leader lives", crate::harness::processes::alive(children[0]));
        });
        refused("stopasgroup=x");
        refused("killasgroup=x");
        refused("stopasgroup=true\nkillasgroup=false");
    }

    group: "group programs" "group priority" => {
        let program = |name: &str, priority: i32| {
            format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\npriority={priority}\nstdout_logfile=NONE\nstderr_logfile=NONE\n")
        };
        let text = program("a", 20) + &program("b", 10) + &program("c", 5) + &program("single", 50)
            + "[group:late]\nprograms=a, b\npriority=100\n[group:early]\nprograms=c,a\npriority=1\n[group:empty]\n[supervisord]\nloglevel=debug\n";
        compare(&Scene::with("group", &text), |daemon, observed| {
            daemon.wait_until("all are up", |daemon| order(&daemon.log(), "success: ").len() == 5);
            observed.exactly("start order", order(&daemon.log(), "spawned: ").join(" "));
            observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
            observed.note(daemon, "available", daemon.ctl(&["avail"]).transcript());
            observed.note(daemon, "a group", daemon.ctl(&["status", "late:*"]).transcript());
            observed.note(daemon, "an empty group", daemon.ctl(&["status", "empty:*"]).transcript());
            observed.exactly("exit status", daemon.stop());
            observed.exactly("stop order", order(&daemon.log(), "DEBG killing ").join(" "));
        });
        compare_refusal(&Scene::with("group", "[group:g]\nprograms=nobody\n"));
        compare_refusal(&Scene::with("group", "[group:g]\nprograms=\npriority=x\n"));
        compare_refusal(&Scene::with("group", "[group:g h]\nprograms=\n"));
    }

    include: "include files" => {
        let scene = Scene::with("include", "[include]\nfiles = conf.d/*.conf extra/one.conf\n  {dir}/absolute.conf nothing-*.conf %(ENV_HOME)s/more?.conf\n[program:main]\ncommand=sleep 1000\nstartsecs=7\n")
            .file("conf.d/b.conf", "[program:b]\ncommand=echo %(here)s\n")
            .file("conf.d/a.conf", "[program:a]\ncommand=sleep 1000\n[program:main]\nstartsecs=0\n")
            .file("conf.d/.hidden.conf", "[program:hidden]\ncommand=sleep 1000\n")
            .file("extra/one.conf", "[include]\nfiles=never.conf\n[program:one]\ncommand=sleep 1000\n")
            .file("extra/never.conf", "[program:never]\ncommand=sleep 1000\n")
            .file("absolute.conf", "[program:absolute]\ncommand=sleep 1000\n[supervisord]\nidentifier=from-include\n")
            .file("more1.conf", "[program:more]\ncommand=sleep 1000\n");
        compare(&scene, |daemon, observed| {
            daemon.wait_for_state("main", "RUNNING");
            let names: Vec<String> = daemon.call("supervisor.getAllConfigInfo", &[]).items().iter().map(|process| format!("{} {}", process.get("name"), process.get("command"))).collect();
            observed.note(daemon, "programs", names.join("\n"));
            observed.exactly("identifier", daemon.call("supervisor.getIdentification", &[]));
            let log = daemon.log();
            let mut notices: Vec<&str> = log.lines().filter(|line| line.contains("nclude")).collect();
            notices.sort_by_key(|line| &line[24..]);
            observed.note(daemon, "notices", notices.join("\n"));
        });
        compare_refusal(&Scene::with("include", "[include]\n"));
        compare_refusal(&Scene::with("include", "[include]\nfiles=bad.conf\n").file("bad.conf", "[program:x]\nnonsense\n"));
        compare_refusal(&Scene::with("include", "[include]\nfiles=bad.conf\n").file("bad.conf", "[program:x]\ncommand=cat\nstartsecs=x\n"));
        compare_refusal(&Scene::with("include", "[include]\nfiles=%(nope)s\n"));
    }
}

#[test]
fn names_with_separators_are_refused() {
    for name in ["a b", "a:b", "a/b"] {
        compare_refusal(&Scene::with("names", &format!("[program:{name}]\ncommand=cat\n")));
    }
}

/// Patterns have the meaning of Python's `glob.glob`, including odd and random ones.
#[test]
fn include_patterns_find_the_same_files() {
    const FILES: [&str; 16] = [
        "d/a.conf",
        "d/va.conf",
        "d/vvb.conf",
        "d/.hidden.conf",
        "d/sub/b.conf",
        "d/sub/deep/c.conf",
        "d/.dots/h.conf",
        "d/[x].conf",
        "d/!x",
        "d/-",
        "d/a-b",
        "d/\\a",
        "d/^",
        "d/\u{e9}",
        "flat/one.conf",
        "flat/two.ini",
    ];
    const PATTERNS: [&str; 22] = [
        "d/**/*.conf",
        "flat/**",
        "d/v**.conf",
        "d/***.conf",
        "d/.*.conf",
        "d/.*",
        "d/.*/*",
        "**/*.conf",
        "d/**",
        "**",
        "d/*/",
        "d//*.conf",
        "*//sub//*",
        "d/sub/../a*",
        "./d/a*",
        "d/./v*",
        "d/[[]x].conf",
        "d/?",
        "{dir}//d/a*",
        "d/[!a-z]",
        "d/[b-a]",
        "{dir}/d/a.conf/",
    ];
    const PIECES: [&str; 19] = [
        "a", "b", "v", "x", ".conf", ".", "*", "**", "?", "[a-v]", "[", "]", "[!", "!", "-", "^", "\\", "sub", "\u{e9}",
    ];
    let mut random = Random::new(20);
    let mut component = || (0..=random.below(5)).map(|_| *random.pick(&PIECES)).collect::<String>();
    let mut patterns: Vec<String> = PATTERNS.map(str::to_owned).into();
    patterns.extend((0..400).map(|_| format!("d/{}", component())));
    patterns.extend((0..200).map(|_| format!("{}/{}", component(), component())));
    let include = format!("[include]\nfiles={}\n", patterns.join("\n  "));
    let scene = FILES.into_iter().fold(Scene::with("patterns", &include), |scene, file| scene.file(file, ""));
    compare(&scene, |daemon, observed| {
        daemon.wait_for_log("supervisord started with pid");
        let log = daemon.log();
        let notices: Vec<&str> = log.lines().filter(|line| line.contains("nclude")).collect();
        assert!(notices.iter().filter(|notice| notice.contains("Included")).count() > 200, "{log}");
        observed.note(daemon, "notices", notices.join("\n"));
    });
}
