//! A user of the servers as an upgrade passes it on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use supervisord_config::client_user::{ClientUser, UserRole};
use supervisord_config::program_patterns::ProgramPatterns;

/// A user. A role that only a later release knows becomes the least one.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "WrittenUser", into = "WrittenUser")]
pub struct UserRecord(ClientUser);

#[derive(Serialize, Deserialize)]
struct WrittenUser {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    programs: Option<String>,
}

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Clone for UserRecord {
    fn clone(&self) -> UserRecord {
        UserRecord(self.0.clone())
    }
}

impl From<ClientUser> for UserRecord {
    fn from(user: ClientUser) -> UserRecord {
        UserRecord(user)
    }
}

impl From<UserRecord> for ClientUser {
    fn from(UserRecord(user): UserRecord) -> ClientUser {
        user
    }
}

impl From<UserRecord> for WrittenUser {
    fn from(UserRecord(user): UserRecord) -> WrittenUser {
        let ClientUser { name, password, token, uid, gid, role, programs } = user;
        let programs = programs.map(|patterns| patterns.to_string());
        WrittenUser { name, password, token, uid, gid, role: role.word().to_owned(), programs }
    }
}

impl TryFrom<WrittenUser> for UserRecord {
    type Error = String;

    fn try_from(written: WrittenUser) -> Result<UserRecord, String> {
        let WrittenUser { name, password, token, uid, gid, role, programs } = written;
        let role = UserRole::parse(&role).unwrap_or_default();
        let programs = programs.map(|text| ProgramPatterns::parse(&text)).transpose();
        let programs = programs.map_err(|complaint| complaint.to_string())?.map(Arc::new);
        Ok(UserRecord(ClientUser { name, password, token, uid, gid, role, programs }))
    }
}
