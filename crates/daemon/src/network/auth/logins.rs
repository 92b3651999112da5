//! Who may use a server, and how each of them is known.

use std::cell::RefCell;
use std::sync::Arc;

use subtle::{Choice, ConstantTimeEq};
use supervisord_config::client_user::{ClientUser, UserRole};
use supervisord_config::model::HttpServer;
use supervisord_core::actor::{ClientPeer, Right};
use supervisord_core::scope::ProgramScope;

use crate::network::passwords;

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user name; none for somebody who is known by nothing.
    pub name: Option<Arc<str>>,
    /// What may be done.
    pub right: Right,
    /// The programs that exist.
    pub programs: ProgramScope,
}

impl Principal {
    /// Somebody without a name, who may do everything.
    pub const fn nobody() -> Principal {
        Principal { name: None, right: Right::Administer, programs: ProgramScope::All }
    }
}

/// One user.
pub struct Login {
    pub(super) name: String,
    pub(super) password: Option<String>,
    token: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
    pub(super) identity: Principal,
    /// The last credentials that a slow check has found correct.
    verified: RefCell<Option<Vec<u8>>>,
}

/// All users of a server.
pub struct Logins {
    all: Vec<Login>,
    /// Whether the server asks everybody for a user name and a password, as the original can.
    has_common_password: bool,
}

impl Logins {
    /// Those of a server.
    pub fn new(server: &HttpServer) -> Logins {
        let common = server.credentials.as_ref().map(|credentials| Login {
            name: credentials.username.clone(),
            password: Some(credentials.password.clone()),
            token: None,
            uid: None,
            gid: None,
            identity: Principal { name: Some(credentials.username.as_str().into()), ..Principal::nobody() },
            verified: RefCell::default(),
        });
        let has_common_password = common.is_some();
        Logins { all: common.into_iter().chain(server.users.iter().map(Login::new)).collect(), has_common_password }
    }

    /// Whether everybody is let in who can connect.
    pub fn is_open(&self) -> bool {
        self.all.is_empty()
    }

    /// The user of this name, who can have a password.
    pub(super) fn of_name(&self, name: &[u8]) -> Option<&Login> {
        // Each is compared in full, so that the time tells nothing about the names.
        let same = |login: &&Login| bool::from(login.name.as_bytes().ct_eq(name)) & login.password.is_some();
        self.all.iter().rev().fold(None, |found, login| if same(&login) { Some(login) } else { found })
    }

    /// A password that takes as long to check as the slowest, for a name that nobody has.
    pub(super) fn decoy(&self) -> Option<&str> {
        let passwords = || self.all.iter().filter_map(|login| login.password.as_deref());
        passwords().find(|password| passwords::is_slow(password)).or_else(|| passwords().next())
    }

    /// The user with this token.
    pub(super) fn of_token(&self, token: &[u8]) -> Option<&Login> {
        let hash = passwords::hash_of_token(token);
        let same = |login: &Login| {
            login.token.as_ref().map_or(Choice::from(0), |known| known.as_bytes().ct_eq(hash.as_bytes()))
        };
        self.all.iter().fold(None, |found, login| if same(login).into() { Some(login) } else { found })
    }

    /// Whoever the system says is at the other end of a unix socket; `groups` are those of its user.
    pub(super) fn of_peer(&self, client: ClientPeer, groups: impl FnOnce() -> Vec<u32>) -> Option<Principal> {
        let ClientPeer::Unix { uid: Some(uid), .. } = client else { return None };
        if let Some(login) = self.all.iter().find(|login| login.uid == Some(uid)) {
            return Some(login.identity.clone());
        }
        if self.all.iter().any(|login| login.gid.is_some()) {
            let groups = groups();
            let is_in = |login: &&Login| login.gid.is_some_and(|gid| groups.contains(&gid));
            if let Some(login) = self.all.iter().find(is_in) {
                return Some(login.identity.clone());
            }
        }
        // They could do everything to the daemon anyway.
        let owns_the_daemon = uid == 0 || uid == supervisord_sys::user::effective_uid();
        (owns_the_daemon && !self.has_common_password).then(Principal::nobody)
    }
}

impl Login {
    fn new(user: &ClientUser) -> Login {
        let ClientUser { name, password, token, uid, gid, role, programs } = user.clone();
        let right = match role {
            UserRole::Viewer => Right::View,
            UserRole::Operator => Right::Operate,
            UserRole::Admin => Right::Administer,
        };
        let programs = programs.map_or(ProgramScope::All, ProgramScope::Matching);
        let identity = Principal { name: Some(name.as_str().into()), right, programs };
        Login { name, password, token, uid, gid, identity, verified: RefCell::default() }
    }

    pub(super) fn remembers(&self, presented: &[u8]) -> bool {
        self.verified.borrow().as_deref().is_some_and(|last| presented.ct_eq(last).into())
    }

    pub(super) fn remember(&self, presented: Vec<u8>) {
        *self.verified.borrow_mut() = Some(presented);
    }
}
