//! In which form the lines of a stream stand in its log, as it is written: `json`, or `%(time)s %(program)s: %(message)s`.

use std::borrow::Cow;
use std::fmt;

use crate::complaint::Complaint;
use crate::expand::ExpansionNames;
use crate::pyrepr::repr;
use crate::pytext::strip;
use crate::suggest::did_you_mean;

/// In which form the lines of a stream stand in its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// As the program writes them.
    #[default]
    Raw,
    /// `TIME GROUP:PROCESS STREAM | MESSAGE`.
    Text,
    /// One JSON object for each line.
    Json,
    /// As a template says.
    Template(Vec<TemplatePart>),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// What stands in every record.
    Text(String),
    /// What a record says of its line.
    Field(TemplateField),
}

/// What a record may say of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateField {
    /// When the line was read, in UTC and the form of RFC 3339.
    Time,
    /// The same in local time and in this form of `strftime`.
    LocalTime(String),
    /// The name of the program, which is that of its section.
    Program,
    Group,
    /// The name of the process.
    Process,
    /// The id of the process.
    Pid,
    /// `stdout` or `stderr`.
    Stream,
    /// How severe the line says it is.
    Level,
    /// The line.
    Message,
}

/// The fields and their names.
const FIELDS: [(&str, TemplateField); 8] = [
    ("time", TemplateField::Time),
    ("program", TemplateField::Program),
    ("group", TemplateField::Group),
    ("process", TemplateField::Process),
    ("pid", TemplateField::Pid),
    ("stream", TemplateField::Stream),
    ("level", TemplateField::Level),
    ("message", TemplateField::Message),
];

/// The letters that may follow a percent sign in a form of time.
pub const TIME_LETTERS: &str = "YmdHMSyjebBaAFTDRIpsfLz%";

/// What a form of time begins with.
const LOCAL_TIME: &str = "%(time:";

/// The longest template, in bytes.
const LONGEST: usize = 1000;

impl LogFormat {
    /// What an expanded text means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<LogFormat, Complaint> {
        let stripped = strip(text);
        match stripped.to_lowercase().as_str() {
            "raw" => Ok(LogFormat::Raw),
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            word if !word.contains('%') => {
                let advice = did_you_mean(word, ["raw", "text", "json"]);
                let advice = advice.or_else(|| Some("write raw, text, json or a template with %(message)s".to_owned()));
                Err(Complaint::quoting("not a log format: ", repr(text), "").advise(advice))
            }
            _ => template(stripped).map(LogFormat::Template),
        }
    }

    /// A text that, once it has been expanded, has what a record fills in as it was written.
    pub(crate) fn before_expansion(raw: &str) -> Cow<'_, str> {
        if !raw.contains("%%") && !raw.contains(LOCAL_TIME) {
            return raw.into();
        }
        let (mut protected, mut rest) = (String::new(), raw);
        while let Some(at) = rest.find('%') {
            protected.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = match rest {
                _ if rest.starts_with("%%") => 2,
                _ if rest.starts_with(LOCAL_TIME) => rest.find(')').map_or(rest.len(), |end| end + 1),
                _ => {
                    protected.push('%');
                    rest = &rest[1..];
                    continue;
                }
            };
            protected.push_str(&rest[..end].replace('%', "%%"));
            rest = &rest[end..];
        }
        protected.push_str(rest);
        protected.into()
    }

    /// The names that stand for themselves while it is expanded, over others.
    pub(crate) fn names<'n>(outer: &'n ExpansionNames<'n>) -> ExpansionNames<'n> {
        let names = ExpansionNames::over(outer);
        FIELDS.iter().fold(names, |names, (name, _)| names.text(*name, format!("%({name})s")))
    }
}

fn template(text: &str) -> Result<Vec<TemplatePart>, Complaint> {
    let wrong = |reason: &str| Complaint::quoting("not a log format: ", repr(text), format!(": {reason}"));
    if text.len() > LONGEST {
        return Err(wrong(&format!("it is longer than {LONGEST} bytes")));
    }
    let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(inner) = rest.strip_prefix('(') else {
            rest = rest.strip_prefix('%').unwrap_or(rest);
            plain.push('%');
            continue;
        };
        let (name, behind) = inner.split_once(')').ok_or_else(|| wrong("a ) is missing"))?;
        let field = match name.split_once(':') {
            Some(("time", form)) => TemplateField::LocalTime(time_form(form).map_err(|reason| wrong(&reason))?),
            _ => {
                let known = FIELDS.iter().find(|(known, _)| *known == name);
                let (_, field) = known.ok_or_else(|| {
                    wrong(&format!("{} is no field of a record", repr(name)))
                        .advise(did_you_mean(name, FIELDS.iter().map(|(name, _)| *name)))
                })?;
                field.clone()
            }
        };
        rest = behind.strip_prefix('s').ok_or_else(|| wrong("an s must follow the )"))?;
        if !plain.is_empty() {
            parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
        }
        parts.push(TemplatePart::Field(field));
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(TemplatePart::Text(plain));
    }
    if !parts.contains(&TemplatePart::Field(TemplateField::Message)) {
        return Err(wrong("it has no message").advise("add %(message)s, in the place of the line".to_owned()));
    }
    Ok(parts)
}

