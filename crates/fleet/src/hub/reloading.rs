//! What a hub reads again when it is asked to: who may use it, and its certificate.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use supervisord_tls::server_certificates::TlsContext;

use super::context::HubContext;
use super::people::HubPeople;
use crate::fleet_error::FleetError;
use crate::signal_pipe::SignalPipe;

/// Reads who may use the hub.
pub(super) fn people(file: Option<&Path>) -> Result<HubPeople, FleetError> {
    let unreadable = |file: &Path, error| FleetError::Other(format!("--people {}: {error}", file.display()));
    let text = file.map(|file| std::fs::read_to_string(file).map_err(|error| unreadable(file, error))).transpose()?;
    HubPeople::read(text.as_deref()).map_err(FleetError::Usage)
}

/// Reads both again whenever somebody asks for it, for ever. What cannot be read stays as it is.
pub(super) async fn obey(
    context: Rc<HubContext>,
    requests: SignalPipe,
    people_file: Option<PathBuf>,
    tls: Option<TlsContext>,
) {
    loop {
        requests.next().await;
        match people(people_file.as_deref()) {
            Ok(people) => {
                *context.people.borrow_mut() = people;
                (context.log)("the hub has read its people again");
            }
            Err(error) => (context.log)(&format!("the hub keeps the people it has: {error}")),
        }
        match tls.as_ref().map(TlsContext::reload) {
            None => {}
            Some(Ok(())) => (context.log)("the hub has read its certificate again"),
            Some(Err(error)) => (context.log)(&format!("the hub keeps the certificate it has: {error}")),
        }
    }
}
