use std::sync::Arc;

use crate::command_line::{CommandLineFlags, Flag, Given};
use crate::error::ConfigError;
use crate::fake_host::FakeHost;
use crate::model::{
    ActivityLog, AutoRestart, Config, Group, GroupKind, Health, LogFile, NoticeLevel, OnUnhealthy, Process,
    ProgramServerUrl, ServerAddress, SocketAddress,
};
use crate::probe::Probe;
use crate::readiness::ReadyWhen;
use crate::{Purpose, load, load_with};

mod inheritance;
mod messages;
mod users;

fn host(text: &str) -> FakeHost {
    FakeHost::new().file("/conf/c.conf", text)
}

fn try_read(text: &str) -> Result<Config, ConfigError> {
    load("c.conf", &CommandLineFlags::default(), &host(text))
}

fn read(text: &str) -> Config {
    try_read(&format!("[supervisord]\n{text}")).unwrap()
}

/// The original's words of an error.
fn error(text: &str) -> String {
    try_read(&format!("[supervisord]\n{text}")).unwrap_err().message().to_owned()
}

fn notices(config: &Config) -> Vec<&str> {
    config.notices.iter().map(|notice| notice.text.as_str()).collect()
}

fn group<'c>(config: &'c Config, name: &str) -> &'c Arc<Group> {
    config.groups.iter().find(|group| group.name == name).unwrap()
}

fn only_process(config: &Config) -> &Process {
    assert_eq!((config.groups.len(), config.groups[0].processes.len()), (1, 1));
    &config.groups[0].processes[0]
}

fn names(group: &Group) -> Vec<&str> {
    group.processes.iter().map(|process| process.identity.name.as_str()).collect()
}

#[test]
fn the_checks_of_another_supervisor_have_its_defaults() {
    let of = |text: &str| only_process(&read(&format!("[program:p]\ncommand=c\n{text}"))).health.clone();
    let health = of("liveness_check_script=tcp://127.0.0.1:80\n");
    assert_eq!(health.healthcheck, Some(Arc::new(Probe::parse("tcp:127.0.0.1:80").unwrap())));
    let seconds = |health: &Health| {
        [health.healthcheck_interval, health.healthcheck_start_period, health.healthcheck_timeout]
            .map(|time| time.as_secs())
    };
    assert_eq!((seconds(&health), health.on_unhealthy), ([60, 60, 30], OnUnhealthy::Restart));
    let health = of(
        "liveness_check_script=tcp://127.0.0.1:80\nliveness_check_period=5\nliveness_check_initial_delay=0\n\
                     liveness_check_timeout=2\nliveness_check_failure_threshold=7\nliveness_check_failure_action=stop\n",
    );
    assert_eq!((seconds(&health), health.healthcheck_retries), ([5, 0, 2], 7));
    assert_eq!(health.on_unhealthy, OnUnhealthy::Stop);
    let health = of("healthcheck=tcp:127.0.0.1:80\n");
    assert_eq!((seconds(&health), health.on_unhealthy), ([30, 0, 30], OnUnhealthy::None), "of the name that is ours");
    let text = "[supervisord]\n[program:p]\ncommand=c\nliveness_check_script=/bin/check\n";
    let message = try_read(text).unwrap_err().to_string();
    assert!(message.contains("write exec:COMMAND to run a command"), "{message}");
}

#[test]
fn a_program_that_says_when_it_is_ready_has_other_defaults() {
    let of = |text: &str| only_process(&read(&format!("[program:p]\ncommand=c\n{text}"))).clone();
    let process = of("ready_when=fd:3\n");
    assert_eq!(process.readiness.ready_when, Some(ReadyWhen::Descriptor(3)));
    assert_eq!((process.start.startsecs, process.readiness.ready_timeout.as_secs()), (0, 90));
    assert_eq!(of("ready_when=fd:3\nstartsecs=2\n").start.startsecs, 2);
    assert_eq!(of("").start.startsecs, 1);
    let text = error("[program:p]\ncommand=c\nready_timeout=1min\n");
    assert!(text.starts_with("ready_timeout means nothing without ready_when"), "{text}");
}

