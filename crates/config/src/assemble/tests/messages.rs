//! What messages about mistakes say besides the original's words.

use super::{FakeHost, host, notices, read, try_read};
use crate::command_line::CommandLineFlags;
use crate::schema::{Kind, OptionSpec, SectionKind, TABLE};
use crate::{client, load};

/// The whole message about a file that cannot be used.
fn whole(text: &str) -> String {
    try_read(text).unwrap_err().to_string()
}

/// A section of a kind, complete but for one option.
fn section_without(kind: SectionKind, option: &str) -> (String, String) {
    let header = match kind {
        SectionKind::Supervisord | SectionKind::Supervisorctl | SectionKind::ProgramDefault | SectionKind::Include => {
            kind.word().to_owned()
        }
        _ => format!("{}:p", kind.word()),
    };
    let needed: &[(&str, &str)] = match kind {
        SectionKind::UnixHttpServer => &[("file", "/tmp/s"), ("username", "u"), ("password", "p")],
        SectionKind::InetHttpServer => &[("port", "1"), ("username", "u"), ("password", "p")],
        SectionKind::Program => &[("command", "c")],
        SectionKind::FcgiProgram => &[("command", "c"), ("socket", "unix:///tmp/f")],
        SectionKind::EventListener => &[("command", "c"), ("events", "EVENT")],
        _ => &[],
    };
    let lines = needed.iter().filter(|(name, _)| *name != option).map(|(name, value)| format!("{name}={value}\n"));
    let companion = kind.option(option).and_then(|row| kind.option(row.only_with.first()?));
    let companion = companion.map(|row| format!("{}={}\n", row.name, row.shown()));
    (header, lines.chain(companion).collect())
}

/// The message about an option with this value, and how it should name the place.
fn message_about(row: &OptionSpec, value: &str) -> (String, String) {
    let (header, others) = section_without(row.section, row.name);
    let first = if row.section == SectionKind::Supervisord { "" } else { "[supervisord]\n" };
    let text = format!("{first}[{header}]\n{}={value}\n{others}", row.name);
    let line = first.lines().count() + 2;
    let shown = if row.is_secret() { "***" } else { value };
    let is_of_the_client = matches!(row.section, SectionKind::Supervisorctl | SectionKind::CtlPlugin);
    let error = match is_of_the_client {
        true => client::load("c.conf", &host(&format!("{text}[supervisorctl]\n"))).err(),
        false => try_read(&text).err(),
    };
    let error = error.unwrap_or_else(|| panic!("{text} is taken"));
    (error.to_string(), format!(" (c.conf:{line}, [{header}] {}={shown}", row.name))
}

#[test]
fn every_option_of_the_table_says_where_a_percent_sign_is_the_trouble() {
    // Dates have percent signs of their own.
    for row in TABLE.iter().filter(|row| row.kind != Kind::DateFormat) {
        let (message, place) = message_about(row, "100%x");
        assert!(message.contains(&place), "{message:?} lacks {place:?}");
        assert!(message.contains("write %% for a percent sign"), "{message}");
        assert!(!row.is_secret() || !message.contains("100%x"), "{message} shows a secret");
    }
}

