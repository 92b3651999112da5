//! What the system calls whoever runs this process.

use std::os::unix::fs::MetadataExt;

/// The name, from the environment or else from the list of users of this machine.
pub fn login_name() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    variable("USER").or_else(|| variable("LOGNAME")).or_else(|| {
        let uid = std::fs::metadata("/proc/self").ok()?.uid();
        name_of(&std::fs::read_to_string("/etc/passwd").ok()?, uid)
    })
}

/// The user of a number in a list such as `/etc/passwd`.
fn name_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:100::/home/ann:/bin/sh\n";
        assert_eq!(name_of(users, 1000).as_deref(), Some("ann"));
        assert_eq!((name_of(users, 0).as_deref(), name_of(users, 7)), (Some("root"), None));
    }
}
