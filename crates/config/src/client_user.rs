//! `[user:x]`: somebody who may use the servers.

use std::fmt;
use std::sync::Arc;

use crate::complaint::Complaint;
use crate::program_patterns::ProgramPatterns;
use crate::suggest::did_you_mean;

/// Somebody who may use the servers, and how the daemon knows who it is: each way that is written is enough.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientUser {
    /// The user name.
    pub name: String,
    /// The hash of the password, in a form of [`PasswordForm`](crate::password_form::PasswordForm).
    pub password: Option<String>,
    /// The SHA-256 of the token, in lower-case hexadecimal digits.
    pub token: Option<String>,
    /// The user id of clients on the unix socket.
    pub uid: Option<u32>,
    /// A group of the user of clients on the unix socket.
    pub gid: Option<u32>,
    /// What the user may do.
    pub role: UserRole,
    /// The programs that exist for the user; none for all.
    pub programs: Option<Arc<ProgramPatterns>>,
}

impl fmt::Debug for ClientUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientUser").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What a user may do. Each role includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserRole {
    /// Read states and logs.
    #[default]
    Viewer,
    /// Start, stop and signal programs, too.
    Operator,
    /// Everything.
    Admin,
}

impl UserRole {
    /// All of them.
    pub const ALL: [UserRole; 3] = [UserRole::Viewer, UserRole::Operator, UserRole::Admin];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            UserRole::Viewer => "viewer",
            UserRole::Operator => "operator",
            UserRole::Admin => "admin",
        }
    }

    /// The role of this word.
    ///
    /// # Errors
    /// There is none.
    pub fn parse(text: &str) -> Result<UserRole, Complaint> {
        let words = UserRole::ALL.map(UserRole::word);
        let found = UserRole::ALL.into_iter().find(|role| role.word() == text);
        found.ok_or_else(|| Complaint::quoting("Invalid role value ", text, "").advise(did_you_mean(text, words)))
    }
}
