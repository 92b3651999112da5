//! A small file system for logs, which is full now and then. Only the daemon and its programs see it where it is mounted.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::harness::Daemon;
use crate::harness::needs;
use crate::harness::random::Random;
use crate::harness::scene::Place;

/// What the daemon is started with, so that it sees the volume; `$0` is the process that keeps it.
pub const ENTER: &str =
    "nsenter --mount=/proc/$(cat '{dir}/volume.pid')/ns/mnt sh -c 'cd \"{dir}\" && exec \"$@\"' sh ";

/// The volume. It is gone with this, or with the process of the test.
pub struct Volume {
    /// Keeps the mount namespace until its stdin ends.
    keeper: Child,
    root: PathBuf,
}

impl Volume {
    /// Where it is mounted, below the directory of the scene.
    pub const NAME: &str = "volume";

    pub fn mount(place: &Place) -> Volume {
        let directory = place.path(Self::NAME);
        fs::create_dir_all(&directory).expect("the directory is ours");
        let mut command = Command::new(needs::program("unshare"));
        command.args(["--mount", "sh", "-c", "mount -t tmpfs -o size=16m none \"$0\" && echo ready && exec cat"]);
        command.arg(&directory).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare can be executed");
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().expect("a pipe")).read_line(&mut said).expect("it says that it is ready");
        assert_eq!(said, "ready\n");
        place.write("volume.pid", &keeper.id().to_string());
        let root = PathBuf::from(format!("/proc/{}/root{}", keeper.id(), directory.display()));
        Volume { keeper, root }
    }

    /// The path of a log as the test sees it.
    pub fn path(&self, log: &str) -> PathBuf {
        self.root.join(log)
    }

    fn filler(&self) -> PathBuf {
        self.path("filler")
    }

    /// Fills it, but for some pages at times, or makes room.
    pub fn change(&self, random: &mut Random) {
        if self.filler().exists() {
            return self.make_room();
        }
        let mut file = File::create(self.filler()).expect("the volume is there");
        let page = [b'.'; 4096];
        let mut pages = 0;
        while file.write_all(&page).is_ok() {
            pages += 1;
        }
        let free = *random.pick(&[0, 0, 1, 5]);
        file.set_len(page.len() as u64 * u64::saturating_sub(pages, free)).expect("a file can become shorter");
    }

    pub fn make_room(&self) {
        let _ = fs::remove_file(self.filler());
    }

    /// Whether the daemon has output that waits for room.
    pub fn has_waiting(daemon: &Daemon) -> bool {
        daemon.names().iter().any(|name| name.ends_with(".spill"))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