#[test]
fn an_empty_section_gives_the_defaults() {
    let supervisord = read("").supervisord;
    assert_eq!((supervisord.minfds, supervisord.minprocs, supervisord.umask), (1024, 200, 0o22));
    assert_eq!(supervisord.logfile, ActivityLog::File("/conf/supervisord.log".into()));
    assert_eq!((supervisord.logfile_maxbytes, supervisord.logfile_backups), (50 << 20, 10));
    assert_eq!(
        (supervisord.pidfile.as_str(), supervisord.identifier.as_str()),
        ("/conf/supervisord.pid", "supervisor")
    );
    assert_eq!((supervisord.childlogdir.as_str(), supervisord.directory, supervisord.user), ("/tmp", None, None));
    let process = only_process(&read("[program:p]\ncommand=c\n")).clone();
    assert_eq!(
        (process.identity.priority, process.start.startsecs, process.start.startretries, process.stop.stopwaitsecs),
        (999, 1, 3, 10)
    );
    assert_eq!((process.start.autostart, process.restart.autorestart), (true, AutoRestart::Unexpected));
    assert_eq!((process.stop.stopsignal.first, &*process.restart.exitcodes), (15, &[0][..]));
    assert_eq!(
        (process.logging.stdout.file.clone(), process.logging.stdout.maxbytes, process.logging.stdout.backups),
        (LogFile::Auto, 50 << 20, 10)
    );
    assert_eq!((process.logging.stderr, process.spawn.serverurl), (process.logging.stdout, ProgramServerUrl::Auto));
}

#[test]
fn messages_name_the_file_as_given_and_the_result_has_it_absolute() {
    let config = read("");
    assert_eq!((config.file.as_str(), config.here.as_str()), ("/conf/c.conf", "/conf"));
    let error = load("../conf/./c.conf", &CommandLineFlags::default(), &host("x")).unwrap_err();
    assert!(error.message().contains("file: '../conf/./c.conf', line: 1"), "{error}");
    for (file, expected) in [
        ("", "could not find config file "),
        ("no.conf", "could not find config file no.conf"),
        ("/tmp", "could not read config file /tmp"),
    ] {
        assert_eq!(load(file, &CommandLineFlags::default(), &host("")).unwrap_err().message(), expected);
    }
}

#[test]
fn an_error_knows_where_the_value_is_written() {
    let at = |text: &str| try_read(text).unwrap_err().origin().unwrap().to_string();
    assert_eq!(at("[supervisord]\n\nminfds=x\n"), "c.conf:3");
    assert_eq!(at("[supervisord]\nuser=x\n"), "c.conf:2");
    assert_eq!(at("[supervisord]\n[program:p]\nautostart=true\n"), "c.conf:2");
    assert_eq!(at("[supervisord]\n[a\njunk\n"), "c.conf:2");
    assert_eq!(at("[supervisord]\n[program:p]\ncommand=c\nenvironment=A\n"), "c.conf:4");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for (bytes, reason) in [
        (&b"ab\xff"[..], "byte 0xff in position 2: invalid start byte"),
        (b"a\xc3(", "byte 0xc3 in position 1: invalid continuation byte"),
        (b"\xe2\x82(", "bytes in position 0-1: invalid continuation byte"),
        (b"\xe2\x82", "bytes in position 0-1: unexpected end of data"),
    ] {
        let host = FakeHost::new().file("/conf/c.conf", bytes);
        let error = load("c.conf", &CommandLineFlags::default(), &host).unwrap_err();
        assert_eq!(error.message(), format!("'utf-8' codec can't decode {reason}"));
    }
}

#[test]
fn groups_stand_by_priority_and_name_and_members_by_listing() {
    let config = read(
        "[program:z]\ncommand=c\npriority=1\n[program:b]\ncommand=c\nnumprocs=12\nprocess_name=b_%(process_num)s\n\
         [program:a]\ncommand=c\npriority=5\n[group:g]\nprograms=z,b\npriority=3\n\
         [eventlistener:e]\ncommand=c\nevents=tick_5, TICK_60,TICK_5\n[program:s]\ncommand=c\npriority=3\n",
    );
    let order: Vec<_> = config.groups.iter().map(|group| (group.priority, group.name.as_str())).collect();
    assert_eq!(order, [(-1, "e"), (3, "g"), (3, "s"), (5, "a")]);
    assert_eq!(names(group(&config, "g"))[..5], ["z", "b_0", "b_1", "b_10", "b_11"]);
    let GroupKind::Listeners(pool) = &config.groups[0].kind else { panic!("{:?}", config.groups[0].kind) };
    assert_eq!((pool.buffer_size, pool.events.join(" ")), (10, "TICK_5 TICK_60".to_owned()));
    assert_eq!(config.groups[0].processes[0].identity.priority, 999);
}

