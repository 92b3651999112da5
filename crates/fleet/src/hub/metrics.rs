//! `/metrics`, without input and output.

use std::fmt::Write as _;

use super::people::HubPerson;
use crate::fleet_view::{FleetView, HostLink};
use crate::report::ProgramReport;

/// The hosts that exist for somebody, in the text format of Prometheus, at a time of the server.
pub(super) fn text(view: &FleetView, person: &HubPerson, server_now: u64) -> String {
    let visible = || view.hosts().iter().filter(|(name, host)| person.sees(name.as_str(), &host.inventory.labels));
    let mut text = String::new();
    family(&mut text, "supervisor_fleet_host_up", "gauge", "Whether the agent of a host lives and reaches its daemon");
    for (name, host) in visible() {
        let up = u8::from(host.link(server_now) == HostLink::Connected);
        let (identifier, version) = (escaped(&host.inventory.identifier), escaped(&host.inventory.version));
        let _ = writeln!(
            text,
            "supervisor_fleet_host_up{{host=\"{name}\",identifier=\"{identifier}\",version=\"{version}\"}} {up}"
        );
    }
    family(&mut text, "supervisor_fleet_host_seen_timestamp_seconds", "gauge", "When a host was last heard of");
    for (name, host) in visible() {
        let Some(seen) = host.seen().map(|seen| seen as f64 / 1000.0) else { continue };
        let _ = writeln!(text, "supervisor_fleet_host_seen_timestamp_seconds{{host=\"{name}\"}} {seen}");
    }
    type Value = fn(&ProgramReport) -> Option<u8>;
    let programs: [(&str, &str, Value); 3] = [
        ("supervisord_program_up", "Whether a program is RUNNING", |program| Some(u8::from(program.is_running()))),
        ("supervisord_program_wanted_up", "Whether it was asked to run last", |program| {
            Some(u8::from(program.is_wanted))
        }),
        ("supervisord_program_healthy", "Whether its health check succeeds", |program| {
            program.health.as_deref().map(|health| u8::from(health == "healthy"))
        }),
    ];
    for (metric, about, value) in programs {
        family(&mut text, metric, "gauge", about);
        for (name, host) in visible() {
            for program in &host.inventory.programs {
                let Some(value) = value(program) else { continue };
                let (group, program) = (escaped(&program.group), escaped(&program.name));
                let _ = writeln!(text, "{metric}{{host=\"{name}\",group=\"{group}\",name=\"{program}\"}} {value}");
            }
        }
    }
    family(
        &mut text,
        "supervisor_fleet_refused_messages_total",
        "counter",
        "Messages of hosts that were not understood or had no room",
    );
    let _ = writeln!(text, "supervisor_fleet_refused_messages_total {}", view.refused);
    text
}

fn family(text: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

/// The value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::people::HubPeople;
    use super::*;

    #[test]
    fn a_hostile_name_stays_in_its_label() {
        let mut view = FleetView::default();
        let inventory = r#"{"programs":[{"group":"a\"b\n","name":"c\\","state":"RUNNING","is_wanted":true}]}"#;
        view.take("$KV.fleet.inventory.web1", inventory.as_bytes(), 1000, 0);
        view.take("$KV.fleet.presence.web1", br#"{"boot":"x","has_daemon":true}"#, 1500, 0);
        let everybody = HubPeople::read(None).unwrap().identify(None, None).unwrap();
        let text = text(&view, &everybody, 1500);
        let line = "supervisord_program_up{host=\"web1\",group=\"a\\\"b\\n\",name=\"c\\\\\"} 1\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("supervisor_fleet_host_up{host=\"web1\",identifier=\"\",version=\"\"} 1\n"));
        assert!(text.contains("seen_timestamp_seconds{host=\"web1\"} 1.5\n") && !text.contains("program_healthy{"));
    }
}
