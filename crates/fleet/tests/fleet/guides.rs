//! The files of the guides: what they run is accepted by the programs that run it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use supervisord_fleet::command_line::command;

use crate::harness::{needs, supervisord};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/fleet").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(example(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Whether `supervisor-fleet` understands these words.
fn assert_understood(file: &str, words: impl Iterator<Item = String>) {
    let words: Vec<String> = std::iter::once("supervisor-fleet".to_owned()).chain(words).collect();
    if let Err(error) = command().try_get_matches_from(&words) {
        panic!("{file}: {words:?}: {error}");
    }
}

/// What a template of Ansible becomes for a host, as far as these use it.
fn rendered(name: &str, directory: &Path) -> String {
    let directory = directory.display().to_string();
    let [viewer, operator] = ["0", "1"].map(|digit| digit.repeat(64));
    let values = [
        ("supervisor_bin", "/usr/bin"),
        ("supervisor_directory", &directory),
        ("fleet_nats", "tls://a:4222,tls://b:4222"),
        ("inventory_hostname", "web1"),
        ("fleet_role", "web"),
        ("fleet_state", &directory),
        ("fleet_user", "root"),
        ("supervisor_group", "root"),
        ("fleet_viewer_token | hash('sha256')", &viewer),
        ("fleet_operator_token | hash('sha256')", &operator),
    ];
    let text = values.iter().fold(read(name), |text, (name, value)| text.replace(&format!("{{{{ {name} }}}}"), value));
    assert!(!text.contains("{{"), "{text}");
    text
}

/// The commands of `supervisor-fleet` in a configuration or a unit.
fn commands(text: &str) -> Vec<String> {
    let lines =
        text.lines().filter_map(|line| line.strip_prefix("command=").or_else(|| line.strip_prefix("ExecStart=")));
    lines.filter_map(|line| line.split_once("supervisor-fleet ").map(|(_, rest)| rest.to_owned())).collect()
}

#[test]
fn programs_and_units_run_what_the_command_line_has() {
    let directory = tempfile::tempdir().expect("a directory");
    let agent = rendered("ansible/templates/fleet-agent.conf.j2", directory.path());
    let files = [
        "../../packaging/supervisor-fleet-agent.service",
        "../../packaging/supervisor-fleet-hub.service",
        "kubernetes/supervisord.conf",
    ];
    let files = files.map(|file| (file, read(file))).into_iter().chain([("ansible", agent)]);
    for (file, text) in files {
        let commands = commands(&text);
        assert_eq!(commands.len(), 1, "{file}");
        for line in commands {
            // What a variable of a unit adds is up to its reader.
            let words = line.split(' ').filter(|word| !word.starts_with("$FLEET_"));
            assert_understood(file, words.map(str::to_owned));
        }
    }
    for file in ["kubernetes/setup.yaml", "kubernetes/hub.yaml"] {
        let text = read(file);
        let arguments =
            text.lines().find_map(|line| line.trim().strip_prefix("args: ")).expect("arguments in one line");
        let words: Vec<String> = serde_json::from_str(arguments).expect("a list of texts");
        assert_understood(file, words.into_iter());
    }
}

#[test]
fn the_daemon_accepts_the_configurations() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    for program in ["supervisor-fleet", "web"] {
        fs::write(path(program), "#!/bin/sh\n").expect("written");
        Command::new("chmod").arg("755").arg(path(program)).status().expect("it runs");
    }
    let dir = directory.path().display().to_string();
    let here = |text: String| {
        text.replace("/usr/bin/", &format!("{dir}/"))
            .replace("/srv/", &format!("{dir}/"))
            .replace("/var/lib/supervisor-fleet", &dir)
    };
    let check = |file: &str, text: &str| {
        fs::write(path(file), text).expect("written");
        let mut check = Command::new(supervisord());
        check.arg("--check").arg("-c").arg(path(file)).env("PATH", format!("{dir}:/usr/bin:/bin"));
        check.env("POD_NAME", "web-1").env("POD_NAMESPACE", "shop").env("NODE_NAME", "node1");
        let output = check.output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {told}\n{text}");
    };
    check("kubernetes.conf", &here(read("kubernetes/supervisord.conf")));
    let agent = rendered("ansible/templates/fleet-agent.conf.j2", directory.path());
    let users = rendered("ansible/templates/fleet-users.conf.j2", directory.path());
    let head = format!("[supervisord]\nlogfile={dir}/log\npidfile={dir}/pid\n[unix_http_server]\nfile={dir}/sock\n");
    check("ansible.conf", &here(format!("{head}{agent}\n{users}")));
}

#[test]
fn systemd_accepts_the_units() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["supervisor-fleet-agent.service", "supervisor-fleet-hub.service"] {
        // Where nothing is installed, systemd would say that alone.
        let text = read(&format!("../../packaging/{name}")).replace("/usr/bin/supervisor-fleet", "/bin/true");
        let text = text.replace("Documentation=man:supervisor-fleet(1)\n", "");
        let unit = directory.path().join(name);
        fs::write(&unit, text).expect("written");
        let output =
            Command::new(needs::program("systemd-analyze")).arg("verify").arg(&unit).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let about_us: Vec<&str> = told.lines().filter(|line| line.contains(name)).collect();
        assert!(output.status.success() && about_us.is_empty(), "{told}");
    }
}

/// Everything that the page about it names is there, and nothing else.
#[test]
fn the_guide_names_every_file() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fleet-setup.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    for entry in fs::read_dir(example("kubernetes")).expect("a directory") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(name == "namespace.yaml" || guide.contains(&name), "the guide does not name kubernetes/{name}");
    }
    let kustomization = read("kubernetes/kustomization.yaml");
    for line in
        kustomization.lines().filter_map(|line| line.trim().strip_prefix("- ")).filter(|name| name.contains('.'))
    {
        assert!(example("kubernetes").join(line).exists(), "{line}");
    }
    for word in guide.split(|letter: char| letter.is_whitespace() || letter == '`') {
        if let Some(name) = word.strip_prefix("examples/fleet/") {
            assert!(example(name).exists(), "{word}");
        }
    }
}