#[test]
fn a_lost_group_or_process_is_mentioned() {
    let config = read(
        "[program:p]\ncommand=c\npriority=1\n[group:q]\nprograms=r\n[program:q]\ncommand=c\n[program:r]\ncommand=d\n",
    );
    assert_eq!(names(group(&config, "q")), ["r"]);
    assert_eq!(
        notices(&config),
        ["[program:q] has been ignored because its group name q is used by [group:q] (c.conf:7, [program:q])"]
    );
    let config = read(
        "[group:g]\nprograms=a,b\n[program:a]\ncommand=c\nprocess_name=x\n[program:b]\ncommand=d\nprocess_name=x\n",
    );
    assert_eq!(only_process(&config).spawn.command, "d");
    assert_eq!(
        notices(&config),
        [
            "For [program:b], the process name x is already used in group g by [program:a], the earlier process has been ignored (c.conf:2, [group:g]: give each process a name of its own, as \
             process_name=%(program_name)s_%(process_num)02d does)"
        ]
    );
}

#[test]
fn names_expand_to_what_their_place_offers() {
    let config = read(
        "environment=X=\"%%%%1\",Z=\"z\"\n[program:p]\nenvironment=Y=\"%(ENV_X)s%(process_num)d\",X=\"2\"\nnumprocs=2\nnumprocs_start=4\n\
         process_name=%(program_name)s_%(process_num)02d\n\
         command=%(ENV_Y)s %(ENV_X)s %(host_node_name)s %(group_name)s %(numprocs)d %(here)s %%\n\
         [group:g]\nprograms=p\n",
    );
    let [first, second] = &group(&config, "g").processes[..] else { panic!("{config:?}") };
    assert_eq!((first.identity.name.as_str(), first.spawn.command.as_str()), ("p_04", "%14 2 node g 2 /conf %"));
    assert_eq!(second.spawn.command, "%15 2 node g 2 /conf %");
    let pairs: Vec<_> = first.spawn.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs, ["X=2", "Z=z", "Y=%14"]);
    assert_eq!(config.supervisord.environment[0], ("X".to_owned(), "%1".to_owned()));
}

#[test]
fn child_logs_are_expanded_twice() {
    let config = read("[program:p]\ncommand=c\nstdout_logfile=/tmp/%%%%(here)s%%(program_name)s\nstderr_logfile=OFF\n");
    let process = only_process(&config);
    assert_eq!(process.logging.stdout.file, LogFile::Path("/tmp/%(here)sp".into()));
    assert_eq!(process.logging.stderr.file, LogFile::None);
}

#[test]
fn logging_that_is_odd_is_mentioned_for_each_process() {
    let config = read(
        "[program:p]\ncommand=c\nnumprocs=2\nprocess_name=%(process_num)s\nredirect_stderr=true\n\
         stdout_logfile=syslog\nstderr_logfile=/tmp/x\n[program:q]\ncommand=c\nstdout_logfile_maxbytes=0\n\
         [program:r]\ncommand=c\nredirect_stderr=true\nstderr_logfile=\n",
    );
    let syslog = "For [program:p], stdout_logfile=syslog but this is deprecated and will be removed.  Use \
                  stdout_syslog=true to enable syslog instead.";
    let ignored = "For [program:p], redirect_stderr=true but stderr_logfile has also been set to a filename, the \
                   filename has been ignored";
    let endless = "For [program:q], AUTO logging used for stdout_logfile without rollover, set maxbytes > 0 to avoid \
                   filling up filesystem unintentionally";
    assert_eq!(notices(&config), [syslog, ignored, syslog, ignored, endless]);
    let process = &group(&config, "p").processes[0];
    assert_eq!((&process.logging.stdout.file, process.logging.stdout.syslog), (&LogFile::None, true));
    assert_eq!(process.logging.stderr.file, LogFile::None);
}

