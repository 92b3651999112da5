//! `[inet_http_server]` and `[unix_http_server]`.

use super::inputs::Inputs;
use super::server_tls;
use crate::client_user::ClientUser;
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::DaemonHost;
use crate::model::{HttpServer, RequiredCredentials, ServerAddress};
use crate::path;
use crate::pytext::strip;
use crate::reader::Reader;
use crate::schema::SectionKind;

/// All servers: inet before unix, each in file order.
pub(super) fn servers(
    inputs: &Inputs<'_>,
    variables: &ExpansionNames<'_>,
    users: &[ClientUser],
) -> Result<Vec<HttpServer>, ConfigError> {
    let mut servers = Vec::new();
    let located = ExpansionNames::over(variables).text("here", inputs.here);
    for reader in inputs.sections(SectionKind::InetHttpServer) {
        servers.push(inet(&reader, variables, &located, inputs.host)?);
    }
    for reader in inputs.sections(SectionKind::UnixHttpServer) {
        servers.push(unix(&reader, variables, &located, inputs.host)?);
    }
    servers.iter_mut().for_each(|server| server.users = users.to_vec());
    Ok(servers)
}

fn inet(
    reader: &Reader<'_>,
    names: &ExpansionNames<'_>,
    located: &ExpansionNames<'_>,
    on: &dyn DaemonHost,
) -> Result<HttpServer, ConfigError> {
    let credentials = credentials(reader, names)?;
    let address: Option<(String, u16)> = reader.maybe("port", names, on)?;
    let (host, port) = address.ok_or_else(|| no_value(reader, "port"))?;
    let address = ServerAddress::Inet { host, port };
    let get_actions = reader.get("get_actions", names, on)?;
    let section = reader.section().to_owned();
    let tls = server_tls::tls(reader, located, on)?;
    let allowed_hosts = reader.maybe("allowed_hosts", names, on)?.unwrap_or_default();
    Ok(HttpServer { section, address, credentials, users: Vec::new(), tls, allowed_hosts, get_actions })
}

fn unix(
    reader: &Reader<'_>,
    names: &ExpansionNames<'_>,
    located: &ExpansionNames<'_>,
    host: &dyn DaemonHost,
) -> Result<HttpServer, ConfigError> {
    let file = reader.text("file", located)?.ok_or_else(|| no_value(reader, "file"))?;
    let file = strip(&file);
    if file.is_empty() {
        let message = format!("section [{}] has an empty file value", reader.section());
        return Err(reader.error("file", message));
    }
    let credentials = credentials(reader, names)?;
    let owner: Option<(u32, Option<u32>)> = reader.maybe("chown", names, host)?;
    let mode = reader.get("chmod", names, host)?;
    let (uid, gid) = owner.map_or((None, None), |(uid, gid)| (Some(uid), gid));
    let address = ServerAddress::Unix { path: path::absolute_from_home(file, host), mode, uid, gid };
    let get_actions = reader.get("get_actions", names, host)?;
    let section = reader.section().to_owned();
    let (users, allowed_hosts) = (Vec::new(), Vec::new());
    Ok(HttpServer { section, address, credentials, users, tls: None, allowed_hosts, get_actions })
}

fn no_value(reader: &Reader<'_>, option: &str) -> ConfigError {
    reader.error(option, format!("section [{}] has no {option} value", reader.section()))
}

/// User name and password: both or neither. Both empty is neither.
fn credentials(reader: &Reader<'_>, names: &ExpansionNames<'_>) -> Result<Option<RequiredCredentials>, ConfigError> {
    let username = reader.text("username", names)?;
    let password = reader.text("password", names)?;
    match (username, password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) if username.is_empty() && password.is_empty() => Ok(None),
        (Some(username), Some(password)) => Ok(Some(RequiredCredentials { username, password })),
        (username, _) => {
            let (written, missing) =
                if username.is_some() { ("username", "password") } else { ("password", "username") };
            let message = format!(
                "Section [{}] contains incomplete authentication: If a username or a password is specified, \
                 both the username and password must be specified",
                reader.section()
            );
            let advice = || format!("write {missing} as well, or remove {written}");
            Err(reader.error(written, message).advise(reader.misspelt(missing).unwrap_or_else(advice)))
        }
    }
}
