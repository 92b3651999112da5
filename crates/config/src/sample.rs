//! The sample configuration, made from the option table.

use std::fmt::Write as _;

use crate::schema::{OptionSpec, Sample, SectionKind};

const INTRODUCTION: &str = "\
; Sample supervisor config file. Adapt it to what you want to run.
;
; - Lines that start with a semicolon and a letter or bracket are switched off: take the semicolon away to use them.
; - What follows a blank and a semicolon is a comment: \"a=b ; comment\". Quotes do not
;   prevent that. In \"a=b;c\" the value is \"b;c\".
; - A longer value goes on in the next line when that line is indented.
; - %(ENV_NAME)s stands for the environment variable NAME, %(here)s for the directory of this file. A percent sign
;   itself is written %%, and %%%% in the names of child logs.
; - No shell reads the values: \"~\" and \"*\" mean something only where it is said, and variables are not $NAME.
; - The sockets and files below are in /tmp, which some systems clean up. Use a directory of your own in earnest.
";

/// The width to which a setting is filled up before its comment.
const COLUMN: usize = 34;

/// The header of the section in the sample.
fn header(kind: SectionKind) -> String {
    let own_name = match kind {
        SectionKind::RpcInterface => ":supervisor",
        SectionKind::CtlPlugin => ":thepluginname",
        SectionKind::Program => ":theprogramname",
        SectionKind::FcgiProgram => ":thefastcginame",
        SectionKind::EventListener => ":thelistenername",
        SectionKind::Group => ":thegroupname",
        _ => "",
    };
    format!("[{}{own_name}]", kind.word())
}

/// The options that the sample shows for a kind: its own, preceded by what it needs of its base.
fn options(kind: SectionKind) -> impl Iterator<Item = &'static OptionSpec> {
    let needed = kind.options().filter(move |row| row.section != kind && row.required());
    needed.chain(kind.options().filter(move |row| row.section == kind))
}

fn line(row: &OptionSpec) -> String {
    let (value, active) = row.sample_value();
    let setting = format!("{}{}={value}", if active { "" } else { ";" }, row.name);
    format!("{setting:<COLUMN$} ; {}", row.help)
}

/// The whole sample, ending in a line feed. It is itself a configuration that can be used.
pub fn text() -> String {
    let mut text = String::from(INTRODUCTION);
    for kind in SectionKind::ALL {
        let active = options(kind).any(|row| matches!(row.sample, Sample::Active(_)));
        let mark = if active { "" } else { ";" };
        text.push('\n');
        for line in kind.describe().lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "; {line}");
        }
        let _ = writeln!(text, "{mark}{}", header(kind));
        for row in options(kind) {
            let _ = writeln!(text, "{}", line(row));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::model::ServerAddress;
    use crate::{CommandLine, client, load};

    fn host(text: &str) -> FakeHost {
        let mut host = FakeHost::new().file("/conf/supervisord.conf", text);
        host.directories.insert("/var/run".to_owned());
        host
    }

    /// With everything that is switched off switched on.
    fn switched_on() -> String {
        let on = |line: &str| match line.strip_prefix(';') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        };
        text().lines().map(|line| on(line) + "\n").collect()
    }

    #[test]
    fn the_sample_is_a_working_configuration() {
        let config = load("supervisord.conf", &CommandLine::default(), &host(&text())).unwrap();
        assert_eq!(config.notices, []);
        let ServerAddress::Unix { path, .. } = &config.servers[0].address else { panic!("{:?}", config.servers) };
        let client = client::load("supervisord.conf", &host(&text())).unwrap();
        assert_eq!(client.serverurl, format!("unix://{path}"));
        assert_eq!(config.rpc_interfaces[0].name, "supervisor");
    }

    #[test]
    fn everything_in_it_can_be_switched_on() {
        let host = host(&switched_on()).file("/conf/relative/directory/a.ini", "");
        let config = load("supervisord.conf", &CommandLine::default(), &host).unwrap();
        let unknown: Vec<_> = config.notices.iter().filter(|notice| notice.text.contains("nknown")).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert_eq!(config.groups.len(), 3);
        client::load("supervisord.conf", &host).unwrap();
    }

    #[test]
    fn every_option_is_in_it_with_a_comment() {
        let text = text();
        for row in crate::schema::TABLE {
            let line = line(row);
            assert!(text.lines().any(|other| other == line), "{line}");
            assert!(line.ends_with(&format!(" ; {}", row.help)));
        }
    }
}
