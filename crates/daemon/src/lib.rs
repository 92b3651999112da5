//! The supervisord daemon: start-up and the control, output and network planes.

pub mod activity;
pub mod calls;
pub mod echo_conf;
pub mod follow;
pub mod network;
pub mod output;
pub mod pidproxy;
pub mod view;

/// Runs `supervisord`.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
