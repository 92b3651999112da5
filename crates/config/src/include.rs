//! `[include]`: reading further files over the main one.

use crate::error::ConfigError;
use crate::expand::{ExpansionNames, expand};
use crate::glob::glob;
use crate::host::{DaemonHost, ReadError};
use crate::ini::Ini;
use crate::misspelt::misspelt;
use crate::notices::Notices;
use crate::path;
use crate::place::Place;
use crate::pytext::is_space;
use crate::schema::SectionKind;

/// The text that stands for the directory of the file it is written in. Where files are included it is replaced as
/// plain text, before anything is expanded.
const HERE: &str = "%(here)s";

/// Reads what the `[include]` section of the main file asks for, if it has one. An `[include]` in an included file
/// is not followed. `here` is the directory of the main file.
pub(crate) fn read(ini: &mut Ini, here: &str, host: &dyn DaemonHost, notices: &mut Notices) -> Result<(), ConfigError> {
    let Some(section) = ini.section("include") else { return Ok(()) };
    let origin = section.origin().clone();
    ini.replace(HERE, here);
    let Some(files) = ini.get("include", "files").cloned() else {
        let message = ".ini file has [include] section, but no files setting";
        let meant = ini.section("include").and_then(|section| misspelt(ini, section, SectionKind::Include, "files"));
        let place = Place::new(&origin).section("include").not_set("files").advise(meant);
        return Err(ConfigError::at(message, place));
    };
    let variables = ExpansionNames::new().variables(&host.environment());
    let names = ExpansionNames::over(&variables).text("here", here).text("host_node_name", host.host_name());
    let place = Place::new(&files.origin).section("include").value("files", &files.value);
    let patterns = expand(&files.value, &names, "include.files").map_err(|complaint| {
        ConfigError::at(complaint.to_string(), place.clone().advise(complaint.advice().map(str::to_owned)))
    })?;
    for pattern in patterns.split(is_space).filter(|pattern| !pattern.is_empty()) {
        read_matches(ini, &path::join(here, pattern), &place, host, notices)?;
    }
    Ok(())
}

/// Reads the files that match a pattern, which is written at `place`.
fn read_matches(
    ini: &mut Ini,
    pattern: &str,
    place: &Place,
    host: &dyn DaemonHost,
    notices: &mut Notices,
) -> Result<(), ConfigError> {
    let files = glob(pattern, host);
    if files.is_empty() {
        notices.warn_about(format!("No file matches via include \"{pattern}\""), place.clone());
    }
    for file in files {
        notices.inform(format!("Included extra file \"{file}\" during parsing"));
        // The original passes over directories and unreadable files without a word.
        let reason = match host.read_regular(&file) {
            Ok(content) => {
                ini.read(&file, &content)?;
                None
            }
            Err(_) if host.is_dir(&file) => None,
            Err(ReadError::Unreadable(reason)) => Some(reason),
            Err(ReadError::Missing) => Some("it is a link to nowhere, or its name is not UTF-8".to_owned()),
        };
        if let Some(reason) = reason {
            notices.warn_at(format!("Included file \"{file}\" cannot be read"), place.clone().advise(reason));
        }
        ini.replace(HERE, &path::absolute(path::parent(&file), host));
    }
    Ok(())
}
