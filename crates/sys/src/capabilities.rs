//! What each system offers, as far as users notice: one table, which the daemon uses and `docs/systems.md` shows.

/// The features of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The name of the system.
    pub name: &'static str,
    /// Programs survive when the daemon is killed, and the next daemon takes them over.
    pub take_over: bool,
    /// The next daemon learns the exit status of programs that it did not start.
    pub exit_status_after_take_over: bool,
    /// A signal reaches exactly the intended process, never another one that got its process id later.
    pub exact_signals: bool,
    /// Output on its way to a log survives when the daemon is killed (`splice` and `tee` between pipes).
    pub output_survives: bool,
    /// Starting a program copies none of the daemon's memory.
    pub spawn_without_copy: bool,
    /// As root, the daemon opens no file through a link that another user has planted.
    pub checks_paths: bool,
    /// A message names the process that listens on a port in use.
    pub names_port_holder: bool,
    /// The number of processes can be limited (`minprocs`).
    pub process_limit: bool,
    /// A signal reaches all descendants of a program, wherever they have gone.
    pub process_trees: bool,
    /// It is known how many processes were killed for want of memory.
    pub memory_kills: bool,
    /// Programs can notify the daemon as they notify systemd (`ready_when=notify`).
    pub notifications: bool,
}

/// Linux.
pub const LINUX: Capabilities = Capabilities {
    name: "Linux",
    take_over: true,
    exit_status_after_take_over: true,
    exact_signals: true,
    output_survives: true,
    spawn_without_copy: true,
    checks_paths: true,
    names_port_holder: true,
    process_limit: true,
    process_trees: true,
    memory_kills: true,
    notifications: true,
};

/// macOS.
pub const MACOS: Capabilities = Capabilities {
    name: "macOS",
    take_over: false,
    exit_status_after_take_over: false,
    exact_signals: false,
    output_survives: false,
    spawn_without_copy: false,
    checks_paths: false,
    names_port_holder: false,
    process_limit: true,
    process_trees: false,
    memory_kills: false,
    notifications: false,
};

/// FreeBSD.
pub const FREEBSD: Capabilities = Capabilities { name: "FreeBSD", ..MACOS };

/// Solaris and illumos.
pub const SOLARIS: Capabilities = Capabilities { name: "Solaris, illumos", process_limit: false, ..MACOS };

/// All supported systems.
pub const SYSTEMS: [Capabilities; 4] = [LINUX, MACOS, FREEBSD, SOLARIS];

/// A row of the table: the feature, the first release of Linux with it, and whether a system offers it.
type Row = (&'static str, &'static str, fn(&Capabilities) -> bool);

const ROWS: [Row; 11] = [
    ("Programs go on when the daemon is killed; the next one takes them over (`adopt`)", "5.3", |system| {
        system.take_over
    }),
    ("Exit status of programs that were taken over", "6.15", |system| system.exit_status_after_take_over),
    ("Signals never reach another process with the number of one that has ended", "5.3", |system| system.exact_signals),
    ("Output on its way to a log survives a daemon that is killed", "", |system| system.output_survives),
    ("Programs are started without copying memory of the daemon (x86-64 and AArch64)", "5.16", |system| {
        system.spawn_without_copy
    }),
    (
        "As root, nothing that another user has put in the way of a log or socket leads to a file elsewhere",
        "",
        |system| system.checks_paths,
    ),
    ("The process that already listens at an address is named", "", |system| system.names_port_holder),
    ("`minprocs`", "", |system| system.process_limit),
    ("A stop reaches all descendants of a program, whatever they do (`kill_scope=tree`)", "5.3", |system| {
        system.process_trees
    }),
    ("`why` tells a program that was killed for want of memory from others", "4.13", |system| system.memory_kills),
    ("Programs notify the daemon as they notify systemd (`ready_when=notify`)", "", |system| system.notifications),
];

/// The table as the documentation shows it.
pub fn markdown_table() -> String {
    let mut table = String::from("| |");
    let mut line = String::from("|---|");
    for system in SYSTEMS {
        table += &format!(" {} |", system.name);
        line += "---|";
    }
    table = format!("{table}\n{line}\n");
    for (what, since, is_offered) in ROWS {
        table += &format!("| {what} |");
        for system in SYSTEMS {
            let answer = match (is_offered(&system), since) {
                (false, _) => "–".to_owned(),
                (true, "") => "yes".to_owned(),
                (true, since) => format!("from {since} on"),
            };
            table += &format!(" {answer} |");
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_shows_the_table() {
        let text = include_str!("../../../docs/systems.md");
        assert!(text.contains(&markdown_table()), "docs/systems.md is to contain\n{}", markdown_table());
    }
}
