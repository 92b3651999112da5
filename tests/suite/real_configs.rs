//! Configurations as users write them, with programs of Debian.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

use crate::harness::{Daemon, Scene, compare, http, needs, wait};

/// Everything in one file with comments, as in long-lived deployments.
const MAIN: &str = "\
; main supervisor file of the machine
[unix_http_server]
file=%(here)s/s.sock   ; the path to the socket file
chmod=0700             ; socket file mode

[inet_http_server]
port = 127.0.0.1:{port3}
username = ops
password = secret%%with%%percent ; percent signs are doubled

[supervisord]
logfile=%(here)s/logs/supervisord.log ; main log file
logfile_maxbytes=50MB        ; max main logfile bytes b4 rotation
logfile_backups=10
loglevel=info
pidfile=%(here)s/supervisord.pid
nodaemon=false
minfds=1024
minprocs=200
childlogdir=%(here)s/logs
environment =
    STAGE=\"production\",
    APP_HOME=\"%(here)s/app\"

# the below section must remain in the config file for RPC
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://%(here)s/s.sock

[include]
files = conf.d/*.conf
";

const NGINX: &str = "\
[program:nginx]
command=/usr/sbin/nginx -c %(here)s/../nginx.conf -g \"daemon off;\"
autostart=true
autorestart=true
startretries=5
stopsignal=QUIT
stdout_logfile=%(here)s/../logs/nginx.log
stderr_logfile=%(here)s/../logs/nginx_error.log
priority=10
";

const NGINX_OWN: &str = "\
pid {dir}/nginx.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path {dir}/tmp1;
    proxy_temp_path {dir}/tmp2;
    fastcgi_temp_path {dir}/tmp3;
    uwsgi_temp_path {dir}/tmp4;
    scgi_temp_path {dir}/tmp5;
    server {
        listen 127.0.0.1:{port};
        location / { return 200 'served\\n'; }
    }
}
";

const REDIS: &str = "\
[program:redis]
command = redis-server --port {port2} --bind 127.0.0.1 --save '' --appendonly no --daemonize no --dir %(here)s/..
priority = 5
autorestart = unexpected
exitcodes = 0,2
stopwaitsecs = 20
redirect_stderr = true
stdout_logfile = %(here)s/../logs/redis.log
";

const WORKERS: &str = "\
[program:worker]
process_name=%(program_name)s_%(process_num)02d
command=python3 %(ENV_APP_HOME)s/worker.py %(process_num)d
directory=%(ENV_APP_HOME)s
numprocs=4
environment=QUEUE=\"%(group_name)s\",PYTHONUNBUFFERED=\"\"
stdout_logfile=%(here)s/../logs/%(program_name)s_%(process_num)02d.log
stdout_logfile_maxbytes=20KB
stdout_logfile_backups=2
stderr_logfile=NONE
stopasgroup=true

[program:mailer]
command=/bin/sh -c 'while :; do sleep 1; done'
autostart=false

[group:app]
programs=worker,mailer
priority=500
";

const MEMBERS: [&str; 6] = ["app:worker_00", "app:worker_01", "app:worker_02", "app:worker_03", "nginx", "redis"];

#[test]
fn a_typical_deployment_configuration_runs_unchanged() {
    ["nginx", "redis-server"].into_iter().for_each(|name| _ = needs::program(name));
    let scene = Scene::new("wild")
        .config(MAIN)
        .file("conf.d/nginx.conf", NGINX)
        .file("conf.d/redis.conf", REDIS)
        .file("conf.d/workers.conf", WORKERS)
        .file("conf.d/README", "[program:not-included]\ncommand=/bin/false\n")
        .file("nginx.conf", NGINX_OWN)
        .file("app/worker.py", include_str!("fixtures/worker.py"))
        .file("logs/.keep", "");
    compare(&scene, |daemon, observed| {
        for member in MEMBERS {
            daemon.wait_for_state(member, "RUNNING");
        }
        daemon.wait_until("nginx answers", |daemon| fetch(daemon).as_deref() == Some("served\n"));
        daemon.wait_until("Redis answers", |daemon| ping(daemon).as_deref() == Some("+PONG\r\n"));
        for number in 0..4 {
            let (log, mine) = (format!("logs/worker_0{number}.log"), format!("done by worker {number}\n"));
            daemon.wait_until("the worker's log was filled and rotated twice", |daemon| {
                daemon.read(&format!("{log}.1")).contains(&mine) && daemon.read(&format!("{log}.2")).contains(&mine)
            });
        }
        observed.note(daemon, "status", daemon.ctl(&["status"]).transcript());
        observed.note(daemon, "configuration", daemon.call("supervisor.getAllConfigInfo", &[]));
        let refused = http::request(&mut *http::tcp(daemon.ports[2]).expect("it listens"), "GET", "/", &[], b"");
        observed.exactly("status without a password", refused.expect("an answer").status());
        let password = http::basic("ops", "secret%with%percent");
        let page = http::request(&mut *http::tcp(daemon.ports[2]).expect("it listens"), "GET", "/", &[&password], b"");
        observed.exactly("status with the password", page.expect("an answer").status());

        let nginx = daemon.pid_of("nginx");
        daemon.kill_child("redis");
        daemon.wait_until("Redis answers again", |daemon| ping(daemon).as_deref() == Some("+PONG\r\n"));
        daemon.wait_for_state("redis", "RUNNING");
        assert_eq!(daemon.pid_of("nginx"), nginx, "nginx was not restarted");
        observed.note(daemon, "stop the pool", daemon.ctl(&["stop", "app:worker_00", "app:worker_01"]).transcript());
        observed.exactly("exit status", daemon.stop());
    });
}

/// As in container images: all output on the console, no server, and a listener that ends the container when a program
/// cannot be started.
const CONTAINER: &str = "\
[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile=%(here)s/supervisord.pid
loglevel=warn

[program:syslogd]
command=python3 %(here)s/syslogd.py %(here)s/log.sock
priority=1
autorestart=true
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
redirect_stderr=true

[program:cron]
command=/bin/sh -c 'while :; do echo \"cron: tick\"; sleep 1; done'
autostart=true
autorestart=true
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
stderr_logfile=/dev/fd/2
stderr_logfile_maxbytes=0

[program:web]
command=/usr/sbin/nginx -c %(here)s/nginx.conf -g 'daemon off;'
priority=20
startretries=2
stopsignal=QUIT
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
stderr_logfile=/dev/stderr
stderr_logfile_maxbytes=0

[program:queue]
process_name=%(program_name)s_%(process_num)02d
command=/bin/sh -c 'echo \"queue: %(process_num)02d ready\"; while [ ! -e %(here)s/broken ]; do sleep 0.1; done; exit 1'
autostart=true
autorestart=true
startsecs=1
startretries=1
user=root
numprocs=2
redirect_stderr=true
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
stopwaitsecs=60

[eventlistener:watchdog]
command=/bin/sh %(here)s/watchdog.sh
events=PROCESS_STATE_FATAL
stderr_logfile=/dev/stderr
stderr_logfile_maxbytes=0
";

const WATCHDOG: &str =
    "printf 'READY\\n'\nwhile read -r line; do echo \"watchdog: something is wrong\" >&2; kill -s QUIT $PPID; done\n";

const SYSLOGD: &str = "import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print('syslogd: ready', flush=True)
while True:
    print('syslogd:', server.recv(1000).decode(), flush=True)
";

#[test]
fn a_container_logs_to_its_console_and_ends_when_a_program_fails() {
    needs::program("nginx");
    // The console is a pipe, as in a container.
    let scene = Scene::new("container")
        .config(CONTAINER)
        .file("nginx.conf", NGINX_OWN)
        .file("watchdog.sh", WATCHDOG)
        .file("syslogd.py", SYSLOGD)
        .shell("mkfifo pipe; cat pipe > console & exec > pipe 2>&1");
    compare(&scene, |daemon, observed| {
        let said = |text: &'static str| move |daemon: &Daemon| daemon.read("console").contains(text);
        for text in ["syslogd: ready", "cron: tick", "queue: 00 ready", "queue: 01 ready"] {
            daemon.wait_until(text, said(text));
        }
        daemon.wait_until("nginx answers", |daemon| fetch(daemon).as_deref() == Some("served\n"));
        let message = UnixDatagram::unbound().and_then(|socket| socket.send_to(b"a message", daemon.path("log.sock")));
        message.expect("the log server takes it");
        daemon.wait_until("the message is on the console", said("syslogd: a message"));
        daemon.write("broken", "");
        daemon.wait_until("the listener has noticed", said("watchdog: something is wrong"));
        observed.exactly("exit status", daemon.exit_code());
        // The order and the number of lines vary; nginx logs its own start.
        let console = daemon.read("console");
        let words = ["syslogd: ", "cron: ", "queue: ", "watchdog: "];
        let lines: BTreeSet<&str> =
            console.lines().filter(|line| words.iter().any(|word| line.starts_with(word))).collect();
        observed.exactly("console", lines.into_iter().collect::<Vec<_>>().join("\n"));
        observed.exactly("nginx answers", fetch(daemon).is_some());
        observed.exactly("pid file", daemon.path("supervisord.pid").exists());
    });
}

/// The page that nginx serves.
fn fetch(daemon: &Daemon) -> Option<String> {
    let mut stream = http::tcp(daemon.ports[0]).ok()?;
    Some(http::request(&mut *stream, "GET", "/", &["Connection: close"], b"").ok()?.text())
}

/// The answer of Redis to PING.
fn ping(daemon: &Daemon) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.ports[1])).ok()?;
    stream.set_read_timeout(Some(wait::DEADLINE)).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
