//! The sample configuration.
//!
//! Scripts edit it with `sed` and `crudini`, so every line of the original's sample that sets something, or would when it is
//! switched on, is here as it is there, blanks included. The options that the original's sample lacks follow in each section
//! with a value from the option table, from which the explanations are, too.

use std::fmt::Write as _;

use crate::schema::{OptionSpec, SectionKind as S, TABLE};

const INTRODUCTION: &str = "\
; Sample supervisor config file. Adapt it to what you want to run.
;
; - Lines that start with a semicolon and a letter or bracket are switched off: take the semicolon away to use them.
; - What follows a blank and a semicolon is a comment: \"a=b ; comment\". Quotes do not
;   prevent that. In \"a=b;c\" the value is \"b;c\".
; - A longer value goes on in the next line when that line is indented.
; - %(ENV_NAME)s stands for the environment variable NAME, %(here)s for the directory of this file. A percent sign
;   itself is written %%, and %%%% in the names of child logs.
; - No shell reads the values: \"~\" and \"*\" mean something only where it is said, and variables are not $NAME.
; - The sockets and files below are in /tmp, which some systems clean up. For real use, choose a directory of your own.
";

/// A section of the sample.
struct Block {
    kind: S,
    header: &'static str,
    /// The width to which a line is filled up before its comment.
    column: usize,
    /// Those of the original, or an example where the original has no such section.
    lines: &'static [&'static str],
}

#[rustfmt::skip]
const BLOCKS: [Block; 14] = [
    Block { kind: S::UnixHttpServer, header: "[unix_http_server]", column: 27, lines: &[
        "file=/tmp/supervisor.sock",
        ";chmod=0700",
        ";chown=nobody:nogroup",
        ";username=user",
        ";password=123",
    ] },
    Block { kind: S::InetHttpServer, header: ";[inet_http_server]         ; switched off unless you need it", column: 27, lines: &[
        ";port=127.0.0.1:9001",
        ";username=user",
        ";password=123",
    ] },
    Block { kind: S::User, header: ";[user:theusername]", column: 27, lines: &[] },
    Block { kind: S::Supervisord, header: "[supervisord]", column: 28, lines: &[
        "logfile=/tmp/supervisord.log",
        "logfile_maxbytes=50MB",
        "logfile_backups=10",
        "loglevel=info",
        "pidfile=/tmp/supervisord.pid",
        "nodaemon=false",
        "silent=false",
        "minfds=1024",
        "minprocs=200",
        ";umask=022",
        ";user=supervisord",
        ";identifier=supervisor",
        ";directory=/tmp",
        ";nocleanup=true",
        ";childlogdir=/tmp",
        ";environment=KEY=\"value\"",
        ";strip_ansi=false",
    ] },
    Block { kind: S::RpcInterface, header: "[rpcinterface:supervisor]", column: 0, lines: &[
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ] },
    Block { kind: S::Supervisorctl, header: "[supervisorctl]", column: 28, lines: &[
        "serverurl=unix:///tmp/supervisor.sock",
        ";serverurl=http://127.0.0.1:9001",
        ";username=chris",
        ";password=123",
        ";prompt=mysupervisor",
        ";history_file=~/.sc_history",
    ] },
    Block { kind: S::CtlPlugin, header: ";[ctlplugin:thepluginname]", column: 30, lines: &[
        ";supervisor.ctl_factory=a.b:c",
    ] },
    Block { kind: S::Program, header: ";[program:theprogramname]", column: 30, lines: &[
        ";command=/bin/cat",
        ";process_name=%(program_name)s",
        ";numprocs=1",
        ";directory=/tmp",
        ";umask=022",
        ";priority=999",
        ";autostart=true",
        ";startsecs=1",
        ";startretries=3",
        ";autorestart=unexpected",
        ";exitcodes=0",
        ";stopsignal=QUIT",
        ";stopwaitsecs=10",
        ";stopasgroup=false",
        ";killasgroup=false",
        ";user=chrism",
        ";redirect_stderr=true",
        ";stdout_logfile=/a/path",
        ";stdout_logfile_maxbytes=1MB",
        ";stdout_logfile_backups=10",
        ";stdout_capture_maxbytes=1MB",
        ";stdout_events_enabled=false",
        ";stdout_syslog=false",
        ";stderr_logfile=/a/path",
        ";stderr_logfile_maxbytes=1MB",
        ";stderr_logfile_backups=10",
        ";stderr_capture_maxbytes=1MB",
        ";stderr_events_enabled=false",
        ";stderr_syslog=false",
        ";environment=A=\"1\",B=\"2\"",
        ";serverurl=AUTO",
    ] },
    Block { kind: S::FcgiProgram, header: ";[fcgi-program:thefastcginame]", column: 30, lines: &[
        ";command=/usr/bin/cgi-program",
        ";socket=unix:///var/run/%(program_name)s.sock",
        ";socket_backlog=128",
        ";socket_owner=nobody",
        ";socket_mode=0700",
    ] },
    Block { kind: S::EventListener, header: ";[eventlistener:theeventlistenername]", column: 30, lines: &[
        ";command=/bin/eventlistener",
        ";process_name=%(program_name)s",
        ";numprocs=1",
        ";events=EVENT",
        ";buffer_size=10",
        ";directory=/tmp",
        ";umask=022",
        ";priority=-1",
        ";autostart=true",
        ";startsecs=1",
        ";startretries=3",
        ";autorestart=unexpected",
        ";exitcodes=0",
        ";stopsignal=QUIT",
        ";stopwaitsecs=10",
        ";stopasgroup=false",
        ";killasgroup=false",
        ";user=chrism",
        ";redirect_stderr=false",
        ";stdout_logfile=/a/path",
        ";stdout_logfile_maxbytes=1MB",
        ";stdout_logfile_backups=10",
        ";stdout_events_enabled=false",
        ";stdout_syslog=false",
        ";stderr_logfile=/a/path",
        ";stderr_logfile_maxbytes=1MB",
        ";stderr_logfile_backups=10",
        ";stderr_events_enabled=false",
        ";stderr_syslog=false",
        ";environment=A=\"1\",B=\"2\"",
        ";serverurl=AUTO",
        ";result_handler=supervisor.dispatchers:default_handler",
    ] },
    Block { kind: S::ProgramDefault, header: ";[program-default]", column: 30, lines: &[
        ";stopwaitsecs=10",
    ] },
    Block { kind: S::Template, header: ";[template:thetemplatename]", column: 30, lines: &[
        ";autorestart=unexpected",
    ] },
    Block { kind: S::Group, header: ";[group:thegroupname]", column: 30, lines: &[
        ";programs=progname1,progname2",
        ";priority=999",
    ] },
    Block { kind: S::Include, header: ";[include]", column: 0, lines: &[
        ";files = relative/directory/*.ini",
    ] },
];

