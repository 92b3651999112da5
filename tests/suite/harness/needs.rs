//! What tests need of the machine: programs that the build does not provide, and privileges.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::subject::{Program, Subject};

/// The programs with their Debian packages; `.ci/run` installs the same.
const PACKAGES: [(&str, &str); 21] = [
    ("bash", "bash"),
    ("chromedriver", "chromium-driver"),
    ("chromium", "chromium"),
    ("faketime", "faketime"),
    ("fish", "fish"),
    ("groff", "groff-base"),
    ("nginx", "nginx-light"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("pgrep", "procps"),
    ("pidof", "sysvinit-utils"),
    ("postgres", "postgresql"),
    ("prlimit", "util-linux"),
    ("python3", "python3"),
    ("redis-cli", "redis-tools"),
    ("redis-server", "redis-server"),
    ("strace", "strace"),
    ("systemd-analyze", "systemd"),
    ("systemd-notify", "systemd"),
    ("unshare", "util-linux"),
    ("zsh", "zsh"),
];

/// Directories of system services, which may not be in `PATH`.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The path of a program. If it is missing, the test fails with a message that names its package.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(SYSTEM.map(PathBuf::from));
    let found = places.map(|place| place.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{}", missing(name)))
}

fn missing(name: &str) -> String {
    let package = PACKAGES.into_iter().find(|(known, _)| *known == name).map(|(_, package)| package);
    let package = package.unwrap_or_else(|| panic!("{name} has no line in tests/suite/harness/needs.rs"));
    format!("{name} is missing: install the Debian package {package}")
}

/// The directory of the programs of PostgreSQL, which Debian has in one for each release.
pub fn postgresql() -> PathBuf {
    let releases = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places = releases.map(|release| release.path().join("bin"));
    places.find(|place| place.join("postgres").is_file()).unwrap_or_else(|| panic!("{}", missing("postgres")))
}

/// The library of `faketime`, which gives a process another clock. Without it, as in a static program, a test leaves out `what`.
pub fn clock_library(what: &str) -> Option<PathBuf> {
    // A program that loads libraries names its loader near its beginning.
    let path = Subject::Ours.path(Program::Supervisord);
    let content = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if !content.windows(4).take(4096).any(|bytes| bytes == b"/ld-") {
        eprintln!("left out, because {} loads no libraries: {what}", path.display());
        return None;
    }
    program("faketime");
    let machine = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let places = [machine.as_str(), "/usr/lib64", "/usr/lib"].map(|place| Path::new(place).join("faketime"));
    let found = places.map(|place| place.join("libfaketimeMT.so.1")).into_iter().find(|path| path.exists());
    Some(found.unwrap_or_else(|| panic!("libfaketimeMT.so.1 is missing: install the Debian package faketime")))
}

/// Privileges that even root may lack, for example in a container.
#[derive(Clone, Copy, Debug)]
pub enum Power {
    /// To mount a file system in a private mount namespace.
    Mount,
    /// To be process 1 of a new pid namespace.
    BeFirstProcess,
    /// To have a network of its own.
    OwnNetwork,
    /// To start a program as another user.
    ChangeUser,
    /// To drop CAP_KILL, which allows root to signal processes of other users.
    ForgoSignals,
    /// To drop CAP_SYS_PTRACE, which allows root to inspect processes of other users.
    ForgoTracing,
}

impl Power {
    /// Whether the test has the privilege; if not, prints what is left out and why.
    pub fn is_there_for(self, what: &str) -> bool {
        let (command, purpose) = match self {
            Power::Mount => ("unshare --mount mount -t tmpfs none /mnt", "mount a file system"),
            Power::BeFirstProcess => ("unshare --pid --fork --mount-proc true", "have process ids of its own"),
            Power::OwnNetwork => ("unshare --net true", "have a network of its own"),
            Power::ChangeUser => ("setpriv --reuid=65534 --regid=65534 --clear-groups true", "become another user"),
            Power::ForgoSignals => ("setpriv --bounding-set=-kill setpriv --reuid=65534 true", "give up CAP_KILL"),
            Power::ForgoTracing => ("setpriv --bounding-set=-sys_ptrace true", "give up CAP_SYS_PTRACE"),
        };
        program("unshare");
        let mut words = command.split(' ');
        let mut probe = Command::new(words.next().unwrap_or_default());
        let probe = probe.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let refusal = match probe {
            Ok(output) if output.status.success() => return true,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("left out, because this user may not {purpose} ({refusal}): {what}");
        false
    }
}

#[test]
fn a_missing_program_is_reported_with_its_package() {
    for (name, package) in PACKAGES {
        assert_eq!(missing(name), format!("{name} is missing: install the Debian package {package}"));
    }
    assert!(program("unshare").is_absolute());
    let installer = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/run")).expect("it is there");
    // Every Debian has the others.
    for (name, package) in PACKAGES.into_iter().filter(|(_, package)| *package != "util-linux") {
        assert!(installer.lines().any(|line| line.contains(name) && line.contains(package)), "{name}");
    }
}

/// Whether the kernel is of this release or a later one.
pub fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux says its release");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}
