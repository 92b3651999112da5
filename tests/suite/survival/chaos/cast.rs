//! The programs of the chaos, and what each kind promises.

use std::collections::BTreeSet;

use crate::harness::{Scene, scene};

/// Writes numbered lines to both its outputs, now and then more than a pipe holds, and a last line when it is asked to
/// end. It ends by itself when it can write no more.
const CHATTY: &str = r#"#!/usr/bin/perl
my ($asked, @number) = (0, 0, 0);
$SIG{TERM} = sub { $asked = 1 };
sub put {
    my ($stream, $text) = @_;
    while (length $text) {
        my $written = syswrite($stream, $text);
        if (defined $written) { substr($text, 0, $written) = '' } elsif (!$!{EINTR}) { exit 9 }
    }
}
until ($asked) {
    for my $stream (0, 1) {
        my $burst = rand() < 0.003 ? 20000 : 1 + int(rand(8));
        put($stream ? *STDERR : *STDOUT, join('', map { ++$number[$stream] . "\n" } 1 .. $burst));
    }
    select(undef, undef, undef, rand(0.1));
}
put(*STDOUT, "end\n");
put(*STDERR, "end\n");
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

/// Writes down the data of the events it hears.
const EAR: &str = r#"#!/usr/bin/perl
while (1) {
    syswrite(STDOUT, "READY\n");
    my ($head, $body) = ('', '');
    while ($head !~ /\n/) { sysread(STDIN, $head, 1, length $head) or exit 1 }
    my ($length) = $head =~ /len:(\d+)/;
    while (length $body < $length) { sysread(STDIN, $body, $length - length $body, length $body) or exit 1 }
    my ($data) = $body =~ /\n(.*)/s;
    open(my $heard, '>>', 'state/heard') or die;
    syswrite($heard, "$data\n");
    close($heard);
    syswrite(STDOUT, "RESULT 2\nOK");
}
"#;

/// Answers each connection with its process id.
const GATE: &str = "#!/usr/bin/perl\nwhile (accept(my $peer, STDIN)) { syswrite($peer, $$); close($peer) }\n";

/// How many there are of each kind.
pub struct Cast {
    pub quiet: Vec<String>,
    pub chatty: Vec<String>,
    /// Chatty ones whose logs rotate.
    pub rotating: Vec<String>,
    pub crashing: Vec<String>,
    /// Their log is what they get on their stdin.
    pub echoes: Vec<String>,
    pub ears: Vec<String>,
    /// Two FastCGI groups, one at a unix socket, one at a port.
    pub gates: [Vec<String>; 2],
}

impl Cast {
    /// This many programs altogether, of all kinds.
    pub fn new(count: usize) -> Cast {
        let names = |kind: &str, share: usize| {
            (0..(count * share / 100).max(1)).map(|number| format!("{kind}{number:03}")).collect::<Vec<_>>()
        };
        let mut cast = Cast {
            quiet: Vec::new(),
            chatty: names("chatty", 25),
            rotating: names("rotating", 10),
            crashing: names("crashing", 20),
            echoes: names("echo", 10),
            ears: names("ear", 5),
            gates: [names("gate", 5), names("port", 5)],
        };
        let others = cast.all().len();
        cast.quiet = (others..count).map(|number| format!("quiet{:03}", number - others)).collect();
        cast
    }

    /// All names.
    pub fn all(&self) -> Vec<&String> {
        let crashing = self.crashing.iter();
        self.steady().into_iter().chain(crashing).collect()
    }

    /// Those that never end by themselves.
    pub fn steady(&self) -> Vec<&String> {
        let kinds = [&self.quiet, &self.chatty, &self.rotating, &self.echoes, &self.ears];
        kinds.into_iter().chain(&self.gates).flatten().collect()
    }

    /// The files and the configuration.
    pub fn scene(&self) -> Scene {
        let section = |kind: &str, prefix: &str, names: &[String], rest: &str| {
            format!(
                "[{kind}:{prefix}]\nprocess_name={prefix}%(process_num)03d\nnumprocs={}\nstartsecs=0\n{rest}\n",
                names.len()
            )
        };
        let logs = "stdout_logfile={dir}/logs/%(program_name)s%(process_num)03d.out\nstderr_logfile={dir}/logs/%(program_name)s%(process_num)03d.err\n";
        let endless = "stdout_logfile_maxbytes=0\nstderr_logfile_maxbytes=0\n";
        let short = "stdout_logfile_maxbytes=50KB\nstderr_logfile_maxbytes=50KB\n\
             stdout_logfile_backups=1000\nstderr_logfile_backups=1000\n";
        let silent = "stdout_logfile=NONE\nstderr_logfile=NONE\n";
        let parts = [
            section("program", "quiet", &self.quiet, "command=sleep 100000\n"),
            section("program", "chatty", &self.chatty, &format!("command={{dir}}/chatty\n{logs}{endless}")),
            section("program", "rotating", &self.rotating, &format!("command={{dir}}/chatty\n{logs}{short}")),
            section(
                "program",
                "crashing",
                &self.crashing,
                &format!(
                    "command={{dir}}/crashing %(program_name)s%(process_num)03d\nautorestart=true\nstartretries=1000000\n{logs}{endless}"
                ),
            ),
            section("program", "echo", &self.echoes, &format!("command=cat\n{logs}{endless}")),
            section(
                "eventlistener",
                "ear",
                &self.ears,
                "command={dir}/ear\nevents=REMOTE_COMMUNICATION\nbuffer_size=100000\nstderr_logfile=NONE\n",
            ),
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
        Scene::with("chaos", &format!("[supervisord]\nminfds=4096\n{}", parts.concat()))
            .file("state/heard", "")
            .file("logs/.keep", "")
            .script("chatty", CHATTY)
            .script("crashing", CRASHING)
            .script("ear", EAR)
            .script("gate", GATE)
    }
}

/// The group of a process: its name without the number.
pub fn group(name: &str) -> &str {
    name.trim_end_matches(|digit: char| digit.is_ascii_digit())
}

/// Processes of the scene that carry a name of the cast and lead a process group: the programs themselves.
pub fn leaders(daemon: &crate::harness::Daemon) -> Vec<(String, i32)> {
    use crate::harness::processes;
    let mark = format!("{}={}", scene::MARK, daemon.dir().display());
    let own: BTreeSet<i32> = processes::with_environment(&mark).into_iter().collect();
    let named = |pid: i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let name = environment.split('\0').find_map(|pair| pair.strip_prefix("SUPERVISOR_PROCESS_NAME="))?;
        processes::process(pid).filter(|process| process.group == pid && process.state != 'Z')?;
        Some((name.to_owned(), pid))
    };
    own.into_iter().filter_map(named).collect()
}
