//! The tree on disk: every whole subtree's hash once, appended in the order they become whole.
//!
//! [`TreeFile`] grows by a leaf in one or two hashes on average and answers any proof in a few reads. It can be
//! rebuilt from the journal; whether it agrees with what was signed is [`super::Ledger`]'s question.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::merkle::{Hash, Nodes, leaf_hash, node_hash};
use crate::evidence::EvidenceError;

const HASH_BYTES: u64 = 32;

/// The tree's file, open for growing.
#[derive(Debug)]
pub(super) struct TreeFile {
    path: PathBuf,
    file: File,
    size: u64,
    /// The whole subtrees along the right edge, the largest first: one for each bit of the size.
    edge: Vec<Hash>,
}

impl TreeFile {
    /// Opens or makes the file; what an unfinished write left behind its last whole leaf is ignored.
    pub fn open(path: &Path) -> Result<Self, EvidenceError> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(EvidenceError::io("opening", path))?;
        let bytes = file.seek(SeekFrom::End(0)).map_err(EvidenceError::io("reading", path))?;
        let mut tree = Self { path: path.to_owned(), file, size: leaves(bytes / HASH_BYTES), edge: Vec::new() };
        tree.edge = tree.right_edge()?;
        Ok(tree)
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Forgets everything.
    pub fn clear(&mut self) -> Result<(), EvidenceError> {
        self.file.set_len(0).map_err(EvidenceError::io("clearing", &self.path))?;
        self.size = 0;
        self.edge.clear();
        Ok(())
    }

    /// Adds a leaf for each entry, durably.
    pub fn append(&mut self, entries: &[Hash]) -> Result<(), EvidenceError> {
        let (mut size, mut edge) = (self.size, self.edge.clone());
        let mut bytes = Vec::with_capacity(entries.len() * 64);
        for entry in entries {
            let mut hash = leaf_hash(entry);
            bytes.extend_from_slice(&hash);
            // Each trailing one of the size is a subtree that this leaf makes whole.
            for left in edge.split_off(edge.len() - size.trailing_ones() as usize).iter().rev() {
                hash = node_hash(left, &hash);
                bytes.extend_from_slice(&hash);
            }
            edge.push(hash);
            size += 1;
        }
        let at = SeekFrom::Start(stored(self.size) * HASH_BYTES);
        let written = self.file.seek(at).and_then(|_| self.file.write_all(&bytes)).and_then(|()| self.file.sync_data());
        written.map_err(EvidenceError::io("writing", &self.path))?;
        (self.size, self.edge) = (size, edge);
        Ok(())
    }

    fn right_edge(&self) -> Result<Vec<Hash>, EvidenceError> {
        let levels = (0..u64::BITS).rev().filter(|level| self.size >> level & 1 == 1);
        levels.map(|level| self.node(level, (self.size >> level) - 1)).collect()
    }
}

impl Nodes for TreeFile {
    fn node(&self, level: u32, index: u64) -> Result<Hash, EvidenceError> {
        let mut hash = [0; 32];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place(level, index) * HASH_BYTES))
            .and_then(|_| file.read_exact(&mut hash))
            .map_err(EvidenceError::io("reading", &self.path))?;
        Ok(hash)
    }
}

/// How many hashes are stored for `size` leaves.
fn stored(size: u64) -> u64 {
    std::iter::successors(Some(size), |count| Some(count >> 1)).take_while(|&count| count > 0).sum()
}

/// Where the hash of a subtree is stored: behind everything stored before its last leaf, above that leaf.
fn place(level: u32, index: u64) -> u64 {
    let last_leaf = ((index + 1) << level) - 1;
    stored(last_leaf) + u64::from(level)
}

/// How many leaves are whole when `count` hashes are there.
fn leaves(count: u64) -> u64 {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if stored(middle) <= count { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{super::merkle, *};

    fn entries(size: u64) -> Vec<Hash> {
        (0..size).map(|n| leaf_hash(&n.to_le_bytes())).collect()
    }

    /// The definition, over everything.
    fn naive(entries: &[Hash]) -> Hash {
        match entries {
            [entry] => leaf_hash(entry),
            _ => {
                let (left, right) = entries.split_at(entries.len().next_power_of_two() / 2);
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    #[test]
    fn a_tree_grown_in_pieces_and_reopened_has_every_root_and_proof() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tree");
        let entries = entries(70);
        for piece in entries.chunks(9) {
            TreeFile::open(&path).unwrap().append(piece).unwrap();
        }
        let tree = TreeFile::open(&path).unwrap();
        assert_eq!(tree.size(), 70);
        for size in 1..=70 {
            let root = merkle::root(&tree, size).unwrap();
            assert_eq!(root, naive(&entries[..size as usize]));
            for index in 0..size {
                let proof = merkle::inclusion(&tree, index, size).unwrap();
                let leaf = leaf_hash(&entries[index as usize]);
                assert!(merkle::verify_inclusion(&leaf, index, size, &proof, &root));
            }
        }
    }

    #[test]
    fn a_torn_end_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tree");
        let entries = entries(16);
        TreeFile::open(&path).unwrap().append(&entries).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut tree = TreeFile::open(&path).unwrap();
            let rest = &entries[tree.size() as usize..];
            tree.append(rest).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{length}");
        }
    }
}
