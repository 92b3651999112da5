//! `echo_supervisord_conf`, which prints a sample configuration.

fn main() -> std::process::ExitCode {
    supervisord_daemon::echo_conf::main()
}
