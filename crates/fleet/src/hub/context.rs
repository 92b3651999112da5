//! What all connections of a hub share.

use std::cell::{Cell, RefCell};

use tokio::sync::watch;

use super::owed_starts::OwedStarts;
use super::people::HubPeople;
use super::python_member::PythonMember;
use crate::fleet_client::FleetClient;
use crate::fleet_view::FleetView;

/// What all connections share.
pub(super) struct HubContext {
    pub(super) client: FleetClient,
    pub(super) view: RefCell<FleetView>,
    /// Grows when the view has changed.
    pub(super) revision: watch::Sender<u64>,
    pub(super) people: RefCell<HubPeople>,
    pub(super) python: Vec<PythonMember>,
    pub(super) owed_starts: OwedStarts,
    /// Whether it was asked to end: nothing new begins.
    pub(super) is_ending: Cell<bool>,
    pub(super) log: fn(&str),
}

impl HubContext {
    /// Whether an entry of the bucket has the name of a daemon that the hub itself asks.
    pub(super) fn is_python_key(&self, subject: &str) -> bool {
        self.python.iter().any(|member| {
            let name = member.name().as_str();
            subject.strip_suffix(name).is_some_and(|head| head.ends_with("presence.") || head.ends_with("inventory."))
        })
    }
}