#[test]
fn every_option_of_the_table_says_where_its_value_is_bad_and_what_is_expected() {
    for row in TABLE {
        let bad = match row.kind {
            Kind::Integer
            | Kind::Count
            | Kind::Boolean
            | Kind::Octal
            | Kind::LogLevel
            | Kind::Signal
            | Kind::Signals => "??",
            Kind::StopSteps => "??",
            Kind::ByteSize
            | Kind::ExitCodes
            | Kind::AutoRestart
            | Kind::ProgramType
            | Kind::ExitWhen
            | Kind::UpdateMode
            | Kind::WhenBlocked
            | Kind::ActivityFormat
            | Kind::InetAddress => "??",
            Kind::Fraction | Kind::Duration | Kind::Backoff | Kind::RestartLimit | Kind::StopScope => "??",
            Kind::LogFormat | Kind::ForwardTargets | Kind::SyslogFacility | Kind::SyslogSeverity => "??",
            Kind::RecycleAfter | Kind::RotateWhen | Kind::DateFormat | Kind::LogCompression | Kind::DiskReserve => "??",
            Kind::PasswordHash | Kind::TokenHash | Kind::UserRole => "??",
            Kind::ProgramPatterns => "web:",
            Kind::UserId | Kind::GroupId => "no-such-user",
            Kind::Environment => "KEY",
            Kind::Tags => "a b",
            Kind::Secret => "hunter2",
            Kind::EnvironmentFiles => "a,,b",
            Kind::Command => "/bin/echo 'never closed",
            Kind::Dependencies => "a,,b",
            Kind::OnDependencyFailure | Kind::ReadyWhen | Kind::Probe | Kind::OnUnhealthy => "??",
            Kind::Name => "a b",
            Kind::User | Kind::Owner => "no-such-user",
            Kind::Directory => "/no/such",
            Kind::File | Kind::ActivityLog | Kind::ChildLog => "/no/such/file",
            Kind::Socket | Kind::PythonName => "what:",
            // Any text will do, or the check is another one.
            Kind::Text | Kind::Password | Kind::Names | Kind::Events | Kind::Url | Kind::UrlOrAuto | Kind::Patterns => {
                continue;
            }
        };
        let is_of_the_client = matches!(row.section, SectionKind::Supervisorctl | SectionKind::CtlPlugin);
        if is_of_the_client && row.kind == Kind::File {
            continue;
        }
        let (message, place) = message_about(row, bad);
        assert!(message.contains(&place), "{message:?} lacks {place:?}");
        assert!(message.contains(&format!(": expected {}", row.expected().unwrap())), "{message}");
    }
}

