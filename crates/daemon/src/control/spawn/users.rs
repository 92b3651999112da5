//! The users that programs run as.

use std::collections::HashMap;

use supervisord_config::model::{LogLevel, Process};
use supervisord_config::pyrepr::repr;
use supervisord_sys::user::{RunAs, current_name, current_uid};

use crate::activity::Activity;
use crate::control::offload::{NoReply, Offload};

const DATABASE: &str = "the user database";

/// How each user was become last, for when the user database does not respond.
#[derive(Default)]
pub(super) struct Users(HashMap<u32, RunAs>);

impl Users {
    /// How to become the user of a process, where it has one. It is asked at every start: who was taken out of a group does
    /// not get it any more.
    pub(super) fn run_as(
        &mut self,
        process: &Process,
        offload: &mut Offload,
        activity: &Activity,
    ) -> Result<Option<RunAs>, NoReply> {
        let Some(uid) = process.spawn.user.as_ref().map(|user| user.uid) else { return Ok(None) };
        match offload.ask(DATABASE, move || RunAs::uid(uid)) {
            Ok(run_as) => {
                self.0.insert(uid, run_as.clone());
                Ok(Some(run_as))
            }
            Err(NoReply) => {
                let known = self.0.get(&uid).ok_or(NoReply)?;
                let text = format!(
                    "the user database does not respond; {} is started with the groups that its user had before",
                    repr(&process.identity.name)
                );
                activity.log(LogLevel::Warn, &text);
                Ok(Some(known.clone()))
            }
        }
    }
}

/// The name of the user the daemon runs as, or its number where nobody knows the name.
pub(super) fn own_name(offload: &mut Offload) -> String {
    offload.ask(DATABASE, current_name).unwrap_or_else(|NoReply| current_uid().to_string())
}
