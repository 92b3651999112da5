//! The command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::{Shell, generate};
use supervisord_tls::server_files::ServerTlsFiles;

use crate::daemon_link::{DaemonAddress, DaemonLink};
use crate::fleet_error::FleetError;
use crate::host_name::{HostName, PersonName};
use crate::host_selector::{HostLabels, HostSelector};
use crate::login_name::login_name;
use crate::nats_link::{NatsOptions, secret};
use crate::report::MAX_LABELS;
use crate::request::ProgramSize;
use crate::subjects::FleetRole;

/// Where the server is when nobody says so.
const DEFAULT_SERVER: &str = "nats://127.0.0.1:4222";
/// Where the agent keeps what it remembers.
const DEFAULT_STATE: &str = "/var/lib/supervisor-fleet";

/// The verbs that ask hosts for something, with what they do.
const ASKING: [(&str, &str); 10] = [
    ("status", "Show the programs on all hosts"),
    ("start", "Start programs"),
    ("stop", "Stop programs"),
    ("restart", "Restart programs, on all hosts at once or host by host"),
    ("disable", "Stop programs and let nothing start them, not even a reboot"),
    ("enable", "Let disabled programs be started again"),
    ("scale", "Give a program another number of processes; only the difference starts or stops"),
    ("logs", "Show the last output of programs"),
    ("why", "Explain why programs are in their states"),
    ("health", "Exit with 0 if every program that should run is running and healthy"),
];

/// The whole of it.
pub fn command() -> Command {
    let common = [
        option(
            "nats",
            "URLS",
            "NATS servers, separated by commas [$SUPERVISOR_FLEET_NATS; default: nats://127.0.0.1:4222]",
        ),
        option("creds", "FILE", "credentials file for the server, as written by nsc [$SUPERVISOR_FLEET_CREDS]"),
        option("user", "NAME", "user name for the server [$SUPERVISOR_FLEET_USER]"),
        option("password-file", "FILE", "file with the password of that user [$SUPERVISOR_FLEET_PASSWORD_FILE]"),
        option("ca", "FILE", "CA certificates that the server certificate must be signed by [$SUPERVISOR_FLEET_CA]"),
        option("cert", "FILE", "client certificate [$SUPERVISOR_FLEET_CERT]"),
        option("key", "FILE", "private key of the client certificate [$SUPERVISOR_FLEET_KEY]"),
    ];
    let asking = ASKING.into_iter().map(|(name, about)| {
        if name == "scale" {
            let size = Arg::new("size").value_name("NAME=NUMBER").required(true);
            let size = size
                .help("how many processes on each host, such as workers=12; workers=+2 and workers=-1 add and remove");
            return Command::new(name).about(about).arg(size);
        }
        let is_action = ["start", "stop", "restart", "disable", "enable"].contains(&name);
        let programs = Arg::new("program")
            .help("programs by name or selector: web, web:*, 'w*', state=FATAL; all means every program");
        let programs =
            if is_action || name == "logs" { programs.num_args(1..).required(true) } else { programs.num_args(0..) };
        let command = Command::new(name).about(about).arg(programs);
        match name {
            "restart" => command
                .arg(flag(
                    "rolling",
                    "restart host by host, and stop at the first host that does not come back healthy",
                ))
                .arg(option("batch", "N|N%", "with --rolling: how many hosts at a time [default: 1]"))
                .arg(option(
                    "settle",
                    "SECONDS",
                    "with --rolling: how long a host may take to become healthy [default: 30]",
                )),
            "logs" => command
                .arg(flag("follow", "keep printing what is appended").short('f'))
                .arg(flag("stderr", "show standard error instead of standard output"))
                .arg(
                    option("bytes", "N", "how many bytes of existing output to print [default: 4096; at most 65536]")
                        .short('n'),
                ),
            _ => command,
        }
    });
    Command::new("supervisor-fleet")
        .about("Control supervisord on many hosts through NATS")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .args(common.into_iter().chain(asking_options()).map(|arg| arg.global(true)))
        .subcommands(asking)
        .subcommand(
            Command::new("events")
                .about("Show the events of all hosts")
                .arg(flag("follow", "keep printing new events").short('f'))
                .arg(option("since", "SECONDS", "how far to go back [default: 3600; with -f: 0]")),
        )
        .subcommand(
            Command::new("agent")
                .about("Run beside a daemon and join it to the fleet")
                .arg(option("host", "NAME", "name of this host [default: the host name of the system]"))
                .arg(
                    option("label", "NAME=VALUE", "label to select this host by; may be repeated")
                        .action(ArgAction::Append),
                )
                .arg(option(
                    "daemon",
                    "URL",
                    "address of the daemon, unix:///PATH or http://HOST:PORT [$SUPERVISOR_SERVER_URL]",
                ))
                .arg(
                    option(
                        "token",
                        "ROLE=FILE",
                        "file with the daemon's token for the role viewer, operator or admin; may be repeated",
                    )
                    .action(ArgAction::Append),
                )
                .arg(option(
                    "state",
                    "DIRECTORY",
                    "directory for the agent's state [default: /var/lib/supervisor-fleet]",
                )),
        )
        .subcommand(
            Command::new("hub")
                .about("Serve a web page and /metrics for all hosts")
                .arg(option("listen", "ADDRESS:PORT", "address to listen on [default: 127.0.0.1:9080]"))
                .arg(option("listen-cert", "FILE", "certificate chain of the page in PEM: the hub speaks HTTPS"))
                .arg(option("listen-key", "FILE", "private key of that certificate"))
                .arg(option("listen-client-ca", "FILE", "CA certificates; only clients with a certificate that one of them has signed are let in"))
                .arg(option("people", "FILE", "who may log in, one per line: NAME ROLE {SHA256}TOKEN [HOSTS]; without it, every user of this machine may read"))
                .arg(option("python", "FILE", "daemons of Supervisor 4 in Python, one per line: NAME http://[USER:PASSWORD@]HOST:PORT")),
        )
        .subcommand(
            Command::new("setup")
                .about("Create the bucket and the stream; the first agent does this too if it is allowed to")
                .arg(option("replicas", "N", "how many servers of a cluster keep a copy [default: 1]")),
        )
        .subcommand(
            Command::new("completions")
                .about("Print the script with which a shell completes this command line")
                .arg(Arg::new("shell").help("bash, zsh or fish").value_parser(["bash", "zsh", "fish"]).required(true)),
        )
}

