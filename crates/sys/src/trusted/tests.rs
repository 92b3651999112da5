use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use super::*;

/// A directory of root with directories of other users. None without root: the test then cannot act as other users, and
/// only the system decides.
struct TestTree {
    root: tempfile::TempDir,
}

const APP: u32 = 65_534;
const OTHER_USER: u32 = 65_533;

impl TestTree {
    fn new() -> Option<TestTree> {
        let root = tempfile::tempdir().expect("a directory");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        (crate::user::effective_uid() == 0).then_some(TestTree { root })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn directory(&self, name: &str, owner: u32, mode: u32) {
        fs::create_dir_all(self.at(name)).expect("made");
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).expect("set");
        chown(self.at(name), Some(owner), Some(owner)).expect("given");
    }

    fn file(&self, name: &str, owner: u32) {
        fs::write(self.at(name), "precious").expect("written");
        chown(self.at(name), Some(owner), Some(owner)).expect("given");
    }

    fn link(&self, name: &str, target: impl AsRef<Path>, owner: u32) {
        symlink(target, self.at(name)).expect("linked");
        lchown(self.at(name), Some(owner), Some(owner)).expect("given");
    }

    fn append(&self, name: &str) -> Result<(), i32> {
        let opened = crate::sink::open_append(self.at(name).to_str().expect("text"), 0o644);
        match opened.and_then(|mut file| file.write_all(b"+")) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.raw_os_error().expect("of the system")),
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).expect("there")
    }
}

#[test]
fn common_links_and_modes_work() {
    let Some(tree) = TestTree::new() else { return };
    tree.directory("log", 0, 0o755);
    tree.directory("data", 0, 0o755);
    tree.directory("group", 0, 0o2775);
    tree.directory("home", APP, 0o755);
    tree.directory("home/releases/42/log", APP, 0o755);
    tree.directory("tmp", 0, 0o1777);
    // Files in the user's directory, of the user and of root; deployments with a link to the newest release; links of
    // root to anywhere.
    tree.file("home/own.log", APP);
    tree.link("home/current", "releases/42", APP);
    tree.link("linked", tree.at("data"), 0);
    tree.link("home/linked", tree.at("data"), 0);
    tree.link("log/file.log", "../data/file.log", 0);
    tree.link("tmp/of-root.log", tree.at("data/of-root.log"), 0);
    tree.file("log/given.log", APP);
    for name in [
        "log/new.log",
        "log/given.log",
        "group/new.log",
        "home/new.log",
        "home/own.log",
        "home/current/log/app.log",
        "linked/new.log",
        "home/linked/app.log",
        "log/file.log",
        "tmp/new.log",
        "tmp/of-root.log",
        "home/../log/./up.log",
    ] {
        assert_eq!(tree.append(name), Ok(()), "{name}");
        assert_eq!(tree.append(name), Ok(()), "{name}, which is there");
        assert!(tree.read(name).ends_with("++"), "{name}");
    }
    assert_eq!(fs::symlink_metadata(tree.at("home/releases/42/log/app.log")).expect("made").uid(), 0);
    let device = crate::sink::open_append("/dev/null", 0o644).expect("opened");
    assert!(!device.metadata().expect("there").is_file());
    // As in a container, where process 1 has the output of all processes.
    assert!(crate::sink::open_append(&format!("/proc/{}/fd/2", std::process::id()), 0o644).is_ok());
}

