//! `pidproxy`, which stands in for a daemon that puts itself into the background.

fn main() -> std::process::ExitCode {
    supervisord_daemon::pidproxy::main(std::env::args_os().collect())
}
