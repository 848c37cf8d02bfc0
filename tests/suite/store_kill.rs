//! A process that is killed at any instant loses nothing it has acknowledged, tells nothing twice, and lends nothing to
//! two at once. `MARKWARDEN_KILLS` sets how often.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::store_writers::{Figures, Writer, announce, check, number, remove_index};

const KILLS: usize = 200;
/// So many kills a folder: their journal grows over several segments, and opening it stays quick.
const KILLS_A_FOLDER: usize = 20;
/// Most of the time goes into waiting for the disk.
const FOLDERS_AT_ONCE: usize = 3;
/// The index is held against a rebuilt one after every so many.
const WHOLE_EVERY: usize = 10;
/// A run is killed after this many acknowledged lines at most.
const MAX_LINES: usize = 150;
const MAX_RUN: Duration = Duration::from_millis(30);
/// What starting a process takes beside opening the store.
const STARTING: Duration = Duration::from_millis(10);

/// Runs a writer on `dir`, which lately took `opening` to open, and kills it: at a line, at an instant of its writing, or
/// while it opens.
fn write_and_kill(dir: &Path, run: usize, opening: Duration) -> Vec<String> {
    let instant = |most: Duration| most.mul_f64(fastrand::f64());
    match run % 4 {
        0 => {
            let mut writer = Writer::start(dir, run);
            writer.listen(fastrand::usize(1..MAX_LINES));
            writer.kill()
        }
        1 | 2 => {
            let mut writer = Writer::start(dir, run);
            writer.listen(1);
            std::thread::sleep(instant(MAX_RUN));
            writer.kill()
        }
        _ => {
            // Half of them in the middle of rebuilding.
            if fastrand::bool() {
                remove_index(dir);
            }
            let writer = Writer::start(dir, run);
            std::thread::sleep(instant(STARTING + opening));
            writer.kill()
        }
    }
}

/// Kills `kills` writers one after the other on one folder; `first` is the number of the first.
fn kill_on_one_folder(first: usize, kills: usize, figures: &mut Figures) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let (mut said, mut opening, mut unopened) = (Vec::new(), Duration::ZERO, 0);
    for run in first..first + kills {
        let lines = write_and_kill(dir.path(), run, opening);
        unopened += usize::from(lines.is_empty());
        said.extend(lines);
        let checked = check(dir.path(), &said, run % WHOLE_EVERY == 0, false);
        opening = checked.opened;
        figures.add(&checked);
    }
    // Once more from the journal alone.
    remove_index(dir.path());
    check(dir.path(), &said, true, false);
    unopened
}

#[test]
fn a_process_killed_at_any_instant_has_lost_nothing_it_acknowledged() {
    let kills = number("MARKWARDEN_KILLS", KILLS);
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut figures, mut unopened) = (Figures::default(), 0);
        loop {
            let first = next.fetch_add(KILLS_A_FOLDER, Relaxed);
            if first >= kills {
                return (figures, unopened);
            }
            unopened += kill_on_one_folder(first, KILLS_A_FOLDER.min(kills - first), &mut figures);
        }
    };
    let (mut figures, mut unopened) = (Figures::default(), 0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..FOLDERS_AT_ONCE).map(|_| scope.spawn(work)).collect();
        for (more, before) in workers.into_iter().map(|worker| worker.join().unwrap()) {
            figures.extend(more);
            unopened += before;
        }
    });
    announce(&format!("kills: {kills}, {unopened} of them before the store was open; {}", figures.line()));
}
