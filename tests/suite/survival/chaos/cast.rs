//! The programs of the chaos, and what each kind promises.

use std::collections::BTreeSet;

use super::hooks;
use super::services::Services;
use super::volume::{self, Volume};
use crate::harness::needs::Power;
use crate::harness::{Daemon, Scene, Subject, processes, scene, subject::Program};

/// Writes numbered lines `PID.NUMBER~PID.NUMBER` to both its outputs, now and then more than a pipe holds (with `little`:
/// never more than is written in one piece), and a last line when it is asked to end. It ends by itself when it can write
/// no more. With `coloured`, each line is in a colour; with `telling`, sections for the capture stand between the lines of
/// its stdout, which it notes down first.
const CHATTY: &str = r#"#!/usr/bin/perl
my %is = map { $_ => 1 } @ARGV;
my ($asked, $told, @number) = (0, 0, 0, 0);
$SIG{TERM} = sub { $asked = 1 };
sub put {
    my ($stream, $text) = @_;
    while (length $text) {
        my $written = syswrite($stream, $text);
        if (defined $written) { substr($text, 0, $written) = '' } elsif (!$!{EINTR}) { exit 9 }
    }
}
sub tell_it {
    $told++;
    open(my $note, '>>', 'state/told') or die;
    syswrite($note, "told $$.$told\n");
    put(*STDOUT, "<!--XSUPERVISOR:BEGIN-->told $$.$told<!--XSUPERVISOR:END-->");
}
until ($asked) {
    for my $stream (0, 1) {
        my $burst = rand() < 0.003 ? ($is{little} ? 100 : 20000) : 1 + int(rand(8));
        my @lines = map { $number[$stream]++; "$$.$number[$stream]~$$.$number[$stream]" } 1 .. $burst;
        @lines = map { "\e[31m$_\e[0m" } @lines if $is{coloured};
        put($stream ? *STDERR : *STDOUT, join('', map { "$_\n" } @lines));
    }
    tell_it() if $is{telling} && rand() < 0.05;
    select(undef, undef, undef, rand(0.1));
}
put(*STDOUT, "end\n");
put(*STDERR, "end\n");
"#;

/// Appends numbered lines to the logs of others.
const APPENDER: &str = r#"#!/usr/bin/perl
my $number = 0;
while (1) {
    $number++;
    for my $log (@ARGV) {
        open(my $file, '>>', $log) or die;
        syswrite($file, "foreign $$.$number~$$.$number\n");
    }
    select(undef, undef, undef, rand(0.02));
}
"#;

/// Says a few lines `PID NUMBER` and a last one `PID end`, notes down how it is going to end, and ends.
const CRASHING: &str = r#"#!/usr/bin/perl
my $name = shift;
for (1 .. int(rand(30))) {
    syswrite(STDOUT, "$$ $_\n");
    select(undef, undef, undef, rand(0.1));
}
my $code = int(rand(120));
my $end = $code < 20 ? 'terminated by SIGKILL' : "exit status $code";
syswrite(STDOUT, "$$ end\n");
open(my $ends, '>>', "state/$name") or die;
syswrite($ends, "$$ $end\n");
kill('KILL', $$) if $code < 20;
exit $code;
"#;

/// Leaves a process behind that goes on writing to the same output, until nobody reads it.
const LEAVING: &str = r#"#!/usr/bin/perl
defined(my $left = fork()) or die;
if (!$left) {
    while (1) { syswrite(STDOUT, "left $$\n"); select(undef, undef, undef, 0.05) }
}
select(undef, undef, undef, 0.3 + rand());
"#;

/// Notes down that it has been here, says so, and ends at once.
const BRIEF: &str = r#"#!/usr/bin/perl
$SIG{TERM} = 'IGNORE';
open(my $note, '>>', 'state/brief') or die;
syswrite($note, "$$\n");
syswrite(STDOUT, "$$\n");
"#;

