//! Where a file belongs that a configuration includes, and that is read behind all others.

use crate::expand::{ExpansionNames, expand};
use crate::host::DaemonHost;
use crate::path;
use crate::pytext::is_space;

/// What begins the names of such files, so that they are read behind those with letters and digits.
const LAST: &str = "zz-";

/// What to write where there is no place.
const ADVICE: &str = "write for example files=%(here)s/conf.d/*.conf in [include], with a directory that exists";

/// The path of a file of this name that the configuration includes. There need not be one.
///
/// # Errors
/// The configuration includes no directory as a whole; what to write.
pub fn drop_in_path(file: &str, name: &str, host: &dyn DaemonHost) -> Result<String, String> {
    let source = crate::assemble::Source::find(file, host);
    let ini = source.read(host).map_err(|error| error.to_string())?;
    let nothing = || format!("{file} has no [include] section: {ADVICE}");
    let files = ini.get("include", "files").ok_or_else(nothing)?;
    let here = source.here.as_str();
    let variables = ExpansionNames::new().variables(&host.environment());
    let names = ExpansionNames::over(&variables).text("here", here).text("host_node_name", host.host_name());
    let patterns =
        expand(&files.value, &names, "include.files").map_err(|complaint| format!("{}: {complaint}", files.origin))?;
    let places = patterns.split(is_space).filter(|pattern| !pattern.is_empty()).filter_map(|pattern| {
        let pattern = path::join(here, pattern);
        let (directory, last) = pattern.rsplit_once('/')?;
        let (before, after) = last.split_once('*')?;
        let is_plain = |part: &str| !part.contains(['*', '?', '[']);
        let is_place = [directory, before, after].into_iter().all(is_plain) && host.is_dir(directory);
        is_place.then(|| format!("{directory}/{before}{LAST}{name}{after}"))
    });
    let none = || format!("no pattern of files={} ({}) stands for a directory: {ADVICE}", files.value, files.origin);
    places.last().ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;

    fn path_for(include: &str) -> Result<String, String> {
        let text = format!("[supervisord]\n{include}");
        let mut host = FakeHost::new().file("/etc/main.conf", text);
        host.directories.extend(["/etc/conf.d", "/etc/more"].map(str::to_owned));
        drop_in_path("/etc/main.conf", "scale-web", &host)
    }

    #[test]
    fn it_is_in_the_last_directory_that_is_included_as_a_whole() {
        for (include, path) in [
            ("[include]\nfiles=conf.d/*.conf", "/etc/conf.d/zz-scale-web.conf"),
            ("[include]\nfiles=%(here)s/conf.d/*.ini /etc/more/app-*.conf x.conf", "/etc/more/app-zz-scale-web.conf"),
        ] {
            assert_eq!(path_for(include).as_deref(), Ok(path), "{include}");
        }
        for include in ["", "[include]\nfiles=x.conf", "[include]\nfiles=*/*.conf", "[include]\nfiles=missing/*.conf"] {
            assert!(path_for(include).is_err_and(|text| text.contains("files=%(here)s/conf.d/*.conf")), "{include}");
        }
    }
}
