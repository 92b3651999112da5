//! Signed credentials as `nsc` makes them: an operator signs accounts, whose signing keys sign users of a role.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// An operator with the accounts `FLEET` and `SHOP`.
pub struct Authority {
    operator: KeyPair,
    accounts: Vec<Account>,
}

struct Account {
    name: &'static str,
    key: KeyPair,
    /// The signing keys of the roles, with the permissions that each gives.
    roles: Vec<(String, KeyPair, Value)>,
}

impl Authority {
    /// With the roles that the commands of the guide make.
    pub fn new(guide: &str) -> Authority {
        let commands = guide.replace("\\\n", " ");
        let roles = commands.lines().filter(|line| line.starts_with("nsc edit signing-key ")).map(|line| {
            let value = |option: &str| {
                let rest = line.split_once(&format!("--{option} ")).map(|(_, rest)| rest).expect("an option of nsc");
                match rest.strip_prefix('\'') {
                    Some(quoted) => quoted.split('\'').next().unwrap_or_default(),
                    None => rest.split(' ').next().unwrap_or_default(),
                }
            };
            let list = |option: &str| value(option).split(',').map(str::to_owned).collect::<Vec<_>>();
            let mut template = json!({
                "pub": {"allow": list("allow-pub")}, "sub": {"allow": list("allow-sub")},
                "subs": -1, "data": -1, "payload": -1,
            });
            if line.contains("--allow-pub-response=-1 --response-ttl 15m") {
                template["resp"] = json!({"max": -1, "ttl": 15 * 60 * 1_000_000_000u64});
            }
            (value("role").to_owned(), KeyPair::new_account(), template)
        });
        let roles: Vec<_> = roles.collect();
        assert_eq!(
            roles.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
            ["agent", "operator", "viewer", "hub", "pods"]
        );
        let account = |name, roles| Account { name, key: KeyPair::new_account(), roles };
        let accounts = vec![account("SYS", Vec::new()), account("FLEET", roles), account("SHOP", Vec::new())];
        Authority { operator: KeyPair::new_operator(), accounts }
    }

    /// The part of the configuration of a server that knows the accounts and no user.
    pub fn configuration(&self) -> String {
        let system = self.accounts[0].key.public_key();
        let claims = json!({"type": "operator", "version": 2, "system_account": system});
        let operator = token(&self.operator, &self.operator.public_key(), "example", &claims);
        let accounts = self.accounts.iter().map(|account| {
            let storage = if account.name == "SYS" { 0 } else { -1 };
            let scopes = account.roles.iter().map(|(role, key, template)| {
                json!({"kind": "user_scope", "key": key.public_key(), "role": role, "template": template})
            });
            let claims = json!({
                "type": "account", "version": 2, "signing_keys": scopes.collect::<Vec<_>>(),
                "default_permissions": {"pub": {}, "sub": {}},
                "limits": {
                    "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
                    "leaf": -1, "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
                },
            });
            let key = account.key.public_key();
            format!("  {key}: {}\n", token(&self.operator, &key, account.name, &claims))
        });
        let accounts: String = accounts.collect();
        format!("operator: {operator}\nsystem_account: {system}\nresolver: MEMORY\nresolver_preload {{\n{accounts}}}\n")
    }

    /// The credentials of a user: of a role, or with every right in the account where that is empty.
    pub fn credentials(&self, account: &str, name: &str, role: &str) -> String {
        let account = self.accounts.iter().find(|known| known.name == account).expect("an account");
        let user = KeyPair::new_user();
        let mut claims = json!({"type": "user", "version": 2, "issuer_account": account.key.public_key()});
        let signer = match account.roles.iter().find(|(known, ..)| known == role) {
            Some((_, key, _)) => key,
            None => {
                let all = [
                    ("pub", json!({})),
                    ("sub", json!({})),
                    ("subs", json!(-1)),
                    ("data", json!(-1)),
                    ("payload", json!(-1)),
                ];
                all.into_iter().for_each(|(member, value)| claims[member] = value);
                &account.key
            }
        };
        let token = token(signer, &user.public_key(), name, &claims);
        let seed = user.seed().expect("a new key has a seed");
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

/// A signed token about somebody.
fn token(signer: &KeyPair, subject: &str, name: &str, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "jti": subject, "iat": 1_700_000_000, "iss": signer.public_key(), "name": name, "sub": subject, "nats": claims,
    });
    let text = format!("{}.{}", encode(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), encode(&claims));
    let signature = signer.sign(text.as_bytes()).expect("it has a seed");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
