//! `supervisor-fleet`: the agent beside a daemon, the client and the hub.

fn main() -> std::process::ExitCode {
    supervisord_fleet::main()
}
