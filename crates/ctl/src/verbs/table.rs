//! The table of actions.

use super::rolling;
use super::update;
use super::verb::{Arguments, Completion, DaemonCheck, Flags, Verb};
use super::watch::WATCH;
use super::wide::{JSON, WIDE};
use super::{
    configuration, control, daemon, dependents, enablement, events, foreground, health, help, listing, logs, mcp,
    merged_logs, reload, scale, top, wait, why,
};
use crate::status;

/// All actions, in alphabetical order.
pub static VERBS: [Verb; 34] = [
    Verb {
        name: "EOF",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Own,
        completion: Completion::None,
        help: None,
        run: daemon::leave,
    },
    Verb {
        name: "add",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[]),
        completion: Completion::Groups,
        help: Some("add <name> [...]\tActivate groups that are configured, but not yet active\n"),
        run: configuration::add,
    },
    Verb {
        name: "avail",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        flags: Flags::Only(&[JSON]),
        completion: Completion::None,
        help: Some(
            "avail\t\t\tList everything that is configured, active or not\n\
             avail --json\t\tThe same as JSON\n",
        ),
        run: listing::avail,
    },
    Verb {
        name: "clear",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        flags: Flags::Only(&[]),
        completion: Completion::Processes,
        help: Some(
            "clear <name>\t\tEmpty the logs of a process\n\
             clear <name> <name>\tEmpty the logs of several processes\n\
             clear all\t\tEmpty the logs of all processes\n",
        ),
        run: control::clear,
    },
    Verb {
        name: "disable",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        flags: Flags::Only(&[enablement::LIST, JSON]),
        completion: Completion::Processes,
        help: Some(
            "disable <name> [...]\tStop processes; nothing starts them until they are enabled, not even a reboot\n\
             disable <gname>:*\tThe same for all processes of a group\n\
             disable --list\t\tWhat is disabled, also what is no longer configured\n\
             disable --json [...]\tWhat became of each, as JSON\n",
        ),
        run: enablement::disable,
    },
    Verb {
        name: "enable",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        flags: Flags::Only(&[enablement::NOW, JSON]),
        completion: Completion::Processes,
        help: Some(
            "enable <name> [...]\tLet disabled processes be started again, without starting them\n\
             enable --now <name>\tThe same, and start them\n\
             enable --json [...]\tWhat became of each, as JSON\n",
        ),
        run: enablement::enable,
    },
    events::VERB,
    Verb {
        name: "exit",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Own,
        completion: Completion::None,
        help: Some("exit\tLeave the shell\n"),
        run: daemon::leave,
    },
    Verb {
        name: "fg",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[]),
        completion: Completion::Processes,
        help: Some(
            "fg <process>\tTalk to a process: its output is shown, what you type goes to its input\n\
             \t\tCtrl-C leaves it running in the background\n",
        ),
        run: foreground::fg,
    },
    Verb {
        name: "health",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Only(&["--quiet", JSON]),
        completion: Completion::Processes,
        help: Some(
            "health\t\t\tWhether all processes that should run are up and healthy: exit status 0, else 1\n\
             health <name>\t\tWhether a process is\n\
             health <gname>:*\tWhether all processes of a group are\n\
             health -q [...]\t\tThe same, but print nothing\n\
             health --json [...]\tThe list as JSON\n",
        ),
        run: health::health,
    },
    Verb {
        name: "help",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Own,
        completion: Completion::Verbs,
        help: None,
        run: help::help,
    },
    merged_logs::VERB,
    Verb {
        name: "maintail",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        flags: Flags::Own,
        completion: Completion::None,
        help: Some(
            "maintail -f\tFollow the log of the supervisor itself until Ctrl-C\n\
             maintail -100\tIts last 100 *bytes*\n\
             maintail\tIts last 1600 *bytes*\n",
        ),
        run: logs::maintail,
    },
    mcp::VERB,
    Verb {
        name: "open",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Own,
        completion: Completion::None,
        help: Some(
            "open <url>\tControl the supervisor at another address from now on\n\
             \t\t(a socket in the file system is unix:///path/of/socket)\n",
        ),
        run: daemon::open,
    },
    Verb {
        name: "pid",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[JSON]),
        completion: Completion::Processes,
        help: Some(
            "pid\t\t\tThe process id of the supervisor\n\
             pid <name>\t\tThe process id of a process\n\
             pid all\t\t\tThe process ids of all processes, one per line\n\
             pid --json [...]\tThe same as JSON\n",
        ),
        run: listing::pid,
    },
    Verb {
        name: "quit",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Own,
        completion: Completion::None,
        help: Some("quit\tLeave the shell\n"),
        run: daemon::leave,
    },
    Verb {
        name: "reload",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[]),
        completion: Completion::Processes,
        help: Some(
            "reload\t\t\tStop everything and begin again with the configuration read anew\n\
             reload <name> [...]\tHave programs read their own configurations again (reload_signal, reload_command)\n\
             reload <gname>:*\tThe same for all programs of a group that run\n",
        ),
        run: reload::reload,
    },
    Verb {
        name: "remove",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[]),
        completion: Completion::Groups,
        help: Some("remove <name> [...]\tForget groups whose processes are all stopped\n"),
        run: configuration::remove,
    },
    Verb {
        name: "reread",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        flags: Flags::Only(&[JSON]),
        completion: Completion::None,
        help: Some(
            "reread\t\t\tRead the configuration and say what differs; nothing is started or stopped\n\
             reread --json\t\tThe same as JSON, with the warnings about it\n",
        ),
        run: configuration::reread,
    },
    Verb {
        name: "restart",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        flags: Flags::Only(&[dependents::DEPENDENTS, rolling::ROLLING]),
        completion: Completion::Processes,
        help: Some(
            "restart <name>\t\tStop and start a process\n\
             restart <gname>:*\tStop and start all processes of a group\n\
             restart <name> <name>\tStop and start several processes or groups\n\
             restart --dependents <name>\tStop and start it and all that depend on it and run\n\
             restart all\t\tStop and start all processes\n\
             restart --rolling[=N|P%] ...\tN (or P percent) at a time, the next when these are ready; 1 without N\n\
             The configuration is not read again; for that there are reread and update.\n",
        ),
        run: rolling::restart,
    },
    Verb {
        name: "scale",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[scale::PERSIST, JSON]),
        completion: Completion::Numbers,
        help: Some(
            "scale <name>=<number> [...]\tRun so many processes of a program; only the difference starts or stops\n\
             scale <name>=+<number>\tSo many more; with - so many fewer\n\
             scale --persist [...]\tThe same, and write it into a file that the configuration includes\n\
             scale --json [...]\tWhat has been done, as JSON\n",
        ),
        run: scale::scale,
    },
    Verb {
        name: "shutdown",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        flags: Flags::Own,
        completion: Completion::None,
        help: Some("shutdown\tStop everything and end the supervisor\n"),
        run: daemon::shutdown,
    },
    Verb {
        name: "signal",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[]),
        completion: Completion::Processes,
        help: Some(
            "signal <signal name> <name>\t\tSend a signal to a process\n\
             signal <signal name> <gname>:*\t\tSend a signal to all processes of a group\n\
             signal <signal name> <name> <name>\tSend a signal to several processes or groups\n\
             signal <signal name> all\t\tSend a signal to all processes\n",
        ),
        run: control::signal,
    },
    Verb {
        name: "start",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::INVALID_ARGUMENTS),
        flags: Flags::Only(&[dependents::DEPENDENTS]),
        completion: Completion::Processes,
        help: Some(
            "start <name>\t\tStart a process\n\
             start <gname>:*\t\tStart all processes of a group\n\
             start <name> <name>\tStart several processes or groups\n\
             start --dependents <name>\tStart it and all that depend on it\n\
             start all\t\tStart all processes\n",
        ),
        run: dependents::start,
    },
    Verb {
        name: "status",
        daemon_check: DaemonCheck::CheckedAs(status::STATUS_UNKNOWN),
        arguments: Arguments::Any,
        flags: Flags::Only(&[WATCH, WIDE, JSON]),
        completion: Completion::Processes,
        help: Some(
            "status <name>\t\tThe state of a process\n\
             status <gname>:*\tThe states of all processes of a group\n\
             status <name> <name>\tThe states of several processes or groups\n\
             status\t\t\tThe states of all processes\n\
             status --wide [...]\tWith restarts, the next start, the last end and the last line of stderr\n\
             status --watch [...]\tAgain whenever something has changed, until Ctrl-C\n\
             status --json [...]\tAll that is known, as JSON\n",
        ),
        run: listing::status,
    },
    Verb {
        name: "stop",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Names(status::GENERIC),
        flags: Flags::Only(&[dependents::DEPENDENTS]),
        completion: Completion::Processes,
        help: Some(
            "stop <name>\t\tStop a process\n\
             stop <gname>:*\t\tStop all processes of a group\n\
             stop <name> <name>\tStop several processes or groups\n\
             stop --dependents <name>\tStop a process or group after all that depend on it\n\
             stop all\t\tStop all processes\n",
        ),
        run: dependents::stop,
    },
    Verb {
        name: "tail",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::Any,
        flags: Flags::Own,
        completion: Completion::Processes,
        help: Some(
            "tail [-f] <name> [stdout|stderr] (default stdout)\n\
             For instance:\n\
             tail -f <name>\t\tFollow the output of a process until Ctrl-C\n\
             tail -100 <name>\tIts last 100 *bytes*\n\
             tail <name> stderr\tThe last 1600 *bytes* of its error output\n",
        ),
        run: logs::tail,
    },
    top::VERB,
    Verb {
        name: "update",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::Any,
        flags: Flags::Only(&[update::PLAN, update::MINIMAL, update::GROUPS, JSON]),
        completion: Completion::Groups,
        help: Some(
            "update\t\t\tRead the configuration; add, remove and restart what differs\n\
             update all\t\tThe same\n\
             update <gname> [...]\tThe same for these groups only\n\
             update --minimal [...]\tRestart only the processes that need it, not their groups\n\
             update --groups [...]\tRestart whole groups, also with update=minimal in the file\n\
             update --plan [...]\tSay what would be done, and do nothing\n\
             update --json [...]\tThe plan as JSON, with --plan or with --minimal\n",
        ),
        run: update::update,
    },
    Verb {
        name: "upgrade",
        daemon_check: DaemonCheck::Unchecked,
        arguments: Arguments::None,
        flags: Flags::Own,
        completion: Completion::None,
        help: Some("upgrade\t\tReplace the supervisor by the program now on disk; all processes keep running\n"),
        run: daemon::upgrade,
    },
    Verb {
        name: "version",
        daemon_check: DaemonCheck::Checked,
        arguments: Arguments::None,
        flags: Flags::Only(&[daemon::LONG, JSON]),
        completion: Completion::None,
        help: Some(
            "version\t\t\tThe version of Supervisor with which the supervisor is compatible\n\
             version --long\t\tAlso the versions of the programs themselves\n\
             version --json\t\tAll of it as JSON\n",
        ),
        run: daemon::version,
    },
    Verb {
        name: "wait",
        daemon_check: DaemonCheck::CheckedAs(status::GENERIC),
        arguments: Arguments::Names(status::GENERIC),
        flags: Flags::Only(&["--for", JSON, "--timeout"]),
        completion: Completion::Awaited,
        help: Some(
            "wait <name> [...]\tWait until processes are RUNNING: exit status 0, else 1 with the reason\n\
             wait <gname>:*\t\tWait for all processes of a group\n\
             wait all\t\tWait for all processes\n\
             wait <name> --for running|ready|healthy|stopped\n\
             wait <name> --timeout 2min\tHow long at most (30s)\n\
             wait --json [...]\tHow far each has got, as JSON\n",
        ),
        run: wait::wait,
    },
    Verb {
        name: "why",
        daemon_check: DaemonCheck::CheckedAs(status::STATUS_UNKNOWN),
        arguments: Arguments::Names(status::GENERIC),
        flags: Flags::Only(&[JSON]),
        completion: Completion::Processes,
        help: Some(
            "why <name> [...]\tWhy processes are in their states: ends, attempts, what they wait for, who asked\n\
             why <gname>:*\t\tThe same for all processes of a group\n\
             why all\t\t\tThe same for all processes\n\
             why --json <name>\tThe same as JSON\n",
        ),
        run: why::why,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_are_unique() {
        assert!(VERBS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn help_texts_are_whole_lines_that_name_their_action() {
        for verb in &VERBS {
            if let Some(help) = verb.help {
                assert!(help.starts_with(verb.name) && help.ends_with('\n'), "{}", verb.name);
            }
        }
    }
}