fn asking_options() -> [Arg; 4] {
    [
        option(
            "hosts",
            "SELECTOR",
            "hosts by name, pattern or label: web1, 'web*', role=web,zone=eu*; may be repeated [default: all]",
        )
        .short('H')
        .action(ArgAction::Append),
        flag("json", "print JSON"),
        option("timeout", "SECONDS", "how long to wait for answers [default: 60]"),
        option(
            "as",
            "NAME",
            "name that the server knows you by [$SUPERVISOR_FLEET_AS; default: --user, or your login name]",
        ),
    ]
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

/// The value of an option, or else of a variable of the environment.
fn text(matches: &ArgMatches, option: &str, variable: &str) -> Option<String> {
    let given = matches.get_one::<String>(option).cloned();
    given.or_else(|| std::env::var(variable).ok().filter(|value| !value.is_empty()))
}

/// A number of seconds.
pub fn seconds(matches: &ArgMatches, option: &str, default: f64) -> Result<Duration, FleetError> {
    let Some(text) = matches.get_one::<String>(option) else { return Ok(Duration::from_secs_f64(default)) };
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.filter(|time| *time <= Duration::from_secs(365 * 24 * 3600));
    time.ok_or_else(|| FleetError::Usage(format!("--{option} {text:?}: write a number of seconds")))
}

/// A number.
pub fn number<T: std::str::FromStr>(matches: &ArgMatches, option: &str, default: T) -> Result<T, FleetError> {
    match matches.get_one::<String>(option) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| FleetError::Usage(format!("--{option} {text:?}: write a number"))),
    }
}

/// Who we are to the server.
pub fn nats(matches: &ArgMatches) -> Result<NatsOptions, FleetError> {
    let file = |option: &str, variable: &str| text(matches, option, variable).map(PathBuf::from);
    let certificate = match (file("cert", "SUPERVISOR_FLEET_CERT"), file("key", "SUPERVISOR_FLEET_KEY")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err(FleetError::Usage("--cert and --key belong together: write both".to_owned())),
    };
    Ok(NatsOptions {
        servers: text(matches, "nats", "SUPERVISOR_FLEET_NATS").unwrap_or_else(|| DEFAULT_SERVER.to_owned()),
        credentials: file("creds", "SUPERVISOR_FLEET_CREDS"),
        user: text(matches, "user", "SUPERVISOR_FLEET_USER"),
        password_file: file("password-file", "SUPERVISOR_FLEET_PASSWORD_FILE"),
        ca_file: file("ca", "SUPERVISOR_FLEET_CA"),
        certificate,
    })
}

/// Refuses what only those verbs understand that ask hosts.
pub fn asks_nobody(matches: &ArgMatches) -> Result<(), FleetError> {
    let given = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
    match ["hosts", "json", "timeout", "as"].into_iter().find(|name| given(name)) {
        Some(name) => Err(FleetError::Usage(format!("--{name} is for the verbs that ask hosts: leave it out"))),
        None => Ok(()),
    }
}

