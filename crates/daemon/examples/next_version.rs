//! `supervisord` as it will be when the form of its state has changed: for the tests of what happens then.

use std::process::ExitCode;

use supervisord_daemon::start;
use supervisord_daemon::state::version;

fn main() -> ExitCode {
    version::pretend_to_be_later();
    start::main()
}
