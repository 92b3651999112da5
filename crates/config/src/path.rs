//! Paths, as text: home directories, making absolute, and the checks that ask the system.

use crate::complaint::Complaint;
use crate::host::{DaemonHost, Host};

/// `directory` and `path` as one path; an absolute `path` stands alone.
pub(crate) fn join(directory: &str, path: &str) -> String {
    if path.starts_with('/') || directory.is_empty() {
        path.to_owned()
    } else if directory.ends_with('/') {
        format!("{directory}{path}")
    } else {
        format!("{directory}/{path}")
    }
}

/// Everything before the last slash, without slashes at its end unless it is the root.
pub(crate) fn parent(path: &str) -> &str {
    let head = &path[..path.rfind('/').map_or(0, |slash| slash + 1)];
    let bare = head.trim_end_matches('/');
    if bare.is_empty() { head } else { bare }
}

/// Without `.`, `..` and double slashes, by text alone. Exactly two slashes at the start stay, as POSIX allows.
pub(crate) fn normalize(path: &str) -> String {
    let root = match path.bytes().take_while(|&byte| byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|&last| last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    let path = format!("{root}{}", parts.join("/"));
    if path.is_empty() { ".".to_owned() } else { path }
}

/// Absolute and normalized.
pub(crate) fn absolute(path: &str, host: &dyn Host) -> String {
    normalize(&join(&host.current_dir(), path))
}

/// With `~` or `~user` at the start replaced by the home directory; unchanged where there is none.
pub(crate) fn expand_user(path: &str, host: &dyn Host) -> String {
    let Some(rest) = path.strip_prefix('~') else { return path.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (user, rest) = rest.split_at(end);
    let home = if user.is_empty() { own_home(host) } else { host.home_of(user) };
    match home {
        None => path.to_owned(),
        Some(home) => {
            let expanded = format!("{}{rest}", home.trim_end_matches('/'));
            if expanded.is_empty() { "/".to_owned() } else { expanded }
        }
    }
}

fn own_home(host: &dyn Host) -> Option<String> {
    let variable = host.environment().into_iter().find(|(name, _)| name == "HOME").map(|(_, value)| value);
    variable.or_else(|| host.own_home())
}

/// With the home directory put in, then absolute and normalized.
pub(crate) fn absolute_from_home(path: &str, host: &dyn Host) -> String {
    absolute(&expand_user(path, host), host)
}

/// Whether this is a directory; a relative path counts from the current directory.
fn is_dir(path: &str, host: &dyn DaemonHost) -> bool {
    !path.is_empty() && host.is_dir(&join(&host.current_dir(), path))
}

/// A directory that exists, with the home directory put in.
pub(crate) fn existing_directory(text: &str, host: &dyn DaemonHost) -> Result<String, Complaint> {
    let path = expand_user(text, host);
    if is_dir(&path, host) { Ok(path) } else { Err(Complaint::quoting("", text, " is not an existing directory")) }
}

/// A path whose directory exists, with the home directory put in. A bare file name is always right.
pub(crate) fn in_existing_directory(text: &str, host: &dyn DaemonHost) -> Result<String, Complaint> {
    let path = expand_user(text, host);
    let directory = parent(&path);
    if directory.is_empty() || is_dir(directory, host) {
        Ok(path)
    } else {
        Err(Complaint::quoting("The directory named as part of the path ", text, " does not exist"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyrepr::repr;

    #[test]
    fn paths_are_normalized_like_posix_says() {
        for (path, expected) in [
            ("/a/./b//c/../d", "/a/b/d"),
            ("//a", "//a"),
            ("///a", "/a"),
            ("/..", "/"),
            ("../a/../..", "../.."),
            ("a/..", "."),
            ("", "."),
        ] {
            assert_eq!(normalize(path), expected, "{}", repr(path));
        }
    }

    #[test]
    fn a_parent_is_what_stands_before_the_last_slash() {
        for (path, expected) in [("a", ""), ("/a", "/"), ("//a", "//"), ("a//b", "a"), ("/a/b/", "/a/b"), ("", "")] {
            assert_eq!(parent(path), expected, "{path}");
        }
    }
}