/// A form of time, if all of its letters are known.
fn time_form(form: &str) -> Result<String, String> {
    let mut letters = form.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            continue;
        }
        match letters.next() {
            Some(letter) if TIME_LETTERS.contains(letter) => {}
            other => {
                let found = other.map(String::from).unwrap_or_default();
                return Err(format!("a time cannot have %{found}, only % and one of {TIME_LETTERS}"));
            }
        }
    }
    Ok(form.to_owned())
}

/// As it may be written, where nothing is expanded.
impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = match self {
            LogFormat::Raw => return f.write_str("raw"),
            LogFormat::Text => return f.write_str("text"),
            LogFormat::Json => return f.write_str("json"),
            LogFormat::Template(parts) => parts,
        };
        for part in parts {
            match part {
                TemplatePart::Text(text) => f.write_str(&text.replace('%', "%%"))?,
                TemplatePart::Field(TemplateField::LocalTime(form)) => write!(f, "{LOCAL_TIME}{form})s")?,
                TemplatePart::Field(field) => {
                    let name = FIELDS.iter().find(|(_, known)| known == field).map_or("", |(name, _)| name);
                    write!(f, "%({name})s")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::expand;

    fn expanded(raw: &str) -> Result<String, Complaint> {
        let outer = ExpansionNames::new().text("program_name", "web").number("process_num", 3);
        expand(&LogFormat::before_expansion(raw), &LogFormat::names(&outer), "p.stdout_log_format")
    }

    #[test]
    fn each_format_is_read_and_shown() {
        assert_eq!(LogFormat::parse("raw").unwrap(), LogFormat::Raw);
        assert_eq!(LogFormat::parse(" Text ").unwrap(), LogFormat::Text);
        assert_eq!(LogFormat::parse("JSON").unwrap(), LogFormat::Json);
        for text in [
            "raw",
            "text",
            "json",
            "%(time)s %(program)s %(group)s %(process)s %(pid)s %(stream)s %(level)s %(message)s",
            "100%% %(time:%d.%m.%Y %H:%M:%S.%L %%)s|%(message)s",
        ] {
            let format = LogFormat::parse(text).unwrap();
            assert_eq!(format.to_string(), text);
        }
    }

    #[test]
    fn a_template_is_expanded_but_for_what_a_record_fills_in() {
        let raw = "%(program_name)s_%(process_num)02d 5%% %(time:%H:%M)s %(time)s %(message)s";
        let text = expanded(raw).unwrap();
        assert_eq!(text, "web_03 5%% %(time:%H:%M)s %(time)s %(message)s");
        let LogFormat::Template(parts) = LogFormat::parse(&text).unwrap() else { panic!("a template") };
        assert_eq!(parts[0], TemplatePart::Text("web_03 5% ".to_owned()));
        assert_eq!(parts[1], TemplatePart::Field(TemplateField::LocalTime("%H:%M".to_owned())));
        assert!(expanded("%(mesage)s").unwrap_err().to_string().contains("mesage"));
        assert_eq!(expanded("json").unwrap(), "json");
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for (text, expected, advice) in [
            ("jsn", "not a log format: 'jsn'", "did you mean json?"),
            (
                "%(time)s",
                "not a log format: '%(time)s': it has no message",
                "add %(message)s, in the place of the line",
            ),
            ("%(mesage)s", "not a log format: '%(mesage)s': 'mesage' is no field of a record", "did you mean message?"),
        ] {
            let complaint = LogFormat::parse(text).unwrap_err();
            assert_eq!((complaint.to_string().as_str(), complaint.advice()), (expected, Some(advice)));
        }
        for text in ["%(message", "%(message)d", "%(time:%Q)s %(message)s", "%(time:%)s %(message)s"] {
            assert!(LogFormat::parse(text).is_err(), "{text}");
        }
        assert!(LogFormat::parse(&format!("{}%(message)s", "x".repeat(LONGEST))).is_err());
    }
}
