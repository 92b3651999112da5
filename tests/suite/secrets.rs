//! Secrets: variables whose values are looked up at the start of a program and are kept nowhere. The original has none.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::harness::{Daemon, Scene, Subject, only_ours, processes};

/// The options these tests are about.
pub const PINNED: &[&str] = &["program secret.name", "program secret_files"];

const VALUE: &str = "correct-horse-battery";

const SHOW: &str = "#!/bin/sh\necho \"$DB_PASSWORD $Key\" > seen.new\nmv seen.new seen\nexec sleep 1000\n";

const PROGRAM: &str = "[program:p]\ncommand=./show\nstartsecs=0\nstartretries=0\nenvironment=Key=\"mine\"\n\
    secret.DB_PASSWORD=file:{dir}/db\nsecret.Key=credential:key\n";

/// Everything that a process has open and can be read: files in memory, the state, logs.
fn open_files(pid: i32) -> Vec<(String, Vec<u8>)> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let files = descriptors.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    files.filter_map(|path| Some((format!("{:?}", fs::read_link(&path)), fs::read(&path).ok()?))).collect()
}

/// That the value is nowhere but in the environment of the program, and where it is written.
fn assert_kept_nowhere(daemon: &Daemon) {
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for pid in [Some(daemon.pid()), daemon.keeper()].into_iter().flatten() {
        texts.extend(open_files(pid));
    }
    assert!(
        texts.iter().any(|(_, content)| String::from_utf8_lossy(content).contains("DB_PASSWORD")),
        "the state is looked at"
    );
    for name in daemon.names().into_iter().filter(|name| !["db", "key", "seen"].contains(&name.as_str())) {
        texts.push((name.clone(), daemon.read(&name).into_bytes()));
    }
    for method in ["supervisor.getAllProcessInfo", "supervisor.getAllConfigInfo"] {
        texts.push((method.to_owned(), daemon.answer(method, &[]).into_bytes()));
    }
    for arguments in
        [&["status", "--json"][..], &["why", "p"], &["update", "--plan"], &["reread", "--json"], &["events", "--json"]]
    {
        texts.push((format!("{arguments:?}"), daemon.ctl(arguments).stdout.into_bytes()));
    }
    for (name, content) in texts {
        assert!(!String::from_utf8_lossy(&content).contains(VALUE), "{name} has the secret");
    }
}

#[test]
fn a_secret_is_in_the_environment_of_the_program_and_nowhere_else() {
    only_ours(|| {
        let scene = Scene::with("secrets", PROGRAM).script("show", SHOW).env("CREDENTIALS_DIRECTORY", "{dir}");
        let mut daemon = scene.file("db", &format!("{VALUE}\n")).file("key", VALUE).start(Subject::Ours);
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.wait_for_file("seen"), format!("{VALUE} {VALUE}\n"));
        assert_kept_nowhere(&daemon);
        daemon.ctl(&["upgrade"]);
        daemon.wait_for_log("upgrade");
        daemon.wait_for_state("p", "RUNNING");
        assert_kept_nowhere(&daemon);
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "RUNNING");
        assert_kept_nowhere(&daemon);
        daemon.write("db", "changed");
        daemon.ctl(&["restart", "p"]);
        daemon.wait_until("the secret is read again", |daemon| daemon.read("seen") == format!("changed {VALUE}\n"));
    });
}

/// Two secrets that commands tell, the second of which takes as long as there is a file that holds it.
const TOLD: &str = "[program:p]\ncommand=./show\nstartsecs=0\nstartretries=0\nstdout_logfile={dir}/p.log\nredirect_stderr=true\n\
    secret.DB_PASSWORD=exec:cat db\nsecret.Key=exec:./slow\ndirectory={dir}\n";

const SLOW: &str = "#!/bin/sh\necho begun >> times\ncat key\nwhile test -e hold; do sleep 0.02; done\n";

#[test]
fn a_secret_of_a_command_is_in_the_environment_of_the_program_and_nowhere_else() {
    only_ours(|| {
        let scene = Scene::with("told-secrets", TOLD).script("show", SHOW).script("slow", SLOW).file("hold", "");
        let mut daemon = scene.file("db", &format!("{VALUE}\n")).file("key", VALUE).start(Subject::Ours);
        daemon.wait_for_file("times");
        assert_kept_nowhere(&daemon);
        daemon.ctl(&["upgrade"]);
        daemon.wait_for_log("upgrade");
        assert_eq!(daemon.state_of("p"), "STARTING");
        assert_eq!(daemon.info("p").get("description").text(), "running command of secret Key");
        daemon.crash();
        daemon.start_again();
        // Clients are answered once the state has been taken over; the pid file is there before.
        daemon.wait_for_state("p", "STARTING");
        assert_kept_nowhere(&daemon);
        fs::remove_file(daemon.path("hold")).expect("it is there");
        // What the first command had told was lost with its daemon, which is no failed start.
        assert_eq!(daemon.wait_for_file("seen"), format!("{VALUE} {VALUE}\n"));
        daemon.wait_for_state("p", "RUNNING");
        assert_eq!(daemon.read("times"), "begun\nbegun\n");
        assert_kept_nowhere(&daemon);
        daemon.write("slow", "#!/bin/sh\ncat key\necho sealed >&2\nexit 4\n");
        daemon.ctl(&["restart", "p"]);
        daemon.wait_for_state("p", "FATAL");
        let why = daemon.ctl(&["why", "p"]).stdout;
        assert!(why.contains("command of secret Key failed (exit status 4; what it wrote to stderr is in "), "{why}");
        assert!(!why.contains("sealed") && daemon.read("p.log").contains("sealed"), "{why}");
        assert_kept_nowhere(&daemon);
    });
}