#[test]
fn included_files_override_and_have_their_own_directory() {
    let main = "[include]\nfiles = no.ini\n  sub/*.ini /etc/x.ini\n[program:p]\ncommand=%(here)s %(ENV_HOME)s\n";
    let mut host = host(&format!("[supervisord]\nidentifier=a\n{main}"))
        .file(
            "/conf/sub/1.ini",
            "[supervisord]\nidentifier=b\n[program:q]\ncommand=%(here)s\n[include]\nfiles=/etc/y.ini\n",
        )
        .file("/conf/sub/2.ini", "[supervisord]\nidentifier=c\n[program:q]\nautostart=no\n")
        .file("/etc/y.ini", "[program:y]\n");
    host.directories.insert("/etc/x.ini".into());
    host.files.insert("/etc/x.ini".into(), Vec::new());
    let config = load("c.conf", &CommandLineFlags::default(), &host).unwrap();
    assert_eq!(config.supervisord.identifier, "c");
    assert_eq!(group(&config, "p").processes[0].spawn.command, "/conf /root");
    let included = &group(&config, "q").processes[0];
    assert_eq!((included.spawn.command.as_str(), included.start.autostart), ("/conf/sub", false));
    assert_eq!(included.identity.origin.to_string(), "/conf/sub/1.ini:3");
    let said: Vec<_> = config.notices.iter().map(|notice| (notice.level, notice.text.as_str())).collect();
    assert_eq!(
        said,
        [
            (NoticeLevel::Warn, "No file matches via include \"/conf/no.ini\""),
            (
                NoticeLevel::Warn,
                "Section [supervisord] is there already, the options that follow are added to it and win (/conf/sub/1.ini:1, \
                 [supervisord]: it begins at c.conf:1)"
            ),
            (
                NoticeLevel::Warn,
                "An [include] section in an included file is not followed (/conf/sub/1.ini:5, [include])"
            ),
            (
                NoticeLevel::Warn,
                "Section [supervisord] is there already, the options that follow are added to it and win (/conf/sub/2.ini:1, \
                 [supervisord]: it begins at c.conf:1)"
            ),
            (
                NoticeLevel::Warn,
                "Section [program:q] is there already, the options that follow are added to it and win (/conf/sub/2.ini:3, \
                 [program:q]: it begins at /conf/sub/1.ini:3)"
            ),
            (NoticeLevel::Info, "Included extra file \"/conf/sub/1.ini\" during parsing"),
            (NoticeLevel::Info, "Included extra file \"/conf/sub/2.ini\" during parsing"),
            (NoticeLevel::Info, "Included extra file \"/etc/x.ini\" during parsing"),
        ]
    );
}

#[test]
fn errors_in_included_files_name_them() {
    let with = |content: &str| {
        let host = host("[supervisord]\n[include]\nfiles=x.ini\n[program:p]\ncommand=c\n").file("/conf/x.ini", content);
        load("c.conf", &CommandLineFlags::default(), &host).unwrap_err().message().to_owned()
    };
    assert_eq!(with("[a]\nb\n"), "Source contains parsing errors: '/conf/x.ini'\n\t[line  2]: 'b\\n'");
    assert_eq!(
        with("[program:bad]\ncommand=c\nstartsecs=x\n"),
        "invalid literal for int() with base 10: 'x' in section 'program:bad' (file: '/conf/x.ini')"
    );
    // The section began in the main file, so that one is named.
    assert_eq!(
        with("[program:p]\nstartsecs=x\n"),
        "invalid literal for int() with base 10: 'x' in section 'program:p' (file: 'c.conf')"
    );
}

#[test]
fn an_include_section_turns_here_into_plain_text() {
    assert_eq!(
        error("[include]\nfiles=\n[program:p]\ncommand=%%(here)s\n"),
        "Format string '%/conf' for 'program:p.command' is badly formatted: unsupported format character '/' (0x2f) at \
         index 1 in section 'program:p' (file: 'c.conf')"
    );
    let config = read("[include]\nfiles=\n[inet_http_server]\nport=1\nusername=u\npassword=%(here)s\n");
    assert_eq!(config.servers[0].credentials.as_ref().unwrap().password, "/conf");
}

