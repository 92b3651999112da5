//! What is particular to `[fcgi-program:x]`: its listening socket.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::inputs::Inputs;
use crate::complaint::Complaint;
use crate::convert::{name, port};
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::{Account, DaemonHost};
use crate::model::{FastCgiSocket, SocketAddress};
use crate::path;
use crate::pytext::{digit, is_space};
use crate::reader::Reader;

/// Owner and permission bits, as far as they are written or follow from the user of the program.
struct Access {
    owner: Option<(u32, Option<u32>)>,
    mode: u32,
    /// Whether one of them is written, which a TCP socket does not allow.
    written: bool,
}

/// The socket of a section.
pub(super) fn socket(
    reader: &Reader<'_>,
    inputs: &Inputs<'_>,
    located: &ExpansionNames<'_>,
) -> Result<Arc<FastCgiSocket>, ConfigError> {
    let user: Option<Account> = reader.maybe("user", located, inputs.host)?;
    let backlog = reader.maybe("socket_backlog", located, inputs.host)?;
    let mut access = access(reader, inputs.host, located)?;
    let program = name(reader.own_name()).map_err(|complaint| reader.bad_name(&complaint))?;
    let names = ExpansionNames::over(located).text("program_name", program);
    let Some(url) = reader.text("socket", &names)?.filter(|url| !url.is_empty()) else {
        return Err(reader.error("socket", format!("[{}] section requires a \"socket\" line", reader.section())));
    };
    let other_user = user.filter(|user| user.uid != inputs.host.current_uid());
    access.owner = access.owner.or(other_user.map(|user| (user.uid, Some(user.gid))));
    let (url, address) = address(&url, access).map_err(|complaint| {
        reader.cannot_convert("socket", &complaint.followed_by(&format!(" in [{}] socket", reader.section())))
    })?;
    Ok(Arc::new(FastCgiSocket { url, address, backlog }))
}

fn access(reader: &Reader<'_>, host: &dyn DaemonHost, names: &ExpansionNames<'_>) -> Result<Access, ConfigError> {
    let owner = reader.maybe("socket_owner", names, host)?;
    let mode = reader.get("socket_mode", names, host)?;
    Ok(Access { owner, mode, written: owner.is_some() || reader.writes("socket_mode") })
}

fn address(url: &str, access: Access) -> Result<(String, SocketAddress), Complaint> {
    if let Some(path) = url.strip_prefix("unix://") {
        if !path.starts_with('/') {
            return Err(Complaint::quoting("Unix socket path ", path, " is not an absolute path"));
        }
        let path = path::normalize(path);
        let address = SocketAddress::Unix { path: path.clone(), mode: access.mode, owner: access.owner };
        return Ok((format!("unix://{path}"), address));
    }
    if access.written {
        let message = "socket_owner and socket_mode params should only be used with a Unix domain socket";
        return Err(message.to_owned().into());
    }
    let (host, digits) = tcp_parts(url).ok_or_else(|| Complaint::quoting("Bad socket format ", url, ""))?;
    let (host, port) = (host.to_lowercase(), port(digits)?);
    Ok((format!("tcp://{host}:{port}"), SocketAddress::Tcp { host, port }))
}

/// Host and port of `tcp://HOST:PORT`; an IPv6 address stands in brackets.
fn tcp_parts(url: &str) -> Option<(&str, &str)> {
    let place = url.strip_prefix("tcp://")?;
    let (host, digits) = match place.starts_with('[') {
        true => place.rsplit_once(':').filter(|(host, _)| is_ipv6(host))?,
        false => place.split_once(':')?,
    };
    let is_host = !host.is_empty() && !host.contains(is_space);
    let is_port = !digits.is_empty() && digits.chars().all(|c| digit(c).is_some());
    (is_host && is_port).then_some((host, digits))
}

/// Whether this is an IPv6 address in brackets.
fn is_ipv6(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.is_some_and(|bare| bare.parse::<Ipv6Addr>().is_ok())
}