impl Block {
    /// The lines of the original, then one, switched off, for each option of this kind of section that is not among them.
    fn all_lines(&self) -> impl Iterator<Item = String> {
        let is_there = |row: &OptionSpec| self.lines.iter().any(|line| option(line) == row.name);
        let own = TABLE.iter().filter(|row| row.section == self.kind);
        let others = own.filter(move |row| !is_there(row)).map(|row| format!(";{}={}", row.name, row.shown()));
        self.lines.iter().map(|line| (*line).to_owned()).chain(others)
    }

    /// A line with its comment, if the section has comments: scripts may expect that nothing follows.
    fn line(&self, line: &str) -> String {
        match self.kind.option(option(line)) {
            Some(row) if self.column > 0 => format!("{line:<width$} ; {}", row.help, width = self.column),
            _ => line.to_owned(),
        }
    }
}

/// The name of the option that a line sets, or would when it is switched on.
fn option(line: &str) -> &str {
    line.trim_start_matches(';').split('=').next().unwrap_or_default().trim()
}

/// The whole sample, ending in a line feed. It is itself a configuration that can be used.
pub fn text() -> String {
    let mut text = String::from(INTRODUCTION);
    for block in &BLOCKS {
        text.push('\n');
        for line in block.kind.describe().lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "; {line}");
        }
        let _ = writeln!(text, "{}", block.header);
        for line in block.all_lines() {
            let _ = writeln!(text, "{}", block.line(&line));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::ini::Ini;
    use crate::model::ServerAddress;
    use crate::{CommandLineFlags, client, load};

    fn host(text: &str) -> FakeHost {
        let mut host = FakeHost::new().file("/conf/supervisord.conf", text);
        host.directories.insert("/var/run".to_owned());
        host
    }

    /// With everything that is switched off switched on.
    fn switched_on() -> String {
        let on = |line: &str| match line.strip_prefix(';') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        };
        text().lines().map(|line| on(line) + "\n").collect()
    }

    #[test]
    fn the_sample_is_a_working_configuration() {
        let config = load("supervisord.conf", &CommandLineFlags::default(), &host(&text())).unwrap();
        assert_eq!(config.notices, []);
        let ServerAddress::Unix { path, .. } = &config.servers[0].address else { panic!("{:?}", config.servers) };
        let client = client::load("supervisord.conf", &host(&text())).unwrap();
        assert_eq!(client.serverurl, format!("unix://{path}"));
        assert_eq!(config.rpc_interfaces[0].name, "supervisor");
    }

    /// What stands for something of one's own has to be replaced, as in the original; and what is written in place of
    /// something else cannot stand beside it.
    #[test]
    fn everything_in_it_can_be_switched_on() {
        let is_instead = |line: &&str| TABLE.iter().any(|row| !row.in_place_of.is_empty() && option(line) == row.name);
        let lines = switched_on();
        let mut text: String = lines.lines().filter(|line| !is_instead(line)).map(|line| format!("{line}\n")).collect();
        for (example, real) in [
            ("chrism", "nobody"),
            ("/a/path", "/tmp/path"),
            ("progname1,progname2", "theprogramname"),
            ("db, migrate:exited_ok", "theeventlistenername"),
        ] {
            assert!(text.contains(example), "{example}");
            text = text.replace(example, real);
        }
        let certificate = "-----BEGIN CERTIFICATE-----";
        let host = host(&text)
            .file("/conf/relative/directory/a.ini", "")
            .file("/tmp/server.crt", certificate)
            .file("/tmp/server.key", "-----BEGIN PRIVATE KEY-----")
            .file("/tmp/clients.crt", certificate);
        let config = load("supervisord.conf", &CommandLineFlags::default(), &host).unwrap();
        let unknown: Vec<_> = config.notices.iter().filter(|notice| notice.text.contains("nknown")).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(config.groups.len(), 3);
        client::load("supervisord.conf", &host).unwrap();
    }

    #[test]
    fn every_option_is_in_it() {
        let mut ini = Ini::default();
        ini.read("sample", switched_on().as_bytes()).unwrap();
        for row in TABLE {
            let section = ini.sections().find(|section| S::of(section.name()) == Some(row.section)).unwrap();
            assert!(ini.get(section.name(), row.name).is_some(), "{} of [{}]", row.name, section.name());
        }
    }

    #[test]
    fn every_line_with_a_comment_explains_its_option() {
        for block in BLOCKS.iter().filter(|block| block.column > 0) {
            for line in &block.all_lines().collect::<Vec<_>>() {
                assert!(block.line(line).starts_with(line.as_str()) && block.line(line).contains(" ; "), "{line}");
            }
        }
    }
}