#[test]
fn the_command_line_wins_over_the_file() {
    let mut line = CommandLineFlags::default();
    for (flag, value) in [
        (Flag::Nodaemon, ""),
        (Flag::Logfile, "syslog"),
        (Flag::LogfileMaxbytes, "1KB"),
        (Flag::Umask, "077"),
        (Flag::User, "nobody"),
        (Flag::Identifier, "%(x)s"),
        (Flag::Pidfile, "p"),
    ] {
        line.given.push(given(flag, "-x", value));
    }
    let host = host("[supervisord]\nnodaemon=false\nsilent=true\nuser=nosuch\numask=000\nidentifier=i\nlogfile=l\n");
    let supervisord = load("c.conf", &line, &host).unwrap().supervisord;
    assert!(supervisord.nodaemon && supervisord.silent);
    assert_eq!((supervisord.logfile, supervisord.logfile_maxbytes), (ActivityLog::Syslog, 1024));
    assert_eq!((supervisord.umask, supervisord.user.unwrap().uid), (0o77, 65534));
    assert_eq!((supervisord.identifier.as_str(), supervisord.pidfile.as_str()), ("%(x)s", "/conf/p"));
}

fn given(flag: Flag, spelling: &str, value: &str) -> Given {
    Given { flag, spelling: spelling.to_owned(), value: value.to_owned() }
}

#[test]
fn bad_flags_are_reported_before_the_file_is_read() {
    let line = CommandLineFlags {
        given: vec![given(Flag::LogfileMaxbytes, "-y", "abc'"), given(Flag::Loglevel, "--loglevel", "loud")],
    };
    let error = load("no.conf", &line, &FakeHost::new()).unwrap_err();
    assert_eq!(error.to_string(), "invalid value for -y \"abc'\": invalid literal for int() with base 10: \"abc'\"");
}

#[test]
fn what_means_nothing_is_mentioned_once_with_its_place() {
    let config = try_read(
        "[DEFAULT]\nshared=1\n[supervisord]\nlog_file=x\n[program:p]\ncommand=c\nautostrat=yes\nbroken=%(\n\
         [programx]\nk=v\n[unix_http_serverb]\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\nextra=1\n\
         [supervisorctl]\nextra=1\n[ctlplugin:z]\nextra=1\n[include]\nfiles=\n",
    )
    .unwrap();
    assert_eq!(
        notices(&config),
        [
            "Unknown option log_file in section [supervisord] is ignored (c.conf:4: did you mean logfile?)",
            "Unknown option autostrat in section [program:p] is ignored (c.conf:7: did you mean autostart?)",
            "Unknown option broken in section [program:p] is ignored (c.conf:8)",
            "Unknown section [programx] is ignored (c.conf:9: did you mean [program:NAME]?)",
            "Unknown section [unix_http_serverb] is ignored (c.conf:11: did you mean [unix_http_server]?)",
        ]
    );
    assert!(config.servers.is_empty());
    // Values of [DEFAULT] reach every section, and plugins see them as their own.
    let options: Vec<_> = config.rpc_interfaces[0].options.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(options, ["shared", "extra"]);
}

#[test]
fn a_fastcgi_program_keeps_its_socket_in_every_group() {
    let config = read(
        "[fcgi-program:f]\ncommand=c\nuser=nobody\nsocket=unix:///tmp/../tmp/%(program_name)s.sock\nnumprocs=2\n\
         process_name=%(process_num)s\n[group:g]\nprograms=f\n[group:h]\nprograms=f\n\
         [fcgi-program:t]\ncommand=c\nsocket=tcp://HOST:80\nsocket_backlog=7\n",
    );
    let sockets: Vec<_> = ["g", "h"]
        .into_iter()
        .flat_map(|name| group(&config, name).processes.clone())
        .map(|process| process.spawn.socket.clone().unwrap())
        .collect();
    assert!(sockets.len() == 4 && sockets.iter().all(|socket| Arc::ptr_eq(socket, &sockets[0])));
    assert_eq!(sockets[0].url, "unix:///tmp/f.sock");
    let owner = Some((65534, Some(65534)));
    assert_eq!(sockets[0].address, SocketAddress::Unix { path: "/tmp/f.sock".into(), mode: 0o700, owner });
    assert_eq!(group(&config, "t").kind, GroupKind::FastCgi);
    let socket = group(&config, "t").processes[0].spawn.socket.clone().unwrap();
    assert_eq!((socket.url.as_str(), socket.backlog), ("tcp://host:80", Some(7)));
    let config = read("[fcgi-program:six]\ncommand=c\nsocket=tcp://[::1]:80\n");
    let socket = only_process(&config).spawn.socket.clone().unwrap();
    assert_eq!(socket.address, SocketAddress::Tcp { host: "[::1]".into(), port: 80 });
}

