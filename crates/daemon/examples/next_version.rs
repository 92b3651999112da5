//! `supervisord` as it will be when the form of its state has changed: for the tests of what happens then.

use std::process::ExitCode;

use supervisord_daemon::{start, state_version};

fn main() -> ExitCode {
    state_version::pretend_to_be_later();
    start::main()
}
