//! Making the configuration active as a whole: what `supervisorctl update` does by one call after the other.

use std::time::Duration;

use supervisord_config::diff::Difference;
use supervisord_config::model::UpdateMode;
use supervisord_core::actor::Actor;
use supervisord_core::call::{Answer, Call, Reason, Refusal};
use supervisord_core::update_plan::UpdatePlan;
use tokio::time::timeout;

use super::Api;
use crate::calls::CallFailure;

/// How long others who read the configuration again wait for an update of the service manager, which waits as long for it.
const RELOAD_WAIT_LIMIT: Duration = Duration::from_secs(90);

/// What an update has done.
#[derive(Default)]
pub struct UpdateOutcome {
    /// Groups that are new.
    pub added: Vec<String>,
    /// Groups that are defined in another way.
    pub changed: Vec<String>,
    /// Groups that are no longer configured.
    pub removed: Vec<String>,
    /// What has been done, where only what cannot do without was restarted.
    pub plan: Option<UpdatePlan>,
}

/// Why an update was not done, or not to its end.
pub enum UpdateFailure {
    /// No group has this name. Nothing has changed.
    UnknownGroup(String),
    /// It was refused. Nothing has changed.
    Refused(CallFailure),
    /// This group could not be updated, after this had been done.
    Group(String, CallFailure, Box<UpdateOutcome>),
}

impl From<CallFailure> for UpdateFailure {
    fn from(failure: CallFailure) -> UpdateFailure {
        UpdateFailure::Refused(failure)
    }
}

impl From<Refusal> for UpdateFailure {
    fn from(refusal: Refusal) -> UpdateFailure {
        UpdateFailure::Refused(refusal.into())
    }
}

impl Api {
    /// Reads the configuration again: [`Answer::Difference`]. One that cannot be read changes nothing.
    pub async fn reload_config(&self, actor: &Actor) -> Result<Answer, CallFailure> {
        if self.updating.try_lock().is_err() {
            // Who compares with a configuration that is just being made active would do the same once more, and fail.
            drop(timeout(RELOAD_WAIT_LIMIT, self.updating.lock()).await);
        }
        self.reread(actor).await
    }

    /// Makes the configuration active, all groups of it or those that are named: groups that are gone are stopped and removed,
    /// changed ones are replaced, new ones added; or only what cannot do without is restarted. Without a mode the configuration
    /// says which.
    pub async fn update(
        &self,
        actor: &Actor,
        mode: Option<UpdateMode>,
        groups: Vec<String>,
    ) -> Result<UpdateOutcome, UpdateFailure> {
        let difference = difference(self.reload_config(actor).await?)?;
        self.apply(actor, difference, mode, groups).await
    }

    /// The same for everything, while others who read the configuration again wait: systemd may have it updated by a command at
    /// the same time.
    pub async fn update_alone(&self, actor: &Actor) -> Result<UpdateOutcome, UpdateFailure> {
        let turn = self.updating.lock().await;
        let difference = difference(self.reread(actor).await?)?;
        let outcome = self.apply(actor, difference, None, Vec::new()).await;
        drop(turn);
        outcome
    }

    async fn apply(
        &self,
        actor: &Actor,
        difference: Difference,
        mode: Option<UpdateMode>,
        groups: Vec<String>,
    ) -> Result<UpdateOutcome, UpdateFailure> {
        let Difference { mut added, changed, mut removed } = difference;
        let mut changed: Vec<String> = changed.into_iter().map(|group| group.name).collect();
        if !groups.is_empty() {
            let view = self.view(actor)?;
            let is_known = |group: &&String| view.has_group(group) || added.contains(group);
            if let Some(unknown) = groups.iter().find(|group| !is_known(group)) {
                return Err(UpdateFailure::UnknownGroup(unknown.clone()));
            }
            for names in [&mut added, &mut changed, &mut removed] {
                names.retain(|name| groups.contains(name));
            }
        }
        let configured = self.view(actor)?.config().supervisord.update;
        if mode.unwrap_or(configured) == UpdateMode::Minimal {
            let plan = match self.update_minimally(actor, groups).await? {
                Answer::Plan(plan) => Some(*plan),
                Answer::Done | Answer::Statuses(_) | Answer::Difference(_) => None,
            };
            return Ok(UpdateOutcome { added, changed, removed, plan });
        }
        let mut done = UpdateOutcome::default();
        for group in removed {
            match self.remove(actor, &group).await {
                Ok(()) => done.removed.push(group),
                Err(failure) => return Err(UpdateFailure::Group(group, failure, done.into())),
            }
        }
        for group in changed {
            let replaced = match self.remove(actor, &group).await {
                Ok(()) => self.add(actor, &group).await,
                Err(failure) => Err(failure),
            };
            match replaced {
                Ok(()) => done.changed.push(group),
                Err(failure) => return Err(UpdateFailure::Group(group, failure, done.into())),
            }
        }
        for group in added {
            match self.add(actor, &group).await {
                Ok(()) => done.added.push(group),
                Err(failure) => return Err(UpdateFailure::Group(group, failure, done.into())),
            }
        }
        Ok(done)
    }

    /// Stops a group and removes it.
    async fn remove(&self, actor: &Actor, group: &str) -> Result<(), CallFailure> {
        self.call(actor, Call::StopProcessGroup { group: group.to_owned(), wait: true }).await?;
        self.call(actor, Call::RemoveProcessGroup { group: group.to_owned() }).await?;
        Ok(())
    }

    async fn add(&self, actor: &Actor, group: &str) -> Result<(), CallFailure> {
        self.call(actor, Call::AddProcessGroup { group: group.to_owned() }).await?;
        Ok(())
    }
}

fn difference(answer: Answer) -> Result<Difference, UpdateFailure> {
    match answer {
        Answer::Difference(difference) => Ok(difference),
        Answer::Done | Answer::Statuses(_) | Answer::Plan(_) => Err(Refusal::new(Reason::Failed).into()),
    }
}