#[test]
fn the_owner_of_a_socket_can_be_set_in_parts() {
    let owner = |line: &str| {
        let config = read(&format!("[fcgi-program:f]\ncommand=c\nsocket=unix:///a\n{line}\n"));
        match &only_process(&config).spawn.socket.as_ref().unwrap().address {
            SocketAddress::Unix { owner, .. } => *owner,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(owner(""), None);
    assert_eq!(owner("user=root"), None);
    assert_eq!(owner("user=nobody\nsocket_owner=root"), Some((0, None)));
    assert_eq!(owner("socket_owner=nobody:0"), Some((65534, Some(0))));
}

/// Each message was obtained from Supervisor 4.3.0, but for the tuples around those about paths and formats.
#[test]
fn mistakes_about_sockets_come_in_order() {
    let section = "[fcgi-program:f]\ncommand=c\n";
    for (lines, expected) in [
        ("socket=unix:///a\nsocket_mode=x\nsocket_owner=y\nsocket_backlog=z\nuser=u\n", "Invalid user name u"),
        ("socket=zz\nsocket_mode=abc\nsocket_owner=nosuch\n", "Invalid socket_owner value nosuch"),
        ("socket=%(nope)s\nsocket_mode=x\n", "Invalid socket_mode value x"),
        (
            "socket=tcp://a:0\nsocket_mode=700\n",
            "socket_owner and socket_mode params should only be used with a Unix domain socket in [fcgi-program:f] socket",
        ),
        ("socket=tcp://a/b:70000\n", "70000 is above upper bound (65535) in [fcgi-program:f] socket"),
        ("socket=unix://\n", "Unix socket path  is not an absolute path in [fcgi-program:f] socket"),
        ("socket=tcp://a:0:70000\n", "Bad socket format tcp://a:0:70000 in [fcgi-program:f] socket"),
        ("socket=tcp://[::1\n", "Bad socket format tcp://[::1 in [fcgi-program:f] socket"),
        ("socket=tcp://[a]:80\n", "Bad socket format tcp://[a]:80 in [fcgi-program:f] socket"),
        ("socket=tcp://[::1]:\n", "Bad socket format tcp://[::1]: in [fcgi-program:f] socket"),
    ] {
        assert_eq!(error(&format!("{section}{lines}")), expected);
    }
}

/// Each message was obtained from Supervisor 4.3.0.
#[test]
fn mistakes_about_servers_come_in_order() {
    let incomplete = "contains incomplete authentication: If a username or a password is specified, both the username \
                      and password must be specified";
    for (lines, expected) in [
        ("[inet_http_server]\nport=abc\nusername=x\n", format!("Section [inet_http_server] {incomplete}")),
        ("[unix_http_server]\nusername=x\n", "section [unix_http_server] has no file value".to_owned()),
        (
            "[unix_http_server]\nfile=/tmp/x\nchown=no\nchmod=abc\nusername=x\n",
            format!("Section [unix_http_server] {incomplete}"),
        ),
        ("[unix_http_server]\nfile=/tmp/x\nchown=no\nchmod=abc\n", "Invalid sockchown value no".to_owned()),
        ("[unix_http_server]\nfile=/tmp/x\nchown=0:99999\n", "Invalid sockchown value 0:99999".to_owned()),
        ("[unix_http_server]\nfile=/tmp/x\nchown=0:\n", "Invalid sockchown value 0:".to_owned()),
        ("[unix_http_server]\nfile=/tmp/x\nchown=root : root\n", "Invalid sockchown value root : root".to_owned()),
        ("[unix_http_server]\n[inet_http_server]\n", "section [inet_http_server] has no port value".to_owned()),
    ] {
        assert_eq!(error(lines), expected);
    }
}

#[test]
fn inet_servers_come_first_and_the_first_unix_server_is_told_to_children() {
    let config = read(
        "[unix_http_server:b]\nfile= ~/b \nchown=nobody\n[inet_http_server]\nport=[::1]:9001\n[unix_http_server]\nfile=a\n\
         username=\npassword=\n[inet_http_server:z]\nport=*:80\nusername=\npassword=p\n",
    );
    let sections: Vec<_> = config.servers.iter().map(|server| server.section.as_str()).collect();
    assert_eq!(sections, ["inet_http_server", "inet_http_server:z", "unix_http_server:b", "unix_http_server"]);
    assert_eq!(config.servers[0].address, ServerAddress::Inet { host: "::1".into(), port: 9001 });
    let unix = ServerAddress::Unix { path: "/root/b".into(), mode: 0o700, uid: Some(65534), gid: None };
    assert_eq!(config.servers[2].address, unix);
    let protected: Vec<_> = config.servers.iter().map(|server| server.credentials.is_some()).collect();
    assert_eq!(protected, [false, true, false, false]);
    assert_eq!(config.server_url().as_deref(), Some("unix:///root/b"));
    let url = |servers: &str| read(servers).server_url();
    assert_eq!(
        url("[inet_http_server:a]\nport=1\n[inet_http_server:b]\nport=2\n").as_deref(),
        Some("http://localhost:2")
    );
    assert_eq!(url("[inet_http_server]\nport=[::1]:2\n").as_deref(), Some("http://[::1]:2"));
    assert_eq!(url(""), None);
}

#[test]
fn negative_sizes_and_counts_are_zero() {
    let config = read(
        "minfds=-1\nlogfile_maxbytes=-1KB\nlogfile_backups=-2\n[program:p]\ncommand=c\nstdout_logfile_maxbytes=-1\n\
         stdout_logfile_backups=-1\nstdout_capture_maxbytes=-1\nstartsecs=-5\n",
    );
    let supervisord = &config.supervisord;
    assert_eq!((supervisord.minfds, supervisord.logfile_maxbytes, supervisord.logfile_backups), (0, 0, 0));
    let process = only_process(&config);
    let stdout = &process.logging.stdout;
    assert_eq!((stdout.maxbytes, stdout.backups, stdout.capture_maxbytes, process.start.startsecs), (0, 0, 0, -5));
}

#[test]
fn a_program_can_have_no_processes_but_not_too_many() {
    for number in ["0", "-1"] {
        let config = read(&format!("[program:p]\nnumprocs={number}\n"));
        assert!(config.groups[0].processes.is_empty());
    }
    assert_eq!(
        error("[program:p]\ncommand=c\nnumprocs=9999999999\nprocess_name=%(process_num)s\n"),
        "9999999999 is above upper bound (100000) in section 'program:p' (file: 'c.conf')"
    );
}

#[test]
fn an_empty_name_is_refused_even_after_expansion() {
    assert_eq!(
        error("environment=E=\"\"\n[program:p]\ncommand=c\nprocess_name=%(ENV_E)s\n"),
        "Invalid name: '' because it is empty in section 'program:p' (file: 'c.conf')"
    );
    assert_eq!(error("[program: ]\ncommand=c\n"), "Invalid name: ' ' because it is empty");
}

#[test]
fn the_address_for_children_can_be_set_to_nothing() {
    let url = |value: &str| {
        only_process(&read(&format!("[program:p]\ncommand=c\nserverurl={value}\n"))).spawn.serverurl.clone()
    };
    assert_eq!(url(" auto "), ProgramServerUrl::Auto);
    assert_eq!(url(""), ProgramServerUrl::Text(String::new()));
    assert_eq!(url("http://x"), ProgramServerUrl::Text("http://x".into()));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\[[a-z:_]{0,12}\\]|[a-z_]{1,9}|[=:;# \n%()\t]|.){0,60}") {
        let _ = try_read(&text);
        let _ = crate::client::load("c.conf", &host(&text));
    }

    #[test]
    fn any_value_of_any_option_is_taken_or_refused(
        rows in proptest::collection::vec((0..crate::schema::TABLE.len(), "[-0-9a-zA-Z%()=,:/ ~\"'.*]{0,16}"), 1..6),
    ) {
        let mut text = String::from("[supervisord]\n");
        for (place, value) in rows {
            let row = &crate::schema::TABLE[place];
            let word = row.section.word();
            text.push_str(&format!("[{word}]\n{}={value}\n[{word}:p]\ncommand=c\n{}={value}\n", row.name, row.name));
        }
        let _ = try_read(&text);
        let _ = crate::client::load("c.conf", &host(&text));
    }

    #[test]
    fn generated_files_come_back_as_written(
        programs in proptest::collection::btree_map("[a-z]{1,8}", ("[a-z /-]{0,12}[a-z]", -9i64..9), 0..6),
    ) {
        let sections: String = programs
            .iter()
            .map(|(name, (command, priority))| format!("[program:{name}]\ncommand={command}\npriority={priority}\n"))
            .collect();
        let config = read(&sections);
        let mut expected: Vec<_> = programs.iter().map(|(name, (command, priority))| (*priority, name, command.trim())).collect();
        expected.sort();
        let found: Vec<_> = config
            .groups
            .iter()
            .map(|group| (group.priority, &group.name, group.processes[0].spawn.command.as_str()))
            .collect();
        proptest::prop_assert_eq!(found, expected);
    }
}

#[test]
fn the_built_in_interface_takes_no_options() {
    let server = "[inet_http_server]\nport=9001\n";
    let interface =
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
    let refused = "Could not make supervisor rpc interface";
    assert_eq!(error(&format!("{server}{interface}foo=bar\n")), refused);
    assert_eq!(error(&format!("[DEFAULT]\nfoo=bar\n{server}{interface}")), refused);
    read(&format!("{server}{interface}"));
    read(&format!("{interface}foo=bar\n"));
    let host = host(&format!("[supervisord]\n{server}{interface}foo=bar\n"));
    let overrides = CommandLineFlags::default().convert(&host).unwrap();
    let reread = load_with("c.conf", &overrides, Purpose::Reread, &host).unwrap();
    let warnings: Vec<&str> = reread.warnings().collect();
    assert!(warnings[0].starts_with(&format!("The next start will be refused: {refused}")), "{warnings:?}");
}

/// A file that 4.3.0 takes means what it meant; one that it refuses is read like 4.4.
#[test]
fn the_environment_of_the_daemon_is_read_like_4_4_where_4_3_refuses_it() {
    let of_daemon = |value: &str| {
        let pairs = read(&format!("environment={value}\n")).supervisord.environment;
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    for (written, value) in [
        (r#"A="100%%%%""#, "A=100%"),
        (r#"A="100%%""#, "A=100%"),
        (r#"A="a\b""#, r"A=a\b"),
        (r#"A="a%%\"b",B="c\"d""#, r#"A=a%"b B=c"d"#),
        ("A=%(host_node_name)s", "A=node"),
    ] {
        assert_eq!(of_daemon(written), value, "{written}");
    }
    let config = read("[program:p]\ncommand=c\nenvironment=A=\"a\\\"b\",B=\"c\\\"d\"\n");
    let pairs = &group(&config, "p").processes[0].spawn.environment;
    assert_eq!(pairs.as_slice(), [("A".to_owned(), "a\"b".to_owned()), ("B".to_owned(), "c\"d".to_owned())]);
    assert_eq!(error("environment=A=\"x\n"), "No closing quotation");
}

#[test]
fn the_files_of_a_server_may_be_beside_the_configuration() {
    let text = "[supervisord]\n[inet_http_server]\nport=1\ncertfile=%(here)s/a.crt\nkeyfile=%(here)s/a.key\nclient_ca=%(here)s/ca.crt\n";
    let certificate = "-----BEGIN CERTIFICATE-----";
    let host = host(text)
        .file("/conf/a.crt", certificate)
        .file("/conf/a.key", "-----BEGIN PRIVATE KEY-----")
        .file("/conf/ca.crt", certificate);
    let config = load("c.conf", &CommandLineFlags::default(), &host).unwrap();
    let tls = config.servers[0].tls.as_ref().unwrap();
    assert_eq!((tls.certfile.as_str(), tls.keyfile.as_str()), ("/conf/a.crt", "/conf/a.key"));
    assert_eq!(tls.client_ca.as_deref(), Some("/conf/ca.crt"));
}
