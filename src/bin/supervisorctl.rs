//! `supervisorctl`, the client.

fn main() -> std::process::ExitCode {
    supervisord_ctl::main(std::env::args_os().collect())
}
