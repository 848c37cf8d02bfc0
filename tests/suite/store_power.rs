//! A power cut loses nothing that was acknowledged: what a disk had received by then is kept, the rest is not.
//!
//! The store lies on ext4 on a loop device. The writer is stopped, the device's image is copied as it is (what only the
//! system's memory had is not in it), and the store is opened from the copy. Needs root; `MARKWARDEN_CUTS` sets how often.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use fastrand::Rng;
use tempfile::TempDir;

use crate::{
    store_index::mutate,
    store_writers::{Figures, PATIENCE, Writer, announce, check, number},
};

const CUTS: usize = 2;
/// So many cuts a disk: its file system and its store grow older.
const CUTS_A_DISK: usize = 6;
const IMAGE_BYTES: u64 = 128 * 1024 * 1024;
/// Memory that looks like a disk: an image there is copied in no time.
const MEMORY: &str = "/dev/shm";
/// The file system writes down by itself after so many seconds what nobody synced; the second, practically never.
const COMMITS: [u32; 2] = [5, 300];
const SHORT: Duration = Duration::from_millis(300);
/// Longer than the file system's own interval.
const LONG: Duration = Duration::from_secs(7);
const TRIES: u32 = 500;
const MOMENT: Duration = Duration::from_millis(10);

/// Runs a system's command; what it says when it fails.
fn run(command: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(command).args(arguments).output().map_err(|error| format!("{command}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A disk with a file system, mounted until it is dropped.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn folder() -> TempDir {
        if Path::new(MEMORY).is_dir() { tempfile::tempdir_in(MEMORY) } else { tempfile::tempdir() }.unwrap()
    }

    /// A new one.
    fn new(commit: u32) -> Result<Self, String> {
        let disk = Self { folder: Self::folder() };
        fs::create_dir(disk.mounted()).unwrap();
        fs::File::create(disk.image()).and_then(|file| file.set_len(IMAGE_BYTES)).unwrap();
        // Nothing is left for the file system to write later, by itself.
        run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", text(&disk.image())])?;
        disk.mount(commit)?;
        Ok(disk)
    }

    /// What a power cut would leave of this one, not mounted yet. Whoever writes to it has been stopped.
    fn copy(&self) -> Self {
        let left = Self { folder: Self::folder() };
        fs::create_dir(left.mounted()).unwrap();
        // A picture of one moment: nothing was written while it was taken.
        loop {
            fs::copy(self.image(), left.image()).unwrap();
            if fs::read(self.image()).unwrap() == fs::read(left.image()).unwrap() {
                break;
            }
        }
        left
    }

    fn mount(&self, commit: u32) -> Result<(), String> {
        let options = format!("loop,noatime,commit={commit}");
        run("mount", &["-o", &options, text(&self.image()), text(&self.mounted())])
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn data(&self) -> PathBuf {
        self.mounted().join("data")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            // A process that has just been killed may hold it a moment longer.
            match run("umount", &[text(&self.mounted())]) {
                Err(busy) if busy.contains("busy") => sleep(MOMENT),
                _ => return,
            }
        }
    }
}

/// Stops every thread of a process; those that wait for the disk come back first.
fn stop(process: u32) {
    run("kill", &["-STOP", &process.to_string()]).unwrap();
    let stopped = || {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|task| task.unwrap().path());
        // The state stands behind the name, which may hold anything but the last bracket.
        let state = |task: PathBuf| {
            let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
        };
        tasks.map(state).all(|state| matches!(state, Some('T') | None))
    };
    let begin = Instant::now();
    while !stopped() {
        assert!(begin.elapsed() < PATIENCE, "the writer does not stop");
        sleep(MOMENT);
    }
}

#[test]
fn a_power_cut_at_any_instant_has_lost_nothing_that_was_acknowledged() {
    let cuts = number("MARKWARDEN_CUTS", CUTS);
    // Longer runs are for those who asked for them.
    let asked_for = std::env::var_os("MARKWARDEN_CUTS").is_some();
    let mut random = Rng::new();
    let mut figures = Figures::default();
    let (mut cut, mut damaged) = (0, 0);
    while cut < cuts {
        let commit = COMMITS[cut / CUTS_A_DISK % COMMITS.len()];
        let mut disk = match Disk::new(commit) {
            Ok(disk) => disk,
            Err(why) if cut == 0 && !asked_for => {
                announce(&format!("skipped: power cuts need root, a loop device and ext4; {why}"));
                return;
            }
            Err(why) => panic!("{why}"),
        };
        let mut said = Vec::new();
        let before = damaged;
        for _ in 0..CUTS_A_DISK.min(cuts - cut) {
            let mut writer = Writer::start(&disk.data(), cut);
            writer.listen(random.usize(1..50));
            let most = if asked_for && random.u8(..4) == 0 { LONG } else { SHORT };
            sleep(most.mul_f64(random.f64()));
            stop(writer.id());
            let left = disk.copy();
            said.extend(writer.kill());
            disk = left;
            disk.mount(commit).unwrap();
            cut += 1;
            if cut % 2 == 0 {
                mutate(&disk.data(), &[], &mut random);
                damaged += 1;
            }
            figures.add(&check(&disk.data(), &said, cut % 3 == 0, damaged > before));
        }
    }
    announce(&format!("power cuts: {cuts}, {damaged} of them with a damaged index; {}", figures.line()));
}