/// Under which name to ask.
pub fn person(matches: &ArgMatches) -> Result<PersonName, FleetError> {
    let given = text(matches, "as", "SUPERVISOR_FLEET_AS")
        .or_else(|| text(matches, "user", "SUPERVISOR_FLEET_USER"))
        .or_else(login_name)
        .unwrap_or_else(|| "nobody".to_owned());
    PersonName::parse(&given).map_err(|error| FleetError::Usage(format!("--as: {error}")))
}

/// The hosts that are meant.
pub fn hosts(matches: &ArgMatches) -> Result<Vec<HostSelector>, FleetError> {
    let texts = matches.get_many::<String>("hosts").into_iter().flatten();
    texts.map(|text| text.parse().map_err(FleetError::Usage)).collect()
}

/// The programs that are meant. `all` is what `supervisorctl` calls every program.
pub fn programs(matches: &ArgMatches) -> Vec<String> {
    // `scale` has none.
    let texts = matches.try_get_many::<String>("program").ok().flatten().into_iter().flatten();
    texts.map(|text| if text == "all" { "*".to_owned() } else { text.clone() }).collect()
}

/// Whether a restart goes over the hosts in batches. What is about batches needs that: all hosts would restart at once otherwise.
pub fn is_rolling(matches: &ArgMatches) -> Result<bool, FleetError> {
    if matches.get_flag("rolling") {
        return Ok(true);
    }
    match ["batch", "settle"].into_iter().find(|name| matches.contains_id(name)) {
        Some(name) => Err(FleetError::Usage(format!("--{name} is for batches of hosts: write --rolling, too"))),
        None => Ok(false),
    }
}

/// A program with the number of processes that it is to have.
pub fn size(matches: &ArgMatches) -> Result<(String, ProgramSize), FleetError> {
    let text = matches.get_one::<String>("size").map(String::as_str).unwrap_or_default();
    let (name, number) = text.split_once('=').unwrap_or_default();
    let is_change = number.starts_with(['+', '-']);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(number) if is_number && !name.is_empty() => {
            let size = if is_change { ProgramSize::By(number) } else { ProgramSize::Numprocs(number) };
            Ok((name.to_owned(), size))
        }
        _ => Err(FleetError::Usage(format!("{text:?}: write NAME=NUMBER, such as workers=12 or workers=+2"))),
    }
}

/// The name of the host of an agent.
pub fn host(matches: &ArgMatches) -> Result<HostName, FleetError> {
    let given = matches.get_one::<String>("host").cloned();
    let name = match given {
        Some(name) => name,
        None => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map_err(|error| {
                FleetError::Usage(format!("the name of this host is unknown ({error}): write --host NAME"))
            })?
            .trim()
            .to_owned(),
    };
    HostName::parse(&name).map_err(|error| FleetError::Usage(format!("--host: {error}")))
}

/// The labels of the host of an agent.
pub fn labels(matches: &ArgMatches) -> Result<HostLabels, FleetError> {
    let label = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(FleetError::Usage(format!("--label {text:?}: write NAME=VALUE"))),
    };
    let labels: HostLabels =
        matches.get_many::<String>("label").into_iter().flatten().map(label).collect::<Result<_, _>>()?;
    if labels.len() > MAX_LABELS {
        return Err(FleetError::Usage(format!("--label: a host has {MAX_LABELS} labels at the most")));
    }
    Ok(labels)
}

/// The daemon of an agent.
pub fn daemon(matches: &ArgMatches) -> Result<DaemonLink, FleetError> {
    let address = text(matches, "daemon", "SUPERVISOR_SERVER_URL").ok_or_else(|| {
        let why = "the agent does not know its daemon: write --daemon unix:///PATH, or have the daemon run it";
        FleetError::Usage(why.to_owned())
    })?;
    let address: DaemonAddress = address.parse().map_err(|error| FleetError::Usage(format!("--daemon: {error}")))?;
    let mut tokens = BTreeMap::new();
    for text in matches.get_many::<String>("token").into_iter().flatten() {
        let parts = text.split_once('=').and_then(|(role, file)| Some((FleetRole::of_word(role)?, file)));
        let Some((role, file)) = parts else {
            return Err(FleetError::Usage(format!("--token {text:?}: write viewer=FILE, operator=FILE or admin=FILE")));
        };
        tokens.insert(role, secret(file.as_ref())?);
    }
    Ok(DaemonLink::new(address, tokens))
}