/// Writes down the data of the events it hears; with `deaf` it does not.
const EAR: &str = r#"#!/usr/bin/perl
my $deaf = @ARGV;
while (1) {
    syswrite(STDOUT, "READY\n");
    my ($head, $body) = ('', '');
    while ($head !~ /\n/) { sysread(STDIN, $head, 1, length $head) or exit 1 }
    my ($length) = $head =~ /len:(\d+)/;
    while (length $body < $length) { sysread(STDIN, $body, $length - length $body, length $body) or exit 1 }
    if (!$deaf) {
        my ($data) = $body =~ /\n(.*)/s;
        open(my $heard, '>>', 'state/heard') or die;
        syswrite($heard, "$data\n");
        close($heard);
    }
    syswrite(STDOUT, "RESULT 2\nOK");
}
"#;

/// Answers each connection with its process id.
const GATE: &str = "#!/usr/bin/perl\nwhile (accept(my $peer, STDIN)) { syswrite($peer, $$); close($peer) }\n";

/// Tells, after a while, what [`READY`] is to find in its environment.
const TELL: &str = r#"#!/usr/bin/perl
select(undef, undef, undef, rand(0.1));
print "TOLD=$ENV{SUPERVISOR_PROCESS_NAME}\n";
"#;

/// Says that it is ready after a while, lives a little longer, and ends.
const READY: &str = r#"#!/usr/bin/perl
my $name = $ENV{SUPERVISOR_PROCESS_NAME};
open(my $note, '>>', "state/$name") or die;
syswrite($note, "run $$\n");
select(undef, undef, undef, rand(0.1));
my $has_all = $ENV{TOLD} eq $name && -s "$ENV{CREDENTIALS_DIRECTORY}/WORD";
$has_all or open(my $lack, '>', "lack-$name") && die;
open(my $ready, '>&=3') or die;
syswrite($ready, "\n");
close($ready);
select(undef, undef, undef, 0.1 + rand(0.5));
"#;

/// Notes down that it asks, and finds that the program is not well.
const CHECK: &str = r#"#!/usr/bin/perl
open(my $note, '>>', "state/$ENV{SUPERVISOR_PROCESS_NAME}") or die;
syswrite($note, "asked\n");
exit 1;
"#;

/// What the logs of the programs are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// Of all kinds.
    Mixed,
    /// Escape sequences are taken out of all of them.
    Stripped,
}

/// The names of each kind.
pub struct Cast {
    logs: Logs,
    pub quiet: Vec<String>,
    pub chatty: Vec<String>,
    /// Chatty ones of another user.
    pub others: Vec<String>,
    /// Chatty ones to whose logs somebody else appends.
    pub shared: Vec<String>,
    pub appenders: Vec<String>,
    /// Chatty ones whose logs rotate.
    pub rotating: Vec<String>,
    /// Chatty ones whose stdout has sections that are captured.
    pub telling: Vec<String>,
    /// Chatty ones whose output is sent to listeners.
    pub watched: Vec<String>,
    /// Chatty ones whose lines are forwarded, too.
    pub forwarded: Vec<String>,
    /// Chatty ones whose logs are on a volume that is full now and then.
    pub spilling: Vec<String>,
    /// Chatty ones in colours.
    pub coloured: Vec<String>,
    pub crashing: Vec<String>,
    pub leaving: Vec<String>,
    /// They run when somebody starts them.
    pub brief: Vec<String>,
    /// Their log is what they get on their stdin.
    pub echoes: Vec<String>,
    pub ears: Vec<String>,
    /// They have all hooks, and end again and again.
    pub hooked: Vec<String>,
    /// They say when they are ready, and end again and again.
    pub ready: Vec<String>,
    /// Their health is asked for, and never good.
    pub checked: Vec<String>,
    /// Disabled and enabled again and again.
    pub benched: Vec<String>,
    /// Two FastCGI groups, one at a unix socket, one at a port.
    pub gates: [Vec<String>; 2],
}