#[test]
fn messages_say_what_to_write() {
    for (lines, expected) in [
        (
            "stopwaitsecs=30s",
            "invalid literal for int() with base 10: '30s' in section 'program:a' (file: 'c.conf') (c.conf:4, [program:a] \
             stopwaitsecs=30s: expected a whole number; write 30)",
        ),
        ("startsecs=5 min", "; write 300)"),
        ("startsecs=", "(c.conf:4, [program:a] startsecs=: expected a whole number)"),
        ("stdout_logfile_maxbytes=10M", "; write 10MB)"),
        ("exitcodes=300", "exitcodes=300: expected exit statuses from 0 to 255, separated by commas)"),
        ("process_name=a b", "expected a name without blanks, colons and slashes; write _ or - in its place)"),
        ("process_name=a:b", "; leave out the colon; a [group:NAME] section puts the name of a group before it)"),
        ("process_name=", "; write at least one letter or digit)"),
        ("[group:g]\nprograms=a,", "programs=a,: a name is missing before or behind a comma; remove the comma)"),
        (
            "[program:a:b]\ncommand=c",
            "[program:a:b]: leave out the colon; a [group:NAME] section puts the name of a group before it)",
        ),
        (
            "[eventlistener:l]\ncommand=c\nevents=TICK_5\nbuffer_size=0",
            "buffer_size=0: expected a whole number of at least 1)",
        ),
        ("[inet_http_server]\nport=1\nusername=x", "username=x: write password as well, or remove username)"),
        ("[inet_http_server]\nport=1\npassword=x", "password=***: write username as well, or remove password)"),
        ("ready_when=fd:2", "write a number from 3 to 255: 0, 1 and 2 are stdin, stdout and stderr)"),
        (
            "ready_timeout=5s",
            "(c.conf:4, [program:a] ready_timeout=5s: write ready_when as well, or remove ready_timeout)",
        ),
        (
            "healthcheck_interval=5s",
            "healthcheck_interval means nothing without healthcheck in section 'program:a' (file: 'c.conf') (c.conf:4, \
             [program:a] healthcheck_interval=5s: write healthcheck as well, or remove healthcheck_interval)",
        ),
        ("healthcheck=8080", "; write tcp:127.0.0.1:8080)"),
        (
            "healthcheck=https://x/",
            "; write http://, or a command such as exec:curl -fsS -o /dev/null and the https:// address)",
        ),
        ("healthcheck=tcp:a:1\non_unhealthy=restrat", "; did you mean restart?)"),
        (
            "healthcheck=tcp:a:1\nhealthcheck_interval=0",
            "(c.conf:5, [program:a] healthcheck_interval=0: expected seconds, or a number with ms, s, min, h or d)",
        ),
        ("stopsignal=TREM", "; did you mean TERM?)"),
        ("reload_signal=HPU", "expected a signal name or number; did you mean HUP?)"),
        ("reload_signal=HUP\nreload_command=/bin/r", "/bin/r: remove reload_command or reload_signal)"),
        ("stopsignal=TERM,TREM", "; did you mean TERM?)"),
        ("stop_sequence=TERM:5mins, KILL", "steps, separated by commas; write 5min)"),
        (
            "max_runtime=6h\nrecycle_after=6h±20min",
            "recycle_after may be as late as 380min, but max_runtime is 6h at c.conf:4 in section 'program:a' (file: 'c.conf') \
             (c.conf:5, [program:a] recycle_after=6h±20min: make recycle_after shorter than max_runtime, or remove one of them)",
        ),
        ("recycle_after=1h\nmax_runtime=1h", "make recycle_after shorter than max_runtime, or remove one of them)"),
        (
            "stopsignal=INT\nstop_sequence=TERM, KILL",
            "stop_sequence is written in place of stopsignal, which is written as well at c.conf:4 in section 'program:a' \
             (file: 'c.conf') (c.conf:5, [program:a] stop_sequence=TERM, KILL: remove stop_sequence or stopsignal)",
        ),
        ("autorestart=unexpcted", "; did you mean unexpected?)"),
        ("type=one-shot", "expected simple or oneshot; did you mean oneshot?)"),
        (
            "type=oneshot\nautorestart=true",
            "a one-shot is not started again when it has done its work, as autorestart=true demands in section 'program:a' \
             (file: 'c.conf') (c.conf:5, [program:a] autorestart=true: remove autorestart, or write autorestart=false for a \
             one-shot that is not tried again either)",
        ),
        (
            "type=oneshot\nready_when=notify",
            "ready_when means nothing for a one-shot, which is ready when it has ended in section 'program:a' (file: 'c.conf') \
             (c.conf:5, [program:a] ready_when=notify: remove ready_when, or the type of the program)",
        ),
        (
            "[eventlistener:e]\ncommand=c\nevents=TICK_5\ntype=oneshot",
            "type=oneshot: remove this line, or write a [program:x] section)",
        ),
        ("autostart=ture", "; did you mean true?)"),
        (
            "restart_delay=5mins",
            "not a valid duration: '5mins' in section 'program:a' (file: 'c.conf') (c.conf:4, [program:a] restart_delay=5mins: \
             expected seconds, or a number with ms, s, min, h or d; write 5min)",
        ),
        (
            "restartpause=soon",
            "(c.conf:4, [program:a] restart_delay=soon: expected seconds, or a number with ms, s, min, h or d)",
        ),
        (
            "fatal_retry=250ms",
            "(c.conf:4, [program:a] fatal_retry=250ms: expected seconds, or a number with ms, s, min, h or d)",
        ),
        ("restart_backoff=linaer", "; did you mean linear?)"),
        ("restart_jitter=20%%", "; write 0.2)"),
        ("restart_limit=5", "; write 5/60s)"),
        ("[eventlistener:e]\ncommand=c\nevents=PROCES_STATE", "events=PROCES_STATE: did you mean PROCESS_STATE?)"),
        ("directory=%(heer)s", "%(heer)s: did you mean here?)"),
        ("stdout_logfile=/tmp/50%%.log", "write %%%% for a percent sign, because this option is expanded twice)"),
        ("numprocs=2", "numprocs=2: write process_name=%(program_name)s_%(process_num)02d)"),
        ("[program:b]", "(c.conf:4, [program:b] command is not set)"),
        ("[program:web]\ncommand=c\n[group:g]\nprograms=wbe", "(c.conf:7, [group:g] programs=wbe: did you mean web?)"),
        ("nonsense", "(c.conf:4: write NAME=VALUE, or indent what continues the value above)"),
    ] {
        let message = whole(&format!("[supervisord]\n[program:a]\ncommand=c\n{lines}\n"));
        assert!(message.ends_with(expected), "{lines}: {message}");
    }
    let message = whole("[supervisrod]\nlogfile=x\n");
    assert!(
        message.ends_with("supervisord section (c.conf:1, [supervisrod]: did you mean [supervisord]?)"),
        "{message}"
    );
    let message = whole("[program:a]\n");
    assert!(message.ends_with("supervisord section (c.conf: add a line [supervisord])"), "{message}");
    let message = load("/tmp", &CommandLineFlags::default(), &FakeHost::new()).unwrap_err().to_string();
    assert_eq!(message, "could not read config file /tmp (/tmp: Is a directory)");
}