/// The script with which a shell completes this command line.
pub fn completions(matches: &ArgMatches) -> String {
    let shell = match matches.get_one::<String>("shell").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    generate(shell, &mut command(), "supervisor-fleet", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Where a hub listens.
pub fn listen(matches: &ArgMatches) -> Result<std::net::SocketAddr, FleetError> {
    let text = matches.get_one::<String>("listen").map_or("127.0.0.1:9080", String::as_str);
    text.parse()
        .map_err(|_| FleetError::Usage(format!("--listen {text:?}: write ADDRESS:PORT, such as 127.0.0.1:9080")))
}

/// The certificate of a hub.
pub fn server_tls(matches: &ArgMatches) -> Result<Option<ServerTlsFiles>, FleetError> {
    let file = |option: &str| matches.get_one::<String>(option).cloned();
    match (file("listen-cert"), file("listen-key"), file("listen-client-ca")) {
        (Some(certfile), Some(keyfile), client_ca) => Ok(Some(ServerTlsFiles { certfile, keyfile, client_ca })),
        (None, None, None) => Ok(None),
        (None, None, Some(_)) => {
            let why = "--listen-client-ca: only a hub that speaks HTTPS asks for certificates; write --listen-cert and --listen-key, too";
            Err(FleetError::Usage(why.to_owned()))
        }
        _ => Err(FleetError::Usage("--listen-cert and --listen-key belong together: write both".to_owned())),
    }
}

/// The file that an option names.
pub fn path(matches: &ArgMatches, option: &str) -> Option<PathBuf> {
    matches.get_one::<String>(option).map(PathBuf::from)
}

/// The text of the file that an option names.
pub fn file(matches: &ArgMatches, option: &str) -> Result<Option<String>, FleetError> {
    let Some(path) = matches.get_one::<String>(option) else { return Ok(None) };
    let read = std::fs::read_to_string(path);
    read.map(Some).map_err(|error| FleetError::Other(format!("--{option} {path}: {error}")))
}

/// The directory in which an agent remembers.
pub fn state(matches: &ArgMatches) -> PathBuf {
    matches.get_one::<String>("state").map_or_else(|| DEFAULT_STATE.into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(words: &[&str]) -> ArgMatches {
        let matches = command().try_get_matches_from(std::iter::once("supervisor-fleet").chain(words.iter().copied()));
        matches.unwrap().remove_subcommand().unwrap().1
    }

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn hosts_programs_and_labels_are_read() {
        let matches = verb(&["restart", "-H", "web*", "-H", "role=db", "all", "--nats", "nats://h:1", "x:y"]);
        assert_eq!(programs(&matches), ["*", "x:y"]);
        assert_eq!(hosts(&matches).unwrap().len(), 2);
        assert_eq!(nats(&matches).unwrap().servers, "nats://h:1");
        assert_eq!(hosts(&verb(&["-H", "web*", "status"])).unwrap().len(), 1);
        assert!(asks_nobody(&verb(&["setup", "-H", "web*"])).is_err() && asks_nobody(&verb(&["setup"])).is_ok());
        let agent = verb(&["agent", "--host", "a.b", "--label", "role=web", "--daemon", "unix:///s"]);
        assert_eq!(labels(&agent).unwrap()["role"], "web");
        assert_eq!(host(&agent).unwrap().as_str(), "a.b");
    }

    #[test]
    fn a_sign_makes_a_size_a_change() {
        let read = |text: &str| size(&verb(&["scale", text]));
        assert_eq!(read("web=4").unwrap(), ("web".to_owned(), ProgramSize::Numprocs(4)));
        assert_eq!(read("web=+4").unwrap(), ("web".to_owned(), ProgramSize::By(4)));
        assert_eq!(read("a:b=-1").unwrap(), ("a:b".to_owned(), ProgramSize::By(-1)));
        for text in ["web", "=4", "web=", "web=+", "web=4x", "web=++4", "web=99999999999999999999"] {
            assert!(read(text).unwrap_err().to_string().contains("write NAME=NUMBER"), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        let agent = verb(&["agent", "--label", "x", "--host", "a b", "--daemon", "x", "--token", "root=f"]);
        for (told, hint) in [
            (labels(&agent).unwrap_err(), "write NAME=VALUE"),
            (host(&agent).unwrap_err(), "parts between single dots"),
            (daemon(&agent).unwrap_err(), "write unix:///PATH"),
        ] {
            assert!(told.to_string().contains(hint), "{told}");
        }
        assert!(seconds(&verb(&["status", "--timeout", "x"]), "timeout", 1.0).is_err());
        let unpaired = verb(&["status", "--cert", "f"]);
        assert!(nats(&unpaired).unwrap_err().to_string().contains("write both"));
    }
}
