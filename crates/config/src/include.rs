//! `[include]`: reading further files over the main one.

use crate::error::ConfigError;
use crate::expand::{Names, expand};
use crate::glob::glob;
use crate::host::DaemonHost;
use crate::ini::Ini;
use crate::notices::Notices;
use crate::path;
use crate::pytext::is_space;

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
        return Err(ConfigError::at(message, Some(&origin)));
    };
    let variables = Names::new().variables(&host.environment());
    let names = Names::over(&variables).text("here", here).text("host_node_name", host.host_name());
    let patterns = expand(&files.value, &names, "include.files")
        .map_err(|message| ConfigError::at(message, Some(&files.origin)))?;
    for pattern in patterns.split(is_space).filter(|pattern| !pattern.is_empty()) {
        read_matches(ini, &path::join(here, pattern), host, notices)?;
    }
    Ok(())
}

fn read_matches(ini: &mut Ini, pattern: &str, host: &dyn DaemonHost, notices: &mut Notices) -> Result<(), ConfigError> {
    let files = glob(pattern, host);
    if files.is_empty() {
        notices.warn(format!("No file matches via include \"{pattern}\""));
    }
    for file in files {
        notices.inform(format!("Included extra file \"{file}\" during parsing"));
        // The original passes over directories and unreadable files without a word.
        if let Ok(content) = host.read(&file) {
            ini.read(&file, &content)?;
        }
        ini.replace(HERE, &path::absolute(path::parent(&file), host));
    }
    Ok(())
}
