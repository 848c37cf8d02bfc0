//! Files: found, copied durably, hashed.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::store::{
    folder::{io, sync_dir},
    journal::hex,
    port::StoreError,
};

/// Folders below folders deeper than this are not looked into.
const MAX_DEPTH: usize = 16;
const CHUNK_BYTES: usize = 64 * 1024;

/// The files below `root` with their sizes, in order; none when it is absent. Links and files being written (their names
/// begin with a dot) are left out.
pub(in crate::store) fn files_below(root: &Path) -> Result<Vec<(PathBuf, u64)>, StoreError> {
    let mut files = Vec::new();
    if root.exists() {
        walk(root, 0, &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<(PathBuf, u64)>) -> Result<(), StoreError> {
    let doing = || format!("listing {}", folder.display());
    for entry in fs::read_dir(folder).map_err(io(doing))? {
        let entry = entry.map_err(io(doing))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let about = entry.metadata().map_err(io(doing))?;
        if about.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), depth + 1, files)?;
        } else if about.is_file() {
            files.push((entry.path(), about.len()));
        }
    }
    Ok(())
}

/// Copies a file to a new name, durably; returns its size and SHA-256. What is appended meanwhile is left out.
pub(in crate::store) fn copy_hashed(from: &Path, to: &Path) -> Result<(u64, String), StoreError> {
    let doing = || format!("copying {} to {}", from.display(), to.display());
    let source = File::open(from).map_err(io(doing))?;
    let size = source.metadata().map_err(io(doing))?.len();
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(io(doing))?;
    }
    let mut target = File::create_new(to).map_err(io(doing))?;
    let (bytes, hash) = hash_into(source.take(size), |chunk| target.write_all(chunk)).map_err(io(doing))?;
    target.sync_all().map_err(io(doing))?;
    to.parent().map_or(Ok(()), sync_dir)?;
    Ok((bytes, hash))
}

/// A file's size and SHA-256.
pub(in crate::store) fn hash_file(path: &Path) -> Result<(u64, String), StoreError> {
    let doing = || format!("reading {}", path.display());
    let file = File::open(path).map_err(io(doing))?;
    hash_into(file, |_| Ok(())).map_err(io(doing))
}

fn hash_into(
    mut source: impl Read,
    mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<(u64, String)> {
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = source.read(&mut chunk)?;
        let part = chunk.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Ok((bytes, hex(&hasher.finalize())));
        }
        hasher.update(part);
        each(part)?;
        bytes += part.len() as u64;
    }
}
