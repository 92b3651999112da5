//! Explanations why the daemon did not answer, for users at a terminal.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use supervisord_config::expand::{ExpansionNames, expand};
use supervisord_config::host::{Host, LARGEST_FILE};
use supervisord_config::ini::Ini;
use supervisord_sys::{Errno, Pid, signal, small_file, user};
use supervisord_wire::fault::FaultCode;

use crate::client::{ClientError, Endpoint, ServerUrl, UrlError};
use crate::host::System;
use crate::settings::{Settings, UrlSource};

/// The lines that explain an error; none if the error needs no explanation.
pub fn explain(error: &ClientError, settings: &Settings) -> Vec<String> {
    let reason = match error {
        ClientError::Connect(error) => match ServerUrl::parse(&settings.server_url) {
            Ok(url) => unreachable(url.endpoint(), error.kind()),
            Err(_) => None,
        },
        ClientError::Resolve(_) => Some(format!("the host of {} is not known", settings.server_url)),
        ClientError::Tls(reason) => Some(format!(
            "no secure connection to {}: {reason} (cafile, certfile and keyfile in [supervisorctl] say whom to trust and what to show)",
            settings.server_url
        )),
        ClientError::Http(_) => Some(no_http(settings)),
        ClientError::Closed => Some(format!("{} does not answer like supervisord", settings.server_url)),
        ClientError::Status { code: 401, .. } => Some(refused(settings)),
        ClientError::Url(error) => Some(no_address(error)),
        ClientError::Fault(fault) if fault.is(FaultCode::ShutdownState) => {
            Some("supervisord is shutting down or restarting".to_owned())
        }
        ClientError::Fault(fault) if fault.is(FaultCode::CantReread) => {
            let reason = fault.text.strip_prefix("CANT_REREAD: ").unwrap_or(&fault.text);
            Some(format!("the configuration cannot be used, and nothing was changed: {reason}"))
        }
        ClientError::Fault(fault) => Some(format!("supervisord refuses: {}", fault.text)),
        ClientError::Refused { detail, .. } => Some(format!("supervisord refuses: {detail}")),
        ClientError::Timeout { limit, takes_time: true } => Some(format!(
            "this was not finished within {} s; supervisord goes on with it (see supervisorctl status)",
            limit.as_secs_f64()
        )),
        ClientError::Timeout { limit, takes_time: false } => Some(format!(
            "{} did not answer within {} s; supervisord may be stopped or hung",
            settings.server_url,
            limit.as_secs_f64()
        )),
        _ => None,
    };
    let Some(reason) = reason else { return Vec::new() };
    let mut lines = vec![reason];
    match error {
        ClientError::Connect(error) => {
            lines.push(origin(settings));
            // If something exists at the address, the configuration is not the cause.
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) {
                lines.extend(mismatch(settings));
            }
            if error.kind() == ErrorKind::NotFound && lines.len() == 2 {
                lines.extend(running_without_socket(settings));
            }
        }
        ClientError::Resolve(_) | ClientError::Url(_) => lines.push(origin(settings)),
        ClientError::Status { .. } => lines.push(file_read(settings)),
        _ => {}
    }
    lines
}

/// What answers in another language than HTTP: usually a server that speaks TLS.
fn no_http(settings: &Settings) -> String {
    let url = &settings.server_url;
    match url.split_once("http://") {
        Some(("", rest)) => format!("{url} does not answer in plain HTTP; if it speaks TLS, write https://{rest}"),
        _ => format!("{url} does not answer like supervisord"),
    }
}

fn no_address(error: &UrlError) -> String {
    match error {
        UrlError::Protocol(_) => "an address begins with http://, https:// or unix://".to_owned(),
        UrlError::Port(port) if port.contains(':') => {
            "an IPv6 address stands in brackets: write http://[ADDRESS]:PORT".to_owned()
        }
        UrlError::Port(port) => format!("the port {port} is no number: write http://HOST:PORT"),
        UrlError::PortRange => "a port is a number from 1 to 65535: write http://HOST:PORT".to_owned(),
    }
}

fn unreachable(endpoint: &Endpoint, kind: ErrorKind) -> Option<String> {
    match endpoint {
        Endpoint::Inet { host, port } if kind == ErrorKind::ConnectionRefused => {
            Some(format!("no process is listening on port {port} of {host}"))
        }
        Endpoint::Inet { .. } => None,
        Endpoint::Unix { path } => match kind {
            ErrorKind::NotFound => Some(format!("there is no socket {path}; is supervisord running?")),
            ErrorKind::PermissionDenied if is_something_else(path) => Some(format!("{path} is not a socket")),
            ErrorKind::PermissionDenied => Some(forbidden(path)),
            ErrorKind::ConnectionRefused if is_something_else(path) => Some(format!("{path} is not a socket")),
            ErrorKind::ConnectionRefused => {
                Some(format!("no process is listening on {path}; supervisord has ended and left it behind"))
            }
            _ => None,
        },
    }
}

/// Whether the path exists, but is not a socket.
fn is_something_else(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket())
}

