//! When a log is rotated and what is kept of it, as its users ask for it.

use std::sync::Arc;

use supervisord_core::output::ChannelPlan;
use supervisord_core::rotation::Rotation;
use supervisord_core::rotation::rules::RotationRules;

/// The limits of a log.
#[derive(Clone, Debug)]
pub(super) struct LogLimits {
    pub rotation: Rotation,
    /// None where there are none besides.
    pub rules: Option<Arc<RotationRules>>,
    /// Whether it leaves a part of its disk free. What the daemon itself says has its place there.
    pub leaves_reserve: bool,
}

impl LogLimits {
    /// A log that is never rotated.
    pub const NONE: LogLimits = LogLimits { rotation: Rotation::NEVER, rules: None, leaves_reserve: false };

    /// The limits of the log of this plan.
    pub fn of(plan: &ChannelPlan) -> LogLimits {
        let rotation = Rotation { maxbytes: plan.maxbytes, backups: plan.backups };
        LogLimits { rotation, rules: plan.rotation_rules.clone(), leaves_reserve: true }
    }

    /// Whether there are any.
    pub fn are_any(&self) -> bool {
        self.rotation.maxbytes > 0 || self.rules.is_some()
    }
}
