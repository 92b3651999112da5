//! The tests of the whole product from outside: real daemons, real children, real sockets.
//!
//! The same tests run against two subjects, the original (Supervisor 4.3.0 in Python) and ours; see
//! [`harness::subject`] for how to choose. Expected output is observed from the original, not typed from memory.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the output is for the user of the command")]

mod harness;
mod health;

mod blocked_logs;
mod browser;
mod changing;
mod checking;
mod command_line;
mod compatibility;
mod completions;
mod containers;
mod defects;
mod differences;
mod documents;
mod enablement;
mod env_command;
mod environment_files;
mod events;
mod exit_statuses;
mod fastcgi;
mod forwarding;
mod hooks;
mod http;
mod layering;
mod life;
mod listeners;
mod log_formats;
mod messages;
mod methods;
mod one_program;
mod oneshot;
mod options;
mod order;
mod output_memory;
mod pidproxy;
mod plugins;
mod readiness;
mod real_configs;
mod refused;
mod reload;
mod reread;
mod restarts;
mod rights;
mod rotated_logs;
mod scale;
mod scaling;
mod scripts;
mod secrets;
mod service_manager;
mod shell;
mod signals;
mod stopping;
mod supervisorctl;
mod survival;
mod templates;
mod terminals;
mod third_party;
mod tls;
mod top;
mod torture;
mod troubleshooting;
mod unreachable;
mod upstream;
mod users;
mod verbs;
mod web_page;
mod webapp;
