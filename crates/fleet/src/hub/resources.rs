//! What the page reads: all hosts as JSON.

use serde_json::{Value, json};

use super::people::HubPerson;
use crate::fleet_view::{FleetView, HostLink};

/// The hosts that exist for somebody, at a time of the server.
pub(super) fn hosts(view: &FleetView, person: &HubPerson, server_now: u64) -> Value {
    let visible = view.hosts().iter().filter(|(name, host)| person.sees(name.as_str(), &host.inventory.labels));
    let hosts = visible.map(|(name, host)| {
        let link = host.link(server_now);
        // What is not connected may have changed since.
        let is_stale = link != HostLink::Connected;
        let programs = host.inventory.programs.iter().map(|program| {
            json!({
                "group": program.group, "name": program.name, "state": program.state, "since": program.since,
                "description": program.description, "health": program.health, "problem": program.problem(),
            })
        });
        json!({
            "host": name, "link": link.word(), "stale": is_stale, "seen": host.seen().map(|seen| seen as f64 / 1000.0),
            "labels": host.inventory.labels, "identifier": host.inventory.identifier,
            "version": host.inventory.version, "omitted": host.inventory.omitted,
            "programs": programs.collect::<Vec<_>>(),
        })
    });
    json!({
        "me": { "name": person.name.as_str(), "role": person.role.word() },
        "now": server_now as f64 / 1000.0,
        "hosts": hosts.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::people::HubPeople;
    use super::*;

    #[test]
    fn hosts_of_others_do_not_exist() {
        let mut view = FleetView::default();
        for host in ["web1", "db1"] {
            let presence = br#"{"boot":"x","has_daemon":true}"#;
            view.take(&format!("$KV.fleet.presence.{host}"), presence, 1000, 0);
        }
        let hash = "0".repeat(64);
        let file = format!("ann viewer {{SHA256}}{hash} web*");
        assert!(HubPeople::read(Some(&file)).unwrap().identify(None, Some("x")).is_none());
        let everybody = HubPeople::read(None).unwrap().identify(None, None).unwrap();
        let shown = hosts(&view, &everybody, 1000);
        assert_eq!(shown["hosts"].as_array().unwrap().len(), 2);
        assert_eq!((&shown["hosts"][0]["link"], &shown["me"]["role"]), (&json!("connected"), &json!("viewer")));
        assert_eq!(hosts(&view, &everybody, 100_000)["hosts"][0]["link"], "lost");
    }
}
