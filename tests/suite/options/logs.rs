//! The log options of a program, for both channels.

use crate::harness::needs::Power;
use crate::harness::redact::{redact, replace_shape};
use crate::harness::{Daemon, Observed, Scene, compare, compare_refusal};

/// A program that writes to both channels and ends.
const TALKER: &str =
    "[program:p]\ncommand=sh -c 'echo out; echo err >&2; sleep 0.2; echo more'\nstartsecs=0\nautorestart=false\n";

fn talker(name: &str, options: &str) -> Scene {
    Scene::with(name, &format!("{TALKER}{options}\n"))
}

/// Writes 400 numbered lines of 64 bytes to one channel, in small pieces.
fn flood(channel: &str, options: &str) -> Scene {
    let (redirect, other) = if channel == "stdout" { ("", "stderr") } else { (" >&2", "stdout") };
    let text = format!(
        "[program:p]\ncommand=sh -c 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); printf \"%%063d\\n\" $i{redirect}; done; sleep 0.2'\n\
        startsecs=0\nautorestart=false\n{other}_logfile=NONE\n{channel}_logfile={{dir}}/p.log\n{options}\n"
    );
    Scene::with("rotation", &text)
}

/// The numbers in the given logs, oldest log first.
fn numbers(daemon: &Daemon, logs: &[&str]) -> Vec<u32> {
    let text: String = logs.iter().map(|log| daemon.read(log)).collect();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Writes every datagram to `/dev/log` as one line.
const COLLECT: &str = "import socket, sys
sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sink.bind('/dev/log')
open(sys.argv[1] + '.ready', 'w').close()
with open(sys.argv[1], 'ab') as messages:
    while True:
        messages.write(sink.recv(65536).rstrip(b'\\0\\n') + b'\\n')
        messages.flush()
";

/// Starts the daemon in a mount namespace whose `/dev` holds little more than the collector's socket.
const PRIVATE_DEV: &str = "exec unshare -m sh -c '
mount -t tmpfs none /mnt
for device in null zero urandom random; do touch /mnt/$device; mount --bind /dev/$device /mnt/$device; done
mount --bind /mnt /dev
python3 {dir}/collect.py {dir}/messages &
while [ ! -e {dir}/messages.ready ]; do sleep 0.05; done
exec \"$@\"' sh \"$@\"";

/// Runs a test for both channels, which must behave the same.
fn for_both_channels(test: impl Fn(&str)) {
    test("stdout");
    test("stderr");
}

fn events_of(daemon: &Daemon, kind: &str) -> Vec<serde_json::Value> {
    let record = daemon.read("events.json");
    let events = record.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events.filter(|event| event["header"]["eventname"].as_str().is_some_and(|name| name.starts_with(kind))).collect()
}

fn with_listener(scene: Scene) -> Scene {
    scene.file("listener.py", include_str!("../fixtures/listener.py"))
}

const LISTENER: &str = "[eventlistener:record]\ncommand=python3 {dir}/listener.py {dir}/events.json\nevents=PROCESS_LOG,PROCESS_COMMUNICATION\n\
    buffer_size=100\nstartsecs=0\nstdout_logfile=NONE\nstderr_logfile={dir}/listener.err\n";

fn note_events(daemon: &Daemon, observed: &mut Observed, kind: &str) {
    for event in events_of(daemon, kind) {
        let name = event["header"]["eventname"].as_str().unwrap_or_default().to_owned();
        observed.note(daemon, &name, event["payload"].as_str().unwrap_or_default());
    }
}

pins! {
    files: "program stdout_logfile" "program stderr_logfile" => {
        for options in [
            "stdout_logfile={dir}/%(program_name)s.out\nstderr_logfile=%(here)s/%%%%.err",
            "stdout_logfile=NONE\nstderr_logfile=off",
            "stdout_logfile=\nstderr_logfile=None",
            "stdout_logfile=auto\nstderr_logfile=AUTO",
            "stdout_logfile=AUTO\nstdout_logfile_maxbytes=0\nstderr_logfile={dir}/p.err",
        ] {
            compare(&talker("files", options), |daemon, observed| {
                daemon.wait_for_state("p", "EXITED");
                observed.note(daemon, "info", daemon.info("p").get("stdout_logfile"));
                observed.note(daemon, "info", daemon.info("p").get("stderr_logfile"));
                let names = daemon.names();
                observed.note(daemon, "files", names.iter().map(|name| redact(daemon, name)).collect::<Vec<_>>().join("\n"));
                for name in names.iter().filter(|name| name.starts_with('p') || name.starts_with('%')) {
                    observed.exactly("content", daemon.read(name));
                }
                observed.note(daemon, "over the wire", daemon.ctl(&["tail", "p"]).transcript());
                observed.note(daemon, "over the wire", daemon.ctl(&["tail", "p", "stderr"]).transcript());
                observed.note(daemon, "warnings", daemon.log().lines().filter(|line| line.contains(" WARN ")).collect::<Vec<_>>().join("\n"));
            });
        }
        compare_refusal(&talker("files", "stdout_logfile={dir}/nowhere/p.log"));
        compare_refusal(&talker("files", "stderr_logfile={dir}/nowhere/p.log"));
        compare_refusal(&talker("files", "stdout_logfile={dir}/%%d.log"));
    }

    redirect: "program redirect_stderr" => {
        for options in ["redirect_stderr=true", "redirect_stderr=true\nstderr_logfile={dir}/p.err"] {
            compare(&talker("redirect", &format!("stdout_logfile={{dir}}/p.log\n{options}")), |daemon, observed| {
                daemon.wait_for_state("p", "EXITED");
                observed.exactly("log", daemon.read("p.log"));
                observed.exactly("files", daemon.names().join(" "));
                observed.note(daemon, "info", daemon.info("p").get("stderr_logfile"));
                observed.note(daemon, "warnings", daemon.log().lines().filter(|line| line.contains(" WARN ")).collect::<Vec<_>>().join("\n"));
            });
        }
        compare_refusal(&talker("redirect", "redirect_stderr=maybe"));
    }

    /// A daemon reads pieces of any size, so only what does not depend on that is compared.
    rotation: "program stdout_logfile_maxbytes" "program stdout_logfile_backups"
        "program stderr_logfile_maxbytes" "program stderr_logfile_backups" =>
    {
        for_both_channels(|channel| {
            let options = format!("{channel}_logfile_maxbytes=1KB\n{channel}_logfile_backups=60");
            compare(&flood(channel, &options), |daemon, observed| {
                daemon.wait_for_state("p", "EXITED");
                let mut rotated: Vec<String> = (1..=60).rev().map(|number| format!("p.log.{number}")).collect();
                rotated.retain(|name| daemon.path(name).exists());
                assert!(!rotated.is_empty(), "it was rotated\n{}", daemon.report());
                for name in &rotated {
                    assert!(daemon.read(name).len() >= 1024, "{name} is rotated when it is full, not before");
                }
                rotated.push("p.log".to_owned());
                let logs: Vec<&str> = rotated.iter().map(String::as_str).collect();
                assert!(daemon.path("p.log").exists());
                observed.exactly("all lines in order", format!("{:?}", numbers(daemon, &logs)));
            });
            let options = format!("{channel}_logfile_maxbytes=1KB\n{channel}_logfile_backups=0");
            compare(&flood(channel, &options), |daemon, observed| {
                daemon.wait_for_state("p", "EXITED");
                observed.exactly("files", daemon.names().join(" "));
                observed.exactly("below the limit", daemon.read("p.log").len() < 1024);
            });
            let options = format!("{channel}_logfile_maxbytes=0\n{channel}_logfile_backups=3");
            compare(&flood(channel, &options), |daemon, observed| {
                daemon.wait_for_state("p", "EXITED");
                observed.exactly("files", daemon.names().join(" "));
                observed.exactly("size", daemon.read("p.log").len());
            });
            compare_refusal(&flood(channel, &format!("{channel}_logfile_maxbytes=1TB")));
            compare_refusal(&flood(channel, &format!("{channel}_logfile_backups=many")));
        });
    }

    /// Output between the tokens becomes an event and is not logged.
    capture: "program stdout_capture_maxbytes" "program stderr_capture_maxbytes" => {
        for_both_channels(|channel| {
            let redirect = if channel == "stdout" { "" } else { " >&2" };
            let program = format!(
                "[program:p]\ncommand=sh {{dir}}/p.sh\nstartsecs=0\nautorestart=false\nautostart=false\nstdout_logfile={{dir}}/p.stdout\nstderr_logfile={{dir}}/p.stderr\n{channel}_capture_maxbytes=1MB\n"
            );
            let script = format!(
                "exec 3>&1{}\nprintf 'before this long enough line\\n<!--XSUPER' >&3\nsleep 0.2\nprintf 'VISOR:BEGIN-->inside\\nand\\nmore<!--XSUPERVISOR:END-->after it all comes another line that is long enough\\n' >&3\nsleep 0.3\n",
                if redirect.is_empty() { "" } else { " 3>&2" }
            );
            let scene = with_listener(Scene::with("capture", &format!("{LISTENER}{program}"))).file("p.sh", &script);
            compare(&scene, |daemon, observed| {
                daemon.wait_for_state("record", "RUNNING");
                daemon.ctl(&["start", "p"]);
                daemon.wait_for_state("p", "EXITED");
                daemon.wait_until("the event arrives", |daemon| !events_of(daemon, "PROCESS_COMMUNICATION").is_empty());
                note_events(daemon, observed, "PROCESS_COMMUNICATION");
                // The original loses the text that it holds back when the child ends.
                let log = daemon.read(&format!("p.{channel}"));
                assert!(log.starts_with("before this long enough line\nafter it all comes"), "{log:?}");
                assert!(!log.contains("inside"), "{log:?}");
            });
            compare_refusal(&talker("capture", &format!("{channel}_capture_maxbytes=x")));
        });
    }

    events: "program stdout_events_enabled" "program stderr_events_enabled" => {
        for_both_channels(|channel| {
            let options = format!("autostart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n{channel}_events_enabled=true\n");
            let scene = with_listener(Scene::with("events", &format!("{LISTENER}{TALKER}{options}")));
            compare(&scene, |daemon, observed| {
                daemon.wait_for_state("record", "RUNNING");
                daemon.ctl(&["start", "p"]);
                daemon.wait_for_state("p", "EXITED");
                let count = if channel == "stdout" { 2 } else { 1 };
                daemon.wait_until("the events arrive", |daemon| events_of(daemon, "PROCESS_LOG").len() >= count);
                note_events(daemon, observed, "PROCESS_LOG");
            });
            compare_refusal(&talker("events", &format!("{channel}_events_enabled=x")));
        });
    }

    /// Uses a private `/dev` with a system log of the test; without the privilege for that, only the configuration is
    /// compared.
    syslog: "program stdout_syslog" "program stderr_syslog" => {
        let options = "stdout_syslog=true\nstderr_syslog=yes\nstdout_logfile=NONE\nstderr_logfile=NONE\n\
            [program:q]\ncommand=echo deprecated\nautostart=false\nstartsecs=0\nstdout_logfile=syslog\nstderr_logfile=Syslog\n";
        let scene = talker("syslog", options).file("collect.py", COLLECT);
        let private = Power::Mount.is_there_for("what is sent to the system log");
        let scene = if private { scene.shell(PRIVATE_DEV) } else { scene };
        compare(&scene, |daemon, observed| {
            daemon.wait_for_state("p", "EXITED");
            daemon.ctl(&["start", "q"]);
            observed.note(daemon, "configuration", daemon.call("supervisor.getAllConfigInfo", &[]));
            observed.note(daemon, "warnings", daemon.log().lines().filter(|line| line.contains(" WARN ")).collect::<Vec<_>>().join("\n"));
            observed.note(daemon, "tail", daemon.ctl(&["tail", "p"]).transcript());
            if private {
                daemon.wait_until("all was sent", |daemon| daemon.read("messages").lines().count() == 4);
                let messages = daemon.read("messages");
                // Days of one digit have a space before them.
                let messages = replace_shape(&messages, "Aaa  9 99:99:99", "time");
                let mut messages: Vec<String> = messages.lines().map(|line| replace_shape(line, "Aaa 99 99:99:99", "time")).collect();
                messages.sort();
                observed.exactly("messages", messages.join("\n"));
            }
        });
        compare_refusal(&talker("syslog", "stdout_syslog=x"));
        compare_refusal(&talker("syslog", "stderr_syslog=x"));
    }
}