#[test]
fn an_option_that_is_missing_may_be_misspelt() {
    for (lines, expected) in [
        ("[program:a]\ncomand=c", "[program:a] command is not set: line 3 has comand: did you mean command?)"),
        ("[eventlistener:e]\ncommand=c\nevent=EVENT", "events is not set: line 4 has event: did you mean events?)"),
        ("[eventlistener:e]\nevents=EVENT\ncmmand=c", "command is not set: line 4 has cmmand: did you mean command?)"),
        (
            "[fcgi-program:f]\ncommand=c\nsokcet=unix:///s",
            "socket is not set: line 4 has sokcet: did you mean socket?)",
        ),
        ("[unix_http_server]\nfle=/s", "file is not set: line 3 has fle: did you mean file?)"),
        ("[inet_http_server]\nprt=1", "port is not set: line 3 has prt: did you mean port?)"),
        (
            "[unix_http_server]\nfile=/s\nusername=u\npasword=hunter2",
            "username=u: line 5 has pasword: did you mean password?)",
        ),
        ("[include]\nfile=*.conf", "[include] files is not set: line 3 has file: did you mean files?)"),
        // Neither what is like another option, nor what is like none.
        ("[program:a]\numsk=1\nrun=c", "[program:a] command is not set)"),
    ] {
        let message = whole(&format!("[supervisord]\n{lines}\n"));
        assert!(message.ends_with(expected), "{lines}: {message}");
    }
    let host =
        host("[supervisord]\n[include]\nfiles=*.ini\n[program:a]\n").file("/conf/a.ini", "[program:a]\ncomand=c");
    let message = load("c.conf", &CommandLineFlags::default(), &host).unwrap_err().to_string();
    assert!(message.ends_with("command is not set: /conf/a.ini:2 has comand: did you mean command?)"), "{message}");
}

#[test]
fn messages_show_no_secrets() {
    let secret = "hunter2";
    for lines in [
        "environment=P=\"hunter2%w\"",
        "environment=P=\"hunter2",
        "environment=P=hunter2,",
        "environment=P=hunter2,Q",
        "priority=%(ENV_SECRET)s",
        "umask=%(ENV_SECRET)s",
        "autorestart=%(ENV_SECRET)s",
        "user=%(ENV_SECRET)s",
        "stopsignal=x%s",
        "stdout_logfile=/no/%(ENV_SECRET)s/x",
        "stdout_logfile=%(ENV_SECRET)s%%",
        "[inet_http_server]\nport=1\npassword=hunter2%x",
        "[inet_http_server]\nport=%(ENV_SECRET)s",
        "[unix_http_server]\nfile=x\npassword=%(hunter2",
        "[fcgi-program:f]\ncommand=c\nsocket=%(ENV_SECRET)s",
        "[rpcinterface:x]\nsupervisor.rpcinterface_factory=a.b:c\ntoken=hunter2%x",
    ] {
        let text = format!("[supervisord]\nenvironment=SECRET=hunter2\n[program:a]\ncommand=c\n{lines}\n");
        match try_read(&text) {
            Err(error) => assert!(!error.to_string().contains(secret), "{lines}: {error}"),
            Ok(config) => assert!(!notices(&config).concat().contains(secret), "{lines}"),
        }
    }
    // Where the value comes from is no secret.
    let message = whole("[supervisord]\nenvironment=S=x\n[program:a]\ncommand=c\npriority=%(ENV_S)s\n");
    assert!(message.starts_with("invalid literal for int() with base 10: ***"), "{message}");
    assert!(message.contains("priority=%(ENV_S)s: expected a whole number"), "{message}");
}

