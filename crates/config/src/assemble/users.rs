//! `[user:x]`.

use std::sync::Arc;

use super::inputs::Inputs;
use crate::client_user::{ClientUser, UserRole};
use crate::error::ConfigError;
use crate::expand::ExpansionNames;
use crate::host::DaemonHost;
use crate::model::{Group, HttpServer};
use crate::program_patterns::ProgramPatterns;
use crate::reader::Reader;
use crate::schema::SectionKind;
use crate::selector::Selectable;

/// All users, in file order.
pub(super) fn users(
    inputs: &Inputs<'_>,
    names: &ExpansionNames<'_>,
    groups: &[Group],
) -> Result<Vec<ClientUser>, ConfigError> {
    let mut users: Vec<ClientUser> = Vec::new();
    for reader in inputs.sections(SectionKind::User) {
        let user = user(&reader, names, groups, inputs.host)?;
        if let Some(same) = users.iter().find(|other| user.uid.is_some() && other.uid == user.uid) {
            let message = format!("section [{}] has the uid of [user:{}]", reader.section(), same.name);
            return Err(reader.error("uid", message));
        }
        if let Some(same) = users.iter().find(|other| user.token.is_some() && other.token == user.token) {
            let message = format!("section [{}] has the token of [user:{}]", reader.section(), same.name);
            return Err(reader.error("token", message));
        }
        users.push(user);
    }
    Ok(users)
}

fn user(
    reader: &Reader<'_>,
    names: &ExpansionNames<'_>,
    groups: &[Group],
    host: &dyn DaemonHost,
) -> Result<ClientUser, ConfigError> {
    let section = reader.section();
    let name = reader.own_name().trim();
    if name.is_empty() || name.contains(':') {
        let message = format!("section [{section}] has no user name");
        return Err(reader.section_error(message).advise("write [user:NAME], without a colon in NAME".to_owned()));
    }
    let role: String = reader.get("role", names, host)?;
    let role = UserRole::parse(&role).map_err(|complaint| reader.cannot_convert("role", &complaint))?;
    let programs: Option<String> = reader.maybe("programs", names, host)?;
    let programs = programs.map(|text| ProgramPatterns::parse(&text)).transpose();
    let user = ClientUser {
        name: name.to_owned(),
        password: reader.maybe("password", names, host)?,
        token: reader.maybe("token", names, host)?,
        uid: reader.maybe("uid", names, host)?,
        gid: reader.maybe("gid", names, host)?,
        role,
        programs: programs
            .map_err(|complaint| reader.cannot_convert("programs", &complaint))?
            .map(|programs| Arc::new(programs.resolved(&selectable(groups)))),
    };
    if role == UserRole::Admin && user.programs.is_some() {
        let message = format!("section [{section}] has programs, but an admin may do everything");
        let advice = "write role=operator, or leave programs out".to_owned();
        return Err(reader.error("programs", message).advise(advice));
    }
    if user.password.is_none() && user.token.is_none() && user.uid.is_none() && user.gid.is_none() {
        let message = format!("section [{section}] does not say how the user logs in");
        return Err(reader.section_error(message).advise("write password, token, uid or gid".to_owned()));
    }
    Ok(user)
}

/// All programs, whatever their states are.
fn selectable(groups: &[Group]) -> Vec<Selectable<'_>> {
    let processes = groups.iter().flat_map(|group| group.processes.iter().map(move |process| (group, process)));
    let all = processes.map(|(group, process)| Selectable {
        group: &group.name,
        name: &process.identity.name,
        state: "",
        labels: process.labels(),
    });
    all.collect()
}

/// Refuses a user whose name is that of the only user of a server, who may do everything.
pub(super) fn check_names(inputs: &Inputs<'_>, servers: &[HttpServer]) -> Result<(), ConfigError> {
    for reader in inputs.sections(SectionKind::User) {
        let same = |server: &&HttpServer| {
            server.credentials.as_ref().is_some_and(|credentials| credentials.username == reader.own_name().trim())
        };
        if let Some(server) = servers.iter().find(same) {
            let message = format!("section [{}] has the name of the user of [{}]", reader.section(), server.section);
            let advice =
                format!("give one of them another name, or take username and password out of [{}]", server.section);
            return Err(reader.section_error(message).advise(advice));
        }
    }
    Ok(())
}
