//! The supervisorctl client.

/// Runs `supervisorctl`.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
