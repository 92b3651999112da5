//! `supervisorctl`, the client.

fn main() -> std::process::ExitCode {
    supervisord_ctl::main()
}