const FILES: &str = "[program:p]\ncommand=./show\nstartsecs=0\nstartretries=0\nstdout_logfile={dir}/p.log\n\
    secret_files=true\nsecret.DB_PASSWORD=file:{dir}/db\nsecret.Key=exec:cat {dir}/key\npost_start=./tell\n";

/// Tells where its secrets are and what they look like, and reads them.
const SHOW_FILES: &str = "#!/bin/sh\ncd \"$CREDENTIALS_DIRECTORY\" || exit 1\nexec >\"$OLDPWD/seen.new\"\n\
    echo \"$DB_PASSWORD $Key\"\nstat -c '%a %U' . DB_PASSWORD Key\ncat DB_PASSWORD Key\n\
    mv \"$OLDPWD/seen.new\" \"$OLDPWD/seen\"\npwd > \"$OLDPWD/where\"\ncd \"$OLDPWD\"\nexec sleep 1000\n";

const SEEN: &str = "#!/bin/sh\ncat \"$CREDENTIALS_DIRECTORY/Key\" > hook.new\nmv hook.new hook\n";

fn with_files(options: &str) -> Scene {
    let scene =
        Scene::with("secret-files", &format!("{FILES}{options}")).script("show", SHOW_FILES).script("tell", SEEN);
    scene.file("db", &format!("{VALUE}\n")).file("key", VALUE)
}

/// The directory of the program that has been started since this was asked last.
fn directory(daemon: &mut Daemon) -> PathBuf {
    let path = PathBuf::from(daemon.wait_for_file("where").trim());
    fs::remove_file(daemon.path("where")).expect("it is there");
    path
}

#[test]
fn secrets_are_files_that_end_with_the_program() {
    only_ours(|| {
        let mut daemon = with_files("").start(Subject::Ours);
        let first = directory(&mut daemon);
        let me = nix::unistd::User::from_uid(geteuid()).ok().flatten().map_or_else(String::new, |user| user.name);
        let expected = format!(" \n700 {me}\n400 {me}\n400 {me}\n{VALUE}{VALUE}");
        assert_eq!(daemon.read("seen"), expected);
        assert_eq!(daemon.wait_for_file("hook"), VALUE, "the hooks of a program that runs find them, too");
        assert!(["/run/", "/dev/shm/", "/tmp/"].iter().any(|place| first.starts_with(place)), "{}", first.display());
        daemon.ctl(&["restart", "p"]);
        let second = directory(&mut daemon);
        assert!(second != first && !first.exists() && second.exists());
        daemon.ctl(&["upgrade"]);
        daemon.wait_for_log("upgrade");
        daemon.wait_for_state("p", "RUNNING");
        assert!(second.exists());
        daemon.crash();
        daemon.start_again();
        daemon.wait_for_state("p", "RUNNING");
        assert!(second.join("DB_PASSWORD").exists(), "a program that goes on keeps its files");
        daemon.kill_child("p");
        let third = directory(&mut daemon);
        daemon.wait_until("the files of the one that was killed are removed", |_| !second.exists());
        let pid = daemon.pid_of("p");
        daemon.crash();
        processes::signal(pid, Signal::SIGKILL);
        daemon.start_again();
        let fourth = directory(&mut daemon);
        assert!(fourth != third && !third.exists(), "what nobody needs any more is removed by the next daemon");
        assert_eq!(daemon.stop(), 0);
        assert!(!fourth.exists() && !fourth.parent().expect("a home").exists(), "nothing is left");
    });
}

#[test]
fn files_of_secrets_belong_to_the_user_of_the_program() {
    if !geteuid().is_root() {
        return eprintln!("left out, because only root may change users");
    }
    only_ours(|| {
        let scene = with_files("user=nobody\n").open_to_all().shell("chmod 777 .; chmod 644 key");
        let mut daemon = scene.start(Subject::Ours);
        let path = directory(&mut daemon);
        assert!(daemon.read("seen").starts_with(" \n700 nobody\n400 nobody\n400 nobody\n"), "{}", daemon.read("seen"));
        daemon.ctl(&["stop", "p"]);
        assert!(!path.exists());
    });
}

#[test]
fn a_secret_that_cannot_be_read_is_a_failed_start_that_says_which() {
    only_ours(|| {
        let program =
            PROGRAM.replace("secret.Key=credential:key\n", "").replace("startsecs", "autostart=false\nstartsecs");
        let mut daemon = Scene::with("no-secret", &program).script("show", SHOW).start(Subject::Ours);
        daemon.wait_for_state("p", "STOPPED");
        assert_eq!(daemon.ctl(&["start", "p"]).stdout, "p: ERROR (spawn error)\n");
        let why = daemon.ctl(&["why", "p"]).stdout;
        assert!(why.contains("secret DB_PASSWORD of 'p': ") && why.contains("No such file or directory"), "{why}");
        let wrong = daemon.read("supervisord.conf").replace("=file:", "=").replace("{dir}", "");
        daemon.write("supervisord.conf", &wrong);
        let said = daemon.ctl(&["reread"]).stdout;
        assert!(
            said.contains(
                "secret.DB_PASSWORD=***: expected file:PATH, credential:NAME or exec:COMMAND; the value itself does not"
            ),
            "{said}"
        );
    });
}