fn forbidden(path: &str) -> String {
    match std::fs::metadata(path) {
        Ok(metadata) => {
            let (uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
            let user = user::user_by_uid(uid).map_or_else(|| uid.to_string(), |user| user.name);
            let group = user::group_by_gid(gid).unwrap_or_else(|| gid.to_string());
            let who = match mode & 0o022 {
                0 => format!("only {user} may connect: set chmod= and chown= of [unix_http_server] to let others"),
                0o020 => {
                    format!("members of the group {group} may connect, and you ({}) are none", user::current_name())
                }
                _ => format!("a directory above it is closed to you ({})", user::current_name()),
            };
            format!(
                "no permission to connect to {path}, which belongs to {user}:{group} and has mode {mode:04o}; {who}"
            )
        }
        Err(_) => format!("no permission to look for {path}"),
    }
}

fn refused(settings: &Settings) -> String {
    match settings.credentials() {
        Some(_) => "user name or password is wrong".to_owned(),
        None => "user name and password are needed: give them with -u and -p or in [supervisorctl]".to_owned(),
    }
}

/// The origin of the daemon's address.
fn origin(settings: &Settings) -> String {
    match (settings.url_source, &settings.config_file) {
        (UrlSource::Request, _) => "this address was given by hand, not by a configuration file".to_owned(),
        (UrlSource::Configuration, Some(file)) => format!("this address comes from {}", normal(file).display()),
        (UrlSource::Configuration, None) => {
            "this address is the default, since there is no configuration file".to_owned()
        }
    }
}

/// The file that may contain user name and password.
fn file_read(settings: &Settings) -> String {
    match &settings.config_file {
        Some(file) => format!("the configuration file is {}", normal(file).display()),
        None => "there is no configuration file".to_owned(),
    }
}

/// The configuration that contains the address, unparsed.
struct WrittenConfig<'s> {
    file: &'s str,
    ini: Ini,
}

impl<'s> WrittenConfig<'s> {
    fn read(settings: &'s Settings) -> Option<WrittenConfig<'s>> {
        let (UrlSource::Configuration, Some(file)) = (settings.url_source, &settings.config_file) else { return None };
        let mut ini = Ini::default();
        ini.read(file, &small_file::read(Path::new(file), LARGEST_FILE).ok()?).ok()?;
        Some(WrittenConfig { file, ini })
    }

    /// An expanded value of the file; none if the expansion fails.
    fn expanded(&self, section: &str, option: &str) -> Option<String> {
        let here = std::path::absolute(self.file).ok()?.parent()?.to_string_lossy().into_owned();
        let variables = ExpansionNames::new().variables(&System.environment());
        let names = ExpansionNames::over(&variables).text("here", here);
        expand(&self.ini.get(section, option)?.value, &names, option).ok()
    }
}

/// An explanation if the file that names a socket has no server with that socket.
fn mismatch(settings: &Settings) -> Option<String> {
    let Ok(Endpoint::Unix { path }) = ServerUrl::parse(&settings.server_url).map(|url| url.endpoint().clone()) else {
        return None;
    };
    let written = WrittenConfig::read(settings)?;
    // Included files, which the client does not read, may contain servers.
    if written.ini.section("include").is_some() {
        return None;
    }
    let servers = written.ini.sections().filter(|section| section.name().starts_with("unix_http_server"));
    let sockets: Vec<String> = servers.filter_map(|section| written.expanded(section.name(), "file")).collect();
    let file = normal(written.file);
    let file = file.display();
    match sockets.as_slice() {
        [] => Some(format!("{file} has no [unix_http_server], so supervisord opens no socket")),
        sockets if sockets.iter().any(|socket| is_same(socket, &path)) => None,
        sockets => Some(format!("the [unix_http_server] of {file} is {}, not {path}", sockets.join(" or "))),
    }
}

/// An explanation if the pid file names a running process although there is no socket, which another program may have
/// removed.
fn running_without_socket(settings: &Settings) -> Option<String> {
    let pidfile = WrittenConfig::read(settings)?.expanded("supervisord", "pidfile")?;
    // A relative path is resolved against the directory in which the daemon was started, which is unknown here.
    let path = Path::new(&pidfile).is_absolute().then_some(&pidfile)?;
    let pid =
        Pid::new(String::from_utf8(small_file::read(Path::new(path), LARGEST_FILE).ok()?).ok()?.trim().parse().ok()?)?;
    let is_running = signal::kill(pid, 0) != Err(Errno::ESRCH);
    is_running.then(|| {
        format!(
            "{path} names process {pid}, which runs: if that is supervisord, its socket was removed, and kill -USR2 {pid} \
             puts it back"
        )
    })
}

/// Whether two spellings name the same file. Paths with `~` are not compared and count as the same.
fn is_same(one: &str, other: &str) -> bool {
    one.starts_with('~') || normal(one) == normal(other)
}

/// The absolute path without `..`, without looking at the file system.
fn normal(path: &str) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.into()).components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path() {
        assert!(is_same("/a/b/../c", "/a/./c"));
        assert!(is_same("/a//c/", "/a/c"));
        assert!(!is_same("/a/b", "/a/c"));
    }
}