#[test]
fn root_follows_no_links_of_other_users() {
    let Some(tree) = TestTree::new() else { return };
    tree.directory("etc", 0, 0o755);
    tree.directory("home", APP, 0o755);
    tree.directory("other", OTHER_USER, 0o755);
    tree.directory("group", 0, 0o775);
    tree.directory("tmp", 0, 0o1777);
    tree.file("etc/victim", 0);
    tree.file("other/victim", OTHER_USER);
    tree.file("tmp/planted.log", OTHER_USER);
    tree.link("home/direct.log", "../etc/victim", APP);
    tree.link("home/absolute.log", tree.at("etc/victim"), APP);
    tree.link("home/new.log", "../etc/new", APP);
    tree.link("home/log", "../etc", APP);
    tree.link("home/far.log", "near.log", APP);
    tree.link("home/near.log", "../etc/victim", APP);
    tree.link("home/other.log", "../other/victim", APP);
    tree.link("home/fd.log", "/proc/self/fd/1", APP);
    tree.link("home/loop.log", "loop.log", APP);
    tree.link("group/direct.log", "../etc/victim", APP);
    tree.link("tmp/direct.log", "../etc/victim", OTHER_USER);
    // A file of root, which may have been renamed from another directory.
    tree.link("home/moved.log", "../etc/victim", 0);
    fs::hard_link(tree.at("etc/victim"), tree.at("home/hard.log")).expect("linked");
    for name in [
        "home/direct.log",
        "home/absolute.log",
        "home/new.log",
        "home/log/victim",
        "home/log/new",
        "home/far.log",
        "home/other.log",
        "home/fd.log",
        "home/loop.log",
        "group/direct.log",
        "tmp/direct.log",
        "home/moved.log",
    ] {
        assert_eq!(tree.append(name), Err(libc::ELOOP), "{name}");
        let path = tree.at(name);
        let path = path.to_str().expect("text");
        assert!(open_read(path).is_err() && open_write(path, 0o644).is_err(), "{name}");
    }
    for name in ["home/hard.log", "tmp/planted.log"] {
        assert_eq!(tree.append(name), Err(libc::EACCES), "{name}");
    }
    for (from, to) in [("home/log/victim", "home/log/victim.1"), ("etc/victim", "home/log/victim.1")] {
        assert!(rename(tree.at(from).to_str().expect("text"), tree.at(to).to_str().expect("text")).is_err());
    }
    assert!(remove(tree.at("home/log/victim").to_str().expect("text")).is_err());
    assert_eq!(tree.read("etc/victim") + &tree.read("other/victim"), "preciousprecious");
    assert!(!tree.at("etc/new").exists());
    // For a link, the link itself.
    let direct = tree.at("home/direct.log");
    rename(direct.to_str().expect("text"), tree.at("home/direct.log.1").to_str().expect("text")).expect("renamed");
    remove(tree.at("home/direct.log.1").to_str().expect("text")).expect("removed");
    assert_eq!(tree.append("home/direct.log"), Ok(()));
}

#[test]
fn errors_are_those_of_the_system() {
    let dir = tempfile::tempdir().expect("a directory");
    let code = |path: &Path| crate::sink::open_append(path.to_str().expect("text"), 0o644).expect_err("refused");
    assert_eq!(code(&dir.path().join("no/such")).raw_os_error(), Some(libc::ENOENT));
    assert_eq!(code(dir.path()).raw_os_error(), Some(libc::EISDIR));
    symlink("nowhere/x", dir.path().join("dangling")).expect("linked");
    assert_eq!(code(&dir.path().join("dangling")).raw_os_error(), Some(libc::ENOENT));
    symlink(".", dir.path().join("here")).expect("linked");
    assert_eq!(code(&dir.path().join("here")).raw_os_error(), Some(libc::EISDIR));
    assert_eq!(code(Path::new("/")).raw_os_error(), Some(libc::EISDIR));
    assert_eq!(code(Path::new("")).raw_os_error(), Some(libc::ENOENT));
}

/// A file that replaces a socket that was just created is not given away.
#[test]
fn chown_applies_only_to_the_socket_that_was_created() {
    use std::os::unix::net::UnixListener;
    let Some(tree) = TestTree::new() else { return };
    tree.directory("home", APP, 0o755);
    let [path, older, victim] = ["home/s", "home/older", "home/victim"].map(|name| tree.at(name));
    let _older = UnixListener::bind(&older).expect("bound");
    tree.file("home/victim", 0);
    // File times advance in steps.
    let made = fs::metadata(&older).and_then(|there| there.created()).expect("a file system that knows");
    let made = made.duration_since(std::time::UNIX_EPOCH).expect("after it");
    while NewSocketPlace::of(&path).expect("a place").before <= made {}
    let owner = |path: &Path| fs::symlink_metadata(path).expect("there").uid();
    type Swap<'a> = &'a dyn Fn();
    let swaps: [Swap<'_>; 4] = [
        &|| fs::rename(&older, &path).expect("renamed"),
        &|| fs::rename(&victim, &path).expect("renamed"),
        &|| symlink("/etc/passwd", &path).expect("linked"),
        &|| fs::hard_link(&path, tree.at("home/second")).expect("linked"),
    ];
    for (number, swap) in swaps.into_iter().enumerate() {
        let place = NewSocketPlace::of(&path).expect("a place");
        let _socket = UnixListener::bind(&path).expect("bound");
        if number == 2 {
            fs::remove_file(&path).expect("removed");
        }
        swap();
        assert_eq!(place.socket().err().and_then(|error| error.raw_os_error()), Some(libc::EACCES), "{number}");
        assert_eq!(owner(&path), 0);
        fs::remove_file(&path).expect("removed");
    }
    let place = NewSocketPlace::of(&path).expect("a place");
    let _socket = UnixListener::bind(&path).expect("bound");
    let made = place.socket().expect("ours");
    made.set_mode(0o640).expect("set");
    made.give_to(Some(APP), None).expect("given");
    assert_eq!((owner(&path), fs::symlink_metadata(&path).expect("there").mode() & 0o777), (APP, 0o640));
    // A directory that its owner has replaced by a link.
    tree.directory("etc", 0, 0o755);
    tree.link("home/run", "../etc", APP);
    assert!(NewSocketPlace::of(&tree.at("home/run/s")).is_err());
}
