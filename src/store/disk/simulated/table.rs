//! A table of the index on the simulated disk: after a power cut it may be whole, older, empty, or beyond opening.

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Disk, Node, Operation, Trouble, on_this_thread};

/// The most batches that had not left the process when it ended.
const MAX_HELD_BACK: usize = 3;

/// A key with its value, or none when it goes.
type Write = (Vec<u8>, Option<Vec<u8>>);

/// A table. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Table(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// For each batch what takes it back.
    undo: Vec<Vec<Write>>,
    broken: bool,
    /// It is looked at only, and lasts.
    aside: bool,
}

/// The table in `folder` of this thread's disk, made when it is new; none when the thread has no simulated disk.
pub fn table_on_this_thread(folder: &Path) -> Option<Result<Table, String>> {
    on_this_thread(|disk| open(disk, folder).map_err(|error| error.to_string()))
}

fn open(disk: &Disk, folder: &Path) -> io::Result<Table> {
    disk.make_folders(folder)?;
    let mut disk = disk.state();
    disk.read()?;
    let path = folder.join("db");
    let table = match disk.live.get(&path) {
        Some(&Node::Table(table)) => disk.tables[table].clone(),
        _ => {
            let table = Table::default();
            table.state().aside = disk.quiet;
            disk.tables.push(table.clone());
            let node = Node::Table(disk.tables.len() - 1);
            disk.change(Operation::Create, None, Some((path, node)))?;
            table
        }
    };
    let broken = table.state().broken;
    if broken { Err(io::Error::other("a checksum is wrong")) } else { Ok(table) }
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.state().values.get(key).cloned()
    }

    /// Keys and values from `begin` on, in order.
    pub fn range(&self, mut begin: Bound<Vec<u8>>) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + use<> {
        let table = self.clone();
        std::iter::from_fn(move || {
            let state = table.state();
            let (key, value) = state.values.range((begin.clone(), Bound::Unbounded)).next()?;
            begin = Bound::Excluded(key.clone());
            Some((key.clone(), value.clone()))
        })
    }

    /// Writes all or none; where the disk says no, whoever asks does not know which.
    pub fn write(&self, writes: Vec<Write>) -> io::Result<()> {
        let (begun, done) = on_this_thread(|disk| {
            let mut disk = disk.state();
            let begun = disk.begin(Operation::Table);
            let done = match begun {
                Ok(()) | Err(Trouble::Cut) => true,
                Err(Trouble::Failed(_)) => disk.random.bool(),
                Err(Trouble::Off) => false,
            };
            (begun, done)
        })
        .unwrap_or((Ok(()), true));
        if done {
            let mut state = self.state();
            let undo: Vec<Write> = writes.into_iter().map(|(key, value)| state.put(key, value)).collect();
            if !state.aside {
                state.undo.push(undo);
            }
        }
        Ok(begun?)
    }

    pub(super) fn flip(&self) {
        let mut state = self.state();
        state.broken = !state.aside;
    }

    pub(super) fn cut(&self, random: &mut fastrand::Rng) {
        let mut state = self.state();
        if state.aside {
            return;
        }
        let batches = state.undo.len();
        match random.u8(..8) {
            0 => state.broken = true,
            1 => state.take_back(batches),
            2..5 => state.take_back(random.usize(..=batches)),
            _ => {}
        }
        state.undo.clear();
    }

    pub(super) fn end_process(&self, random: &mut fastrand::Rng) {
        let mut state = self.state();
        if state.aside {
            return;
        }
        let most = state.undo.len().min(MAX_HELD_BACK);
        state.take_back(random.usize(..=most));
    }
}

impl State {
    /// Writes one key and returns what takes that back.
    fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Write {
        let before = match value {
            Some(value) => self.values.insert(key.clone(), value),
            None => self.values.remove(&key),
        };
        (key, before)
    }

    /// Takes the newest batches back.
    fn take_back(&mut self, batches: usize) {
        for _ in 0..batches {
            for (key, value) in self.undo.pop().unwrap_or_default().into_iter().rev() {
                self.put(key, value);
            }
        }
    }
}
