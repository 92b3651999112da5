//! Which exits of a program are expected.

use supervisord_config::model::Process;

use crate::exit_status::ExitStatus;

/// `exitcodes`: the expected exit statuses. Death by a signal is never expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitRule<'a> {
    expected: &'a [i32],
}

impl ExitRule<'_> {
    /// The rule of a program.
    pub fn of(config: &Process) -> ExitRule<'_> {
        ExitRule { expected: &config.restart.exitcodes }
    }

    /// Whether this exit is expected.
    pub fn expects(self, status: ExitStatus) -> bool {
        self.expected.contains(&status.number())
    }
}

#[cfg(test)]
mod tests {
    use supervisord_config::samples;

    use super::*;

    #[test]
    fn the_listed_statuses_are_expected_and_no_others() {
        let mut config = samples::process("p");
        config.restart.exitcodes = vec![0, 2];
        let rule = ExitRule::of(&config);
        let expected: Vec<i32> = (0..=255).filter(|code| rule.expects(ExitStatus::Code(*code))).collect();
        assert_eq!(expected, [0, 2]);
        assert!(!rule.expects(ExitStatus::Signal { number: 2, core_dumped: false }));
        assert!(!rule.expects(ExitStatus::Unknown));
        assert!(!rule.expects(ExitStatus::Other(0)));
    }
}