/// The warnings about a program with these lines.
fn warnings(lines: &str) -> Vec<String> {
    let config = read(&format!("[program:a]\n{lines}\n"));
    notices(&config).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_comment_in_the_quotes_of_any_command_is_pointed_out() {
    for line in [
        "env_command=sh -c 'a ; b'",
        "reload_command=sh -c 'a ; b'",
        "stop_sequence=exec:sh -c 'a ; b':5s",
        "ready_when=exec:sh -c 'a ; b'",
        "healthcheck=exec:sh -c 'a ; b'",
        "secret.KEY=exec:sh -c 'a ; b'",
    ] {
        let message = whole(&format!("[supervisord]\n[program:a]\ncommand=c\n{line}\n"));
        assert!(message.contains("a blank before ; begins a comment, also within quotes"), "{line}: {message}");
    }
    let message = whole("[supervisord]\n[program:a]\ncommand=c\nenv_command=sh -c 'a\n");
    assert!(message.ends_with("commands are split like in a shell, but are not run by one)"), "{message}");
}

#[test]
fn valid_settings_that_may_be_mistakes_are_warned_about() {
    let quotes = "with one pair of quotes around the whole value; a value with \" in it stands in single quotes, a \
                  backslash has no meaning";
    for (lines, expected) in [
        (
            "command=sh -c 'a ; b'",
            "The command of [program:a] cannot be split into words: No closing quotation (c.conf:3, [program:a] command=sh -c 'a: a \
             blank before ; begins a comment, also within quotes; write ; without the blank, or a script)"
                .to_owned(),
        ),
        (
            "command=c \0",
            "The command of [program:a] cannot be run: no argument of a program can contain a NUL byte (c.conf:3, [program:a] \
             command=c \\u{0})"
                .to_owned(),
        ),
        (
            "command=c\nenvironment=A=p#q",
            format!(
                "In the environment of [program:a], the # in the value of A begins a comment (c.conf:4, [program:a] \
                 environment=***: write A=\"...\" {quotes})"
            ),
        ),
        (
            "command=c\nenvironment=A=\"x\\\"y\"",
            format!(
                "In the environment of [program:a], the text after the value of A has no effect (c.conf:4, [program:a] \
                 environment=***: write A=\"...\" {quotes})"
            ),
        ),
        (
            "command=c\n  autostart=true",
            "Option autostart in section [program:a] is indented and therefore a part of command (c.conf:4, [program:a] \
             autostart: remove the blanks before it)"
                .to_owned(),
        ),
        (
            "command=c\n  [program:b]",
            "The line [program:b] is indented and therefore a part of command in section [program:a] (c.conf:4, [program:a]: \
             remove the blanks before it)"
                .to_owned(),
        ),
        (
            "command=c 50%s",
            "A percent sign in command of [program:a] stands for all variables at once (c.conf:3, [program:a] command=c 50%s: \
             write %% for a percent sign)"
                .to_owned(),
        ),
        (
            "command=c\nstartsecs=1\nstartsecs=2",
            "Option startsecs in section [program:a] is written twice, the last one counts (c.conf:5, [program:a] startsecs: \
             the other one is at c.conf:4)"
                .to_owned(),
        ),
        (
            "command=c\n[program:a]\ncommand=d",
            "Section [program:a] is there already, the options that follow are added to it and win (c.conf:4, [program:a]: it \
             begins at c.conf:2)"
                .to_owned(),
        ),
    ] {
        let said = warnings(lines);
        assert_eq!(said.first(), Some(&expected), "{lines}");
    }
}

#[test]
fn one_mistake_of_many_processes_is_mentioned_once() {
    let said =
        warnings("command=sh -c 'x\nenvironment=A=b c\nnumprocs=3\nprocess_name=%(program_name)s_%(process_num)d");
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn ordinary_settings_are_not_warned_about() {
    for lines in [
        "command=sh -c 'a; b' ; comment",
        "command=c\n  --user=x\n  name=value",
        "command=c\nenvironment=\n  USER=\"x\",\n  UMASK=\"1\",\n  user=\"y\"",
        "command=c\nenvironment=A=\"p#q\",B='x\"y',C=1;D=2",
        "command=c\nstartsecs=1 ; comment",
        "command=date +%%s %(here)s %(ENV_HOME)s",
        "command=c\nstdout_log_format=%(time:%F %T)s %(program_name)s 5%% %(message)s",
    ] {
        assert_eq!(warnings(lines), Vec::<String>::new(), "{lines}");
    }
}

#[test]
fn an_included_file_that_cannot_be_read_is_mentioned() {
    let mut host = host("[supervisord]\n[include]\nfiles=*.ini\n").file("/conf/closed.ini", "[program:a]\n");
    host.closed.insert("/conf/closed.ini".to_owned());
    let config = load("c.conf", &CommandLineFlags::default(), &host).unwrap();
    let said = notices(&config);
    let expected =
        "Included file \"/conf/closed.ini\" cannot be read (c.conf:3, [include] files=*.ini: Permission denied)";
    assert_eq!(said.first(), Some(&expected));
}
