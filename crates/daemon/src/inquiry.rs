//! What is told of a configuration without running it: its problems (`--check`), and its values (`--resolved`). Nothing is started
//! and nothing is written.

mod problem;
mod system;

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use supervisord_config::command_line::Overrides;
use supervisord_config::model::NoticeLevel;
use supervisord_config::resolved::{ResolvedOption, ResolvedSection, ValueSource};
use supervisord_config::{CheckedConfig, check};

use crate::command_line::{Inquiry, InquirySubject};
use crate::host::SystemHost;
use problem::{Problem, Severity};

/// An answer.
pub struct Told {
    /// For stdout.
    pub text: String,
    /// The exit status: 0 where all is well, 1 where there are warnings, 2 where there are errors.
    pub status: u8,
}

/// Answers about a file. It may block, and imports Python code that the file names, as a start does.
pub fn tell(file: &str, overrides: &Overrides, inquiry: Inquiry, host: &SystemHost) -> Told {
    let checked = check(file, overrides, host);
    let problems = problems(&checked);
    match inquiry.subject {
        InquirySubject::Problems => {
            let status = problems.iter().map(|problem| problem.severity.status()).max().unwrap_or(0);
            let text =
                if inquiry.is_json { problems_as_json(file, &problems) } else { problems_as_text(file, &problems) };
            Told { text, status }
        }
        InquirySubject::Values if checked.errors.is_empty() => {
            let sections = checked.resolved(overrides);
            let text = if inquiry.is_json { values_as_json(file, sections) } else { values_as_text(sections) };
            Told { text, status: 0 }
        }
        InquirySubject::Values => {
            let errors: Vec<Problem> =
                problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
            let text = if inquiry.is_json { problems_as_json(file, &errors) } else { problems_as_text(file, &errors) };
            Told { text, status: 2 }
        }
    }
}

/// Errors first, then warnings, each in the order in which they are found.
fn problems(checked: &CheckedConfig) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        checked.errors.iter().map(|error| Problem::at(Severity::Error, error.message(), error.place())).collect();
    if let Some(config) = &checked.config {
        let mut said = HashSet::new();
        let warnings = config.notices.iter().filter(|notice| notice.level == NoticeLevel::Warn);
        for problem in warnings.map(|notice| Problem::noticed(&notice.text, notice.place.as_ref())) {
            // The original says some things of each process that is made of a section.
            if said.insert(problem.text.clone()) {
                problems.push(problem);
            }
        }
        problems.extend(system::problems(config, checked));
    }
    problems.sort_by_key(|problem| problem.severity == Severity::Warning);
    problems
}

fn count(problems: &[Problem], severity: Severity) -> usize {
    problems.iter().filter(|problem| problem.severity == severity).count()
}

fn problems_as_text(file: &str, problems: &[Problem]) -> String {
    let mut text = String::new();
    for Problem { severity, text: message, .. } in problems {
        text += &format!("{}: {message}\n", severity.word());
    }
    let counted = |severity: Severity| {
        let count = count(problems, severity);
        format!("{count} {}{}", severity.word(), if count == 1 { "" } else { "s" })
    };
    text + &format!("{file}: {}, {}\n", counted(Severity::Error), counted(Severity::Warning))
}

fn problems_as_json(file: &str, problems: &[Problem]) -> String {
    let document = json!({
        "file": file,
        "errors": count(problems, Severity::Error),
        "warnings": count(problems, Severity::Warning),
        "problems": problems.iter().map(Problem::json).collect::<Vec<Value>>(),
    });
    format!("{document:#}\n")
}

fn values_as_text(sections: impl Iterator<Item = ResolvedSection>) -> String {
    let mut text = String::new();
    for section in sections {
        if !text.is_empty() {
            text.push('\n');
        }
        // A string takes whatever comes.
        let _ = write!(text, "{section}");
    }
    text
}

fn values_as_json(file: &str, sections: impl Iterator<Item = ResolvedSection>) -> String {
    let option = |ResolvedOption { name, value, source }: &ResolvedOption| {
        let source = match source {
            ValueSource::Written { origin, section } => {
                json!({ "from": "file", "file": &*origin.file, "line": origin.line, "section": section })
            }
            ValueSource::CommandLine => json!({ "from": "command line" }),
            ValueSource::Beside(option) => json!({ "from": "default", "beside": option }),
            ValueSource::BuiltIn => json!({ "from": "default" }),
            ValueSource::NotSet(meaning) => json!({ "from": "default", "meaning": meaning }),
        };
        json!({ "name": name, "value": value, "source": source })
    };
    let section = |ResolvedSection { name, origin, options }: ResolvedSection| {
        let options: Vec<Value> = options.iter().map(option).collect();
        json!({ "name": name, "file": &*origin.file, "line": origin.line, "options": options })
    };
    // A section at a time, because the values of all of them take ten times as much memory as their text.
    let mut text = format!("{{\n  \"file\": {},\n  \"sections\": [", json!(file));
    for (number, section) in sections.map(section).enumerate() {
        text.push_str(if number == 0 { "\n" } else { ",\n" });
        let section = format!("{section:#}");
        let lines = section.split('\n').map(|line| format!("    {line}"));
        text.push_str(&lines.collect::<Vec<_>>().join("\n"));
    }
    let end = if text.ends_with('[') { "" } else { "\n  " };
    text + end + "]\n}\n"
}

#[cfg(test)]
mod tests {
    use supervisord_config::model::Origin;

    use super::*;

    #[test]
    fn values_are_the_document_that_the_library_writes() {
        let option = ResolvedOption {
            name: "command".into(),
            value: Some("a \"b\"\nc".into()),
            source: ValueSource::CommandLine,
        };
        let section = |options: Vec<ResolvedOption>| ResolvedSection {
            name: "program:a".to_owned(),
            origin: Origin { file: "c.conf".into(), line: 7 },
            options,
        };
        let sections = vec![section(vec![option.clone(), option]), section(Vec::new())];
        for sections in [sections, Vec::new()] {
            let text = values_as_json("c \"x\".conf", sections.into_iter());
            let document: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(text, format!("{document:#}\n"));
        }
    }
}
