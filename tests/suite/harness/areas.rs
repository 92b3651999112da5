//! The area of the product that a test belongs to.

use std::fmt;

/// The parts of a supervisor as its users see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    Configuration,
    CommandLine,
    Lifecycle,
    Signals,
    Users,
    FastCgi,
    Logs,
    Events,
    XmlRpc,
    Http,
    WebPage,
    Supervisorctl,
    Shell,
    Pidproxy,
    PlugIns,
    /// Third-party programs and configurations, unchanged.
    RealPrograms,
}

use Area::*;

/// All areas with their names, in the order of reports. The list of differences uses the same names.
const NAMES: [(Area, &str); 16] = [
    (Configuration, "configuration"),
    (CommandLine, "command line"),
    (Lifecycle, "lifecycle"),
    (Signals, "signals"),
    (Users, "users"),
    (FastCgi, "FastCGI"),
    (Logs, "logs"),
    (Events, "events"),
    (XmlRpc, "XML-RPC"),
    (Http, "HTTP"),
    (WebPage, "web page"),
    (Supervisorctl, "supervisorctl"),
    (Shell, "shell"),
    (Pidproxy, "pidproxy"),
    (PlugIns, "plug-ins"),
    (RealPrograms, "real programs"),
];

/// Modules, and single tests that belong to another area than the rest of their module.
pub const PLACES: [(&str, Area); 46] = [
    ("command_line", CommandLine),
    ("documents", RealPrograms),
    ("events", Events),
    ("exit_statuses", Supervisorctl),
    ("fastcgi", FastCgi),
    ("http", Http),
    ("life", Lifecycle),
    ("listeners", RealPrograms),
    ("messages", Configuration),
    ("methods", XmlRpc),
    ("options::fcgi", FastCgi),
    ("options::listener", Events),
    ("options::logs", Logs),
    ("options::logs::capture", Events),
    ("options::logs::events", Events),
    ("options::program", Lifecycle),
    ("options::program::environment", Configuration),
    ("options::program::group", Configuration),
    ("options::program::include", Configuration),
    ("options::program::names_", Configuration),
    ("options::program::stopsignal", Signals),
    ("options::program::user", Users),
    ("options::servers", Http),
    ("options::servers::client", Supervisorctl),
    ("options::servers::plugin", PlugIns),
    ("options::servers::shell", Shell),
    ("options::supervisord", Configuration),
    ("options::supervisord::log", Logs),
    ("options::supervisord::user", Users),
    ("pidproxy", Pidproxy),
    ("refused", Configuration),
    ("reread", Configuration),
    ("scripts", XmlRpc),
    ("shell", Shell),
    ("signals", Signals),
    ("survival::hang_ups", Lifecycle),
    ("third_party", RealPrograms),
    ("third_party::published_plug_ins_", PlugIns),
    ("terminals", Shell),
    ("unreachable", Supervisorctl),
    ("upstream", RealPrograms),
    ("users", Users),
    ("verbs", Supervisorctl),
    ("verbs::the_shell_", Shell),
    ("web_page", WebPage),
    ("real_configs", RealPrograms),
];

impl Area {
    /// All areas.
    pub fn all() -> impl Iterator<Item = Area> {
        NAMES.into_iter().map(|(area, _)| area)
    }

    /// The name in reports and in the list of differences.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// The area of this name.
    pub fn named(name: &str) -> Option<Area> {
        NAMES.into_iter().find(|(_, known)| *known == name).map(|(area, _)| area)
    }

    /// The area of a test; `test` is its path as the test program prints it.
    pub fn of(test: &str) -> Option<Area> {
        let about = PLACES.into_iter().filter(|(place, _)| begins(test, place));
        about.max_by_key(|(place, _)| place.len()).map(|(_, area)| area)
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether `place` is the test, or a module around it, or, if it ends in `_`, a prefix of its path.
fn begins(test: &str, place: &str) -> bool {
    test.strip_prefix(place).is_some_and(|rest| place.ends_with('_') || rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn names_are_in_the_order_of_the_variants() {
    for (position, area) in Area::all().enumerate() {
        assert_eq!(area as usize, position, "{area}");
        assert_eq!(Area::named(area.name()), Some(area));
    }
}

#[test]
fn the_longest_matching_path_decides() {
    assert_eq!(Area::of("options::program::command"), Some(Lifecycle));
    assert_eq!(Area::of("options::program::user"), Some(Users));
    assert_eq!(Area::of("options::program::names_and_numbers"), Some(Configuration));
    assert_eq!(Area::of("httpd::x"), None);
}
