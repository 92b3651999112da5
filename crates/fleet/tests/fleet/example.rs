//! The example runs as it is, with other ports.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Supervising, supervisord, wait_until};

#[test]
fn one_command_starts_a_server_three_hosts_and_the_hub() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/fleet");
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("run")).expect("made");
    let free =
        || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port().to_string();
    let (nats, hub) = (free(), free());
    for name in ["supervisord.conf", "host.conf", "nats.conf"] {
        fs::copy(example.join(name), directory.path().join(name)).expect("copied");
    }
    let program = supervisord();
    let own = Path::new(env!("CARGO_BIN_EXE_supervisor-fleet")).with_file_name("");
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(["-n", "-c"]).arg(directory.path().join("supervisord.conf")).env("PATH", &path);
    command.env("FLEET_NATS_PORT", &nats).env("FLEET_HUB_PORT", &hub);
    let mut daemon = Supervising(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs"));
    let page = || {
        let mut text = String::new();
        if let Ok(mut stream) = TcpStream::connect(format!("127.0.0.1:{hub}")) {
            let _ = stream.write_all(b"GET /api/hosts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let _ = stream.read_to_string(&mut text);
        }
        text
    };
    wait_until("the hub shows three hosts", || page().matches("\"link\":\"connected\"").count() == 3);
    let fleet = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor-fleet"));
        command.args(arguments).env("SUPERVISOR_FLEET_NATS", format!("nats://127.0.0.1:{nats}"));
        String::from_utf8_lossy(&command.env("SUPERVISOR_FLEET_AS", "ann").output().expect("it runs").stdout)
            .into_owned()
    };
    wait_until("all is well", || fleet(&["health"]) == "healthy: 3 hosts\n");
    let told = fleet(&["restart", "--rolling", "-H", "role=web", "web:*"]);
    assert_eq!(told.matches(":  restarted\n").count(), 6, "{told}");
    // The daemons of the hosts have one configuration, and each its own list of disabled programs.
    for _ in 0..3 {
        let told = fleet(&["disable", "-H", "host*", "web:web_0"]);
        assert_eq!(told.matches(":  disabled\n").count(), 3, "{told}");
        let told = fleet(&["enable", "-H", "host*", "web:web_0"]);
        assert_eq!(told.matches(":  enabled\n").count(), 3, "{told}");
    }
    fleet(&["start", "web:*"]);
    // An agent is a program of its daemon, too, but does not stop itself.
    let told = fleet(&["stop", "all", "-H", "host1"]);
    assert!(told.matches(":  stopped\n").count() == 2 && !told.contains("fleet-agent"), "{told}");
    let told = fleet(&["restart", "fleet-agent", "-H", "host1"]);
    assert!(told.contains("the agent does not start or stop itself"), "{told}");
    assert!(fleet(&["status", "fleet-agent", "-H", "host1"]).contains("RUNNING"));
    assert!(daemon.end());
}
