//! A disk of the manager's own, of any size: a file system that only the daemon sees, and that goes with it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::laboratory::answer;

#[derive(Debug)]
pub(crate) struct Disk {
    /// Where it is mounted.
    folder: PathBuf,
    options: &'static str,
}

impl Disk {
    /// One at this folder, with these options of tmpfs; none, which is told, where this machine lets nobody mount anything.
    pub(crate) fn at(folder: &Path, options: &'static str) -> Option<Self> {
        let disk = Self { folder: folder.to_owned(), options };
        fs::create_dir(folder).unwrap();
        let tried = answer(disk.within().arg("true"));
        if tried.code == Some(0) {
            return Some(disk);
        }
        eprintln!(
            "LEFT OUT: no file system can be mounted here, so a disk with {options} was not tried: {tried:?}"
        );
        None
    }

    /// A command that sees the disk; its words are still to come.
    pub(crate) fn within(&self) -> Command {
        let mut command = Command::new("unshare");
        if !xtask::peers::is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = format!("mount -t tmpfs -o {} tmpfs \"$0\" && exec \"$@\"", self.options);
        command.args(["--mount", "sh", "-c", &script]).arg(&self.folder);
        command
    }

    /// Fills it to the last byte, for the daemon that has this process.
    pub(crate) fn fill(&self, daemon: u32) {
        let mut filler = fs::File::create(self.filler(daemon)).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    pub(crate) fn make_room(&self, daemon: u32) {
        fs::remove_file(self.filler(daemon)).unwrap();
    }

    /// The file that fills it, by a way that leads there from outside.
    fn filler(&self, daemon: u32) -> PathBuf {
        let inside = self.folder.join("filler");
        PathBuf::from(format!("/proc/{daemon}/root")).join(inside.strip_prefix("/").unwrap())
    }
}
