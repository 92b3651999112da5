//! A stream that tells that something has changed, whatever it is, for clients that wait for something and read it again then.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use supervisord_core::actor::Actor;

use super::endpoint::SchemaOf;
use super::messages::Nothing;
use super::problem::Problem;
use super::request::{ApiRequest, event_stream};
use crate::api::Api;
use crate::network::reply::{Broken, Reply};
use crate::network::streams::StreamSource;

/// One event, which is the same for everything.
const CHANGED: &[u8] = b"event: changed\ndata: {}\n\n";

pub(super) async fn stream(request: ApiRequest<'_>) -> Result<Reply, Problem> {
    let (api, actor) = (request.api.clone(), request.actor.clone());
    api.view(&actor)?;
    let reply = match *request.method == Method::HEAD {
        true => Reply::whole(StatusCode::OK, ""),
        false => {
            let slot = request.streams.slot().ok_or_else(Problem::too_many_streams)?;
            let content = slot.start(FollowedChanges { api, actor, revision: None }, request.socket.clone());
            Reply { status: StatusCode::OK, headers: Vec::new(), content, reservation: None }
        }
    };
    Ok(event_stream(reply))
}

/// The changes that one client follows.
struct FollowedChanges {
    api: Arc<Api>,
    actor: Actor,
    /// The revision of the view of which the client has been told; none before the first.
    revision: Option<u64>,
}

impl StreamSource for FollowedChanges {
    async fn read(&mut self) -> Result<Option<Bytes>, Broken> {
        let revision = Some(self.api.view(&self.actor).map_err(|_| Broken)?.revision());
        // Several changes together are one event.
        let has_changed = std::mem::replace(&mut self.revision, revision) != revision;
        Ok(has_changed.then(|| Bytes::from_static(CHANGED)))
    }

    async fn changed(&mut self) {
        // Where the right is gone, the next attempt to read ends the stream.
        if let (Ok(view), Some(revision)) = (self.api.view(&self.actor), self.revision) {
            view.after(revision).await;
        }
    }

    fn recheck(&mut self) {}
}

/// The only event of the stream.
pub(super) const EVENTS: &[(&str, SchemaOf)] = &[("changed", |generator| generator.subschema_for::<Nothing>())];
