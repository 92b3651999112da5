//! The smallest configuration that a view can have.

use supervisord_config::model::{
    ActivityLog, AutoRestart, ChannelLog, Config, LogFile, LogLevel, Origin, Process, ServerUrl, Supervisord,
};

pub(super) fn config() -> Config {
    let supervisord = Supervisord {
        minfds: 1024,
        minprocs: 1,
        directory: None,
        user: None,
        umask: 0,
        logfile: ActivityLog::Syslog,
        logfile_maxbytes: 0,
        logfile_backups: 0,
        loglevel: LogLevel::Info,
        pidfile: String::new(),
        identifier: "me".to_owned(),
        nodaemon: false,
        silent: false,
        childlogdir: String::new(),
        nocleanup: false,
        strip_ansi: false,
        adopt: false,
        environment: Vec::new(),
    };
    Config {
        file: String::new(),
        here: String::new(),
        supervisord,
        servers: Vec::new(),
        rpc_interfaces: Vec::new(),
        groups: Vec::new(),
        notices: Vec::new(),
    }
}

pub(super) fn process(name: &str) -> Process {
    let log = ChannelLog {
        file: LogFile::None,
        maxbytes: 0,
        backups: 0,
        capture_maxbytes: 0,
        events_enabled: false,
        syslog: false,
    };
    Process {
        name: name.to_owned(),
        section: format!("program:{name}"),
        origin: Origin { file: "x.conf".into(), line: 1 },
        command: "/bin/cat".to_owned(),
        directory: None,
        umask: None,
        priority: 999,
        autostart: true,
        autorestart: AutoRestart::Unexpected,
        startsecs: 1,
        startretries: 3,
        user: None,
        stdout: log.clone(),
        stderr: log,
        stopsignal: 15,
        stopwaitsecs: 10,
        stopasgroup: false,
        killasgroup: false,
        exitcodes: vec![0],
        redirect_stderr: false,
        environment: Vec::new(),
        serverurl: ServerUrl::Auto,
        socket: None,
    }
}
