//! `supervisord`, the daemon.

fn main() -> std::process::ExitCode {
    supervisord_daemon::main()
}
