//! The TLS of `[inet_http_server]`.

use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::{DaemonHost, ReadError};
use crate::model::ServerTls;
use crate::reader::Reader;

/// What a file of certificates must contain, and one of a key.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const KEY: &str = "PRIVATE KEY-----";

/// The files, if there are any. That they can be read, and are of the right kind, is looked at here, where it is known which line
/// names them.
pub(super) fn tls(
    reader: &Reader<'_>,
    names: &ExpansionNames<'_>,
    host: &dyn DaemonHost,
) -> Result<Option<ServerTls>, ConfigError> {
    let path = |option: &str| reader.maybe::<String>(option, names, host);
    let (certfile, keyfile, client_ca) = (path("certfile")?, path("keyfile")?, path("client_ca")?);
    let lacks = |option: &str, missing: &str| {
        let message = format!("section [{}] has {option} and no {missing}", reader.section());
        reader.error(option, message).advise(format!("write {missing} as well, or remove {option}"))
    };
    match (certfile, keyfile) {
        (Some(certfile), Some(keyfile)) => {
            check(reader, "certfile", &certfile, CERTIFICATE, host)?;
            check(reader, "keyfile", &keyfile, KEY, host)?;
            client_ca.iter().try_for_each(|file| check(reader, "client_ca", file, CERTIFICATE, host))?;
            Ok(Some(ServerTls { certfile, keyfile, client_ca }))
        }
        (Some(_), None) => Err(lacks("certfile", "keyfile")),
        (None, Some(_)) => Err(lacks("keyfile", "certfile")),
        (None, None) if client_ca.is_some() => Err(lacks("client_ca", "certfile")),
        (None, None) => Ok(None),
    }
}

fn check(
    reader: &Reader<'_>,
    option: &str,
    path: &str,
    must_contain: &str,
    host: &dyn DaemonHost,
) -> Result<(), ConfigError> {
    let content = host.read_regular(path).map_err(|error| {
        let reason = match error {
            ReadError::Missing => "there is no such file".to_owned(),
            ReadError::Unreadable(reason) => reason,
        };
        reader.error(option, format!("could not read the {option} {path}: {reason}"))
    })?;
    if String::from_utf8_lossy(&content).contains(must_contain) {
        return Ok(());
    }
    let what = if must_contain == KEY { "private key" } else { "certificate" };
    let error = reader.error(option, format!("the {option} {path} has no {what} in PEM"));
    Err(error.advise(format!("it must contain {must_contain}")))
}
