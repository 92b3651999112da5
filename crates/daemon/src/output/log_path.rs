//! What the path of a log stands for.

use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::Path;

use supervisord_sys::{sink, trusted};

/// How many links in a row are followed.
const MAX_LINKS: usize = 40;

/// The number of the inherited descriptor that `path` names, directly (`/dev/stdout`) or through links.
///
/// The original opens such a path like any other, which fails when it is a socket or belongs to somebody else, and
/// renames or removes the very device when it rotates or clears. Ours uses the descriptor itself. Links that others can
/// have made lead to the standard output and error only, and to no terminal.
pub fn inherited(path: &str) -> Option<i32> {
    let mut path = path.to_owned();
    let mut is_ours = true;
    for _ in 0..MAX_LINKS {
        if let Some(number) = descriptor(&path) {
            return (is_ours || is_for_everybody(number)).then_some(number);
        }
        let target = fs::read_link(&path).ok()?;
        is_ours &= trusted::is_link_of_ours(Path::new(&path));
        path = Path::new(&path).parent()?.join(target).to_str()?.to_owned();
    }
    None
}

/// Whether anybody may have a link to this descriptor: in containers their output is meant to go there. A terminal obeys
/// what it is sent, and others are nobody's business.
fn is_for_everybody(number: i32) -> bool {
    matches!(number, 1 | 2) && sink::duplicate(number).is_ok_and(|copy| !File::from(copy).is_terminal())
}

fn descriptor(path: &str) -> Option<i32> {
    match path {
        "/dev/stdin" => Some(0),
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        _ => {
            let digits = path.strip_prefix("/dev/fd/").or_else(|| path.strip_prefix("/proc/self/fd/"))?;
            if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn descriptors_have_several_names() {
        assert_eq!(inherited("/dev/stdout"), Some(1));
        assert_eq!(inherited("/dev/stderr"), Some(2));
        assert_eq!(inherited("/dev/fd/12"), Some(12));
        assert_eq!(inherited("/proc/self/fd/3"), Some(3));
        for other in ["/dev/null", "/dev/fd/", "/dev/fd/+1", "/dev/fd/1/x", "/no/such/file", ""] {
            assert_eq!(inherited(other), None, "{other}");
        }
    }

    #[test]
    fn links_are_followed_but_not_for_ever() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        symlink("/dev/stdout", at("direct")).expect("linked");
        symlink("direct", at("relative")).expect("linked");
        symlink("loop", at("loop")).expect("linked");
        assert_eq!(inherited(&at("relative")), Some(1));
        assert_eq!(inherited(&at("loop")), None);
    }
}