impl Cast {
    /// This many programs altogether, of all kinds that can have such logs.
    pub fn new(count: usize, logs: Logs) -> Cast {
        let names = |kind: &str, share: usize| {
            let some = if share == 0 { 0 } else { (count * share / 100).max(1) };
            (0..some).map(|number| format!("{kind}{number:03}")).collect::<Vec<_>>()
        };
        let exact = |share: usize| if logs == Logs::Mixed { share } else { 0 };
        let may_change_user = Power::ChangeUser.is_there_for("programs of other users in the chaos");
        let may_mount = Power::Mount.is_there_for("a full volume in the chaos");
        let mut cast = Cast {
            logs,
            quiet: Vec::new(),
            chatty: names("chatty", exact(10)),
            others: names("other", exact(if may_change_user { 6 } else { 0 })),
            shared: names("shared", exact(6)),
            appenders: names("appender", exact(1)),
            rotating: names("rotating", exact(8)),
            telling: names("telling", exact(6)),
            watched: names("watched", exact(6)),
            forwarded: names("forwarded", exact(4)),
            spilling: names("spilling", exact(if may_mount { 4 } else { 0 })),
            coloured: names("coloured", 30 - exact(30)),
            crashing: names("crashing", exact(10)),
            leaving: names("leaving", 6),
            brief: names("brief", exact(4)),
            echoes: names("echo", exact(6)),
            ears: names("ear", 4),
            hooked: names("hooked", exact(4)),
            ready: names("ready", exact(3)),
            checked: names("checked", exact(2)),
            benched: names("benched", exact(2)),
            gates: [names("gate", 4), names("port", 4)],
        };
        let others = cast.all().len();
        cast.quiet = (others..count).map(|number| format!("quiet{:03}", number - others)).collect();
        cast
    }

    /// All names.
    pub fn all(&self) -> Vec<&String> {
        let unsteady = [&self.crashing, &self.leaving, &self.brief, &self.hooked, &self.ready, &self.benched];
        self.steady().into_iter().chain(unsteady.into_iter().flatten()).collect()
    }

    /// Those that never end by themselves.
    pub fn steady(&self) -> Vec<&String> {
        let chatty = [&self.chatty, &self.others, &self.shared, &self.rotating, &self.telling, &self.watched];
        let kinds = [&self.quiet, &self.appenders, &self.coloured, &self.echoes, &self.ears, &self.checked];
        let chatty = chatty.into_iter().chain([&self.forwarded, &self.spilling]);
        chatty.chain(kinds).chain(&self.gates).flatten().collect()
    }

    /// The logs of chatty programs, apart from those that rotate or are on the volume.
    pub fn endless_logs(&self) -> Vec<String> {
        let chatty = [&self.chatty, &self.others, &self.shared, &self.telling, &self.watched, &self.coloured];
        chatty.into_iter().chain([&self.forwarded]).flatten().flat_map(|name| both_logs(name)).collect()
    }

    /// The names of the logs whose lines are forwarded.
    pub fn forwarded_logs(&self) -> Vec<String> {
        self.forwarded.iter().flat_map(|name| both_ends(name)).collect()
    }

    /// The names of the logs on the volume.
    pub fn spilled_logs(&self) -> Vec<String> {
        self.spilling.iter().flat_map(|name| both_ends(name)).collect()
    }

    /// The files and the configuration.
    pub fn scene(&self) -> Scene {
        let section = |kind: &str, prefix: &str, names: &[String], rest: &str| match names.len() {
            0 => String::new(),
            count => format!(
                "[{kind}:{prefix}]\nprocess_name={prefix}%(process_num)03d\nnumprocs={count}\nstartsecs=0\n{rest}\n"
            ),
        };
        let logs = "stdout_logfile={dir}/logs/%(program_name)s%(process_num)03d.out\nstderr_logfile={dir}/logs/%(program_name)s%(process_num)03d.err\n";
        let endless = format!("{logs}stdout_logfile_maxbytes=0\nstderr_logfile_maxbytes=0\n");
        let short = format!(
            "{logs}stdout_logfile_maxbytes=50KB\nstderr_logfile_maxbytes=50KB\n\
             stdout_logfile_backups=1000\nstderr_logfile_backups=1000\n"
        );
        let silent = "stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let foreign: Vec<String> = self.shared.iter().flat_map(|name| both_logs(name)).collect();
        let program = |prefix: &str, names: &[String], rest: String| section("program", prefix, names, &rest);
        let chatty = |how: &str, more: &str, logs: &str| {
            // None is killed in the middle of a line, however slow the machine is.
            format!("command={{dir}}/chatty {how}\nstopwaitsecs=300\n{more}\n{logs}")
        };
        let restless = "autorestart=true\nstartretries=1000000";
        let strip = match self.logs {
            Logs::Mixed => "",
            Logs::Stripped => "strip_ansi=true\n",
        };
        let parts = [
            format!("[supervisord]\nminfds=4096\n{strip}"),
            program("quiet", &self.quiet, "command=sleep 100000\n".to_owned()),
            program("chatty", &self.chatty, chatty("", "", &endless)),
            program("other", &self.others, chatty("", "user=nobody", &endless)),
            program("shared", &self.shared, chatty("little", "", &endless)),
            program("appender", &self.appenders, format!("command={{dir}}/appender {}\n{silent}", foreign.join(" "))),
            program("rotating", &self.rotating, chatty("", "", &short)),
            program("telling", &self.telling, chatty("telling", "stdout_capture_maxbytes=1MB", &endless)),
            program(
                "watched",
                &self.watched,
                chatty("", "stdout_events_enabled=true\nstderr_events_enabled=true", &endless),
            ),
            program(
                "forwarded",
                &self.forwarded,
                chatty(
                    "little",
                    &format!(
                        "stdout_log_forward=unix://{{dir}}/{}\nstderr_log_forward=tcp://127.0.0.1:{{port2}}",
                        Services::SOCKET
                    ),
                    &endless,
                ),
            ),
            program(
                "spilling",
                &self.spilling,
                chatty(
                    "little",
                    "log_when_blocked=spill:64MB",
                    &endless.replace("/logs/", &format!("/{}/", Volume::NAME)),
                ),
            ),
            program("coloured", &self.coloured, chatty("coloured", "", &endless)),
            program(
                "crashing",
                &self.crashing,
                format!(
                    "command={{dir}}/crashing %(program_name)s%(process_num)03d\n{restless}\n{endless}\n\
                     restart_delay=100ms\nrestart_jitter=1"
                ),
            ),
            program("leaving", &self.leaving, format!("command={{dir}}/leaving\n{restless}\n{endless}")),
            program(
                "brief",
                &self.brief,
                format!("command={{dir}}/brief\nautostart=false\nautorestart=false\n{endless}"),
            ),
            program(
                "hooked",
                &self.hooked,
                format!(
                    "command={{dir}}/hooked\nautorestart=true\nstartretries=1000\npre_start={{dir}}/hook pre_start\n\
                     post_start={{dir}}/hook post_start\npre_stop={{dir}}/hook pre_stop\npost_stop={{dir}}/hook post_stop\n\
                     {silent}"
                ),
            ),
            program(
                "ready",
                &self.ready,
                format!(
                    "command={{dir}}/ready\nautorestart=true\nstartretries=0\nready_when=fd:3\nenv_command={{dir}}/tell\nsecret_files=true\nsecret.WORD=file:{{dir}}/tell\n{silent}"
                ),
            ),
            program(
                "checked",
                &self.checked,
                format!(
                    "command=sleep 100000\nhealthcheck=exec:{{dir}}/check\nhealthcheck_interval=1s\n\
                     healthcheck_retries=1000000\n{silent}"
                ),
            ),
            program("benched", &self.benched, format!("command=sleep 100000\nautorestart=true\n{silent}")),
            program("echo", &self.echoes, format!("command=cat\n{endless}")),
            section(
                "eventlistener",
                "ear",
                &self.ears,
                "command={dir}/ear\nevents=REMOTE_COMMUNICATION,PROCESS_COMMUNICATION\nbuffer_size=100000\nstderr_logfile=NONE\n",
            ),
            "[program:elastic]\ncommand=sleep 100000\nprocess_name=elastic%(process_num)03d\nnumprocs=2\nstartsecs=0\n\
             autorestart=true\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
                .to_owned(),
            "[eventlistener:deaf]\ncommand={dir}/ear deaf\nevents=PROCESS_LOG,PROCESS_STATE\nbuffer_size=1000000\n\
             startsecs=0\nstderr_logfile=NONE\n"
                .to_owned(),
            section(
                "fcgi-program",
                "gate",
                &self.gates[0],
                &format!("command={{dir}}/gate\nsocket=unix://{{dir}}/gate.sock\n{silent}"),
            ),
            section(
                "fcgi-program",
                "port",
                &self.gates[1],
                &format!("command={{dir}}/gate\nsocket=tcp://127.0.0.1:{{port}}\n{silent}"),
            ),
        ];
        let scene = Scene::with("chaos", &parts.concat())
            .file("state/heard", "")
            .file("state/told", "")
            .file("state/brief", "")
            .file("logs/.keep", "")
            .script("chatty", CHATTY)
            .script("appender", APPENDER)
            .script("crashing", CRASHING)
            .script("leaving", LEAVING)
            .script("brief", BRIEF)
            .script("hook", hooks::HOOK)
            .script("hooked", hooks::HOOKED)
            .script("ready", READY)
            .script("tell", TELL)
            .script("check", CHECK)
            .script("ear", EAR)
            .script("gate", GATE);
        let program = Subject::Ours.path(Program::Supervisord);
        let enter = if self.spilling.is_empty() { "" } else { volume::ENTER };
        let powerless = format!("#!/bin/sh\nexec {enter}{}'{}' \"$@\"\n", without_power(), program.display());
        scene.script("powerless", &powerless).shell("shift; set -- {dir}/powerless \"$@\"")
    }
}

/// What has the daemon run without what lets one process look into others, as in a container.
fn without_power() -> &'static str {
    match Power::ForgoTracing.is_there_for("a daemon without CAP_SYS_PTRACE in the chaos") {
        true => "setpriv --bounding-set=-sys_ptrace ",
        false => "",
    }
}

/// The logs of a program, below the directory of the scene.
fn both_logs(name: &str) -> [String; 2] {
    both_ends(name).map(|log| format!("logs/{log}"))
}

/// Their names.
fn both_ends(name: &str) -> [String; 2] {
    [format!("{name}.out"), format!("{name}.err")]
}

/// The group of a process: its name without the number.
pub fn group(name: &str) -> &str {
    name.trim_end_matches(|digit: char| digit.is_ascii_digit())
}

/// Everything the scene has started and that lives.
pub fn living(daemon: &Daemon) -> BTreeSet<i32> {
    let mark = format!("{}={}", scene::MARK, daemon.dir().display());
    processes::with_environment(&mark).into_iter().collect()
}

/// A process that carries a name of the cast.
#[derive(Debug)]
pub struct Player {
    pub name: String,
    pub pid: i32,
    /// The program itself, and not something that it has started.
    pub is_leader: bool,
    /// Stopped by a signal.
    pub is_stopped: bool,
}

/// The processes of the scene that carry a name of the cast.
pub fn players(daemon: &Daemon) -> Vec<Player> {
    let named = |pid: i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let name = environment.split('\0').find_map(|pair| pair.strip_prefix("SUPERVISOR_PROCESS_NAME="))?;
        let process = processes::process(pid).filter(|process| process.state != 'Z')?;
        let (is_leader, is_stopped) = (process.group == pid, matches!(process.state, 'T' | 't'));
        Some(Player { name: name.to_owned(), pid, is_leader, is_stopped })
    };
    living(daemon).into_iter().filter_map(named).collect()
}
