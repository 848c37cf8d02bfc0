//! The folder of an archive: a manifest that names the segments, the newest of which wins for a listing that stands in two.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    ArchiveError, Prices, Verdicts,
    segment::{Segment, damaged, io_error},
};
use crate::files;

const MANIFEST: &str = "archive.json";
const VERDICTS: &str = "verdicts.json";
const PRICES: &str = "prices.json";
const FORMAT: u32 = 2;
/// Longest manifest, longest files of verdicts and of prices, most segments.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;
const MAX_VERDICT_BYTES: u64 = 4 << 30;
const MAX_PRICE_BYTES: u64 = 1 << 30;
const MAX_SEGMENTS: usize = 100_000;

/// What an archive is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) format: u32,
    /// The sequence of the journal it reaches.
    pub seq: u64,
    /// The chained hash of that record (hex): another store has another.
    pub head: String,
    /// Listings that count.
    pub listings: u64,
    /// Older states of listings, which do not count.
    pub outdated: u64,
    /// Files of the segments, the oldest first.
    pub segments: Vec<String>,
}

/// An archive that is read.
#[derive(Debug)]
pub struct Archive {
    pub(super) manifest: Manifest,
    pub(super) segments: Vec<Part>,
    pub(super) verdicts: Verdicts,
    prices: Prices,
}

/// A segment, and which of its listings stand in a newer one.
#[derive(Debug)]
pub(super) struct Part {
    pub segment: Segment,
    newer: HashSet<u64>,
}

impl Part {
    /// Whether the listing with this number is its newest state.
    pub fn counts(&self, number: usize) -> bool {
        self.segment.ids.get(number).is_some_and(|id| !self.newer.contains(id))
    }

    /// How many listings count.
    pub fn listings(&self) -> usize {
        self.segment.ids.iter().filter(|id| !self.newer.contains(id)).count()
    }
}

impl Archive {
    /// Opens the archive in `folder`.
    ///
    /// # Errors
    /// When there is none, or it is damaged or foreign: then it is to be built anew.
    pub fn open(folder: &Path) -> Result<Self, ArchiveError> {
        let path = folder.join(MANIFEST);
        let manifest: Manifest = read(&path, MAX_MANIFEST_BYTES)?;
        if manifest.format != FORMAT {
            return Err(ArchiveError::Foreign(format!("it has the form {}", manifest.format)));
        }
        let plain = |name: &String| !name.is_empty() && !name.contains(['/', '\\']) && name.ends_with(".seg");
        if manifest.segments.len() > MAX_SEGMENTS || !manifest.segments.iter().all(plain) {
            return Err(damaged(&path, "it names what no segment is called"));
        }
        let segments: Result<Vec<Segment>, ArchiveError> =
            manifest.segments.iter().map(|name| Segment::open(&folder.join(name))).collect();
        let verdicts = read(&folder.join(VERDICTS), MAX_VERDICT_BYTES)?;
        let prices = read(&folder.join(PRICES), MAX_PRICE_BYTES)?;
        Self::new(manifest, segments?, (verdicts, prices), &path)
    }

    fn new(
        manifest: Manifest,
        segments: Vec<Segment>,
        (verdicts, prices): (Verdicts, Prices),
        path: &Path,
    ) -> Result<Self, ArchiveError> {
        let mut newer: HashSet<u64> = HashSet::new();
        let mut parts: Vec<Part> = Vec::with_capacity(segments.len());
        for segment in segments.into_iter().rev() {
            let hidden: HashSet<u64> = segment.ids.iter().copied().filter(|id| newer.contains(id)).collect();
            newer.extend(segment.ids.iter().copied().filter(|id| *id != 0));
            parts.push(Part { segment, newer: hidden });
        }
        parts.reverse();
        let listings: usize = parts.iter().map(Part::listings).sum();
        if listings as u64 != manifest.listings {
            return Err(damaged(path, "it counts other listings than its segments hold"));
        }
        Ok(Self { manifest, segments: parts, verdicts, prices })
    }

    /// How many listings of `manifest`'s segments count, and how many do not.
    pub(super) fn counted(folder: &Path, manifest: &Manifest) -> Result<(u64, u64), ArchiveError> {
        let mut newer: HashSet<u64> = HashSet::new();
        let (mut listings, mut outdated) = (0_u64, 0_u64);
        for name in manifest.segments.iter().rev() {
            let ids = Segment::open(&folder.join(name))?.ids;
            let hidden = ids.iter().filter(|id| newer.contains(id)).count() as u64;
            outdated += hidden;
            listings += ids.len() as u64 - hidden;
            newer.extend(ids.into_iter().filter(|id| *id != 0));
        }
        Ok((listings, outdated))
    }

    /// What it is made of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What reviewers said, up to the sequence the archive reaches.
    pub fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    /// What goods of watched marks usually cost, at that sequence.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Bytes on the disk, as near as the segments say.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn bytes(folder: &Path) -> io::Result<u64> {
        fs::read_dir(folder)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.len()))
    }
}

/// Makes what is in `folder` the archive that `manifest` names, and lets go of other segments.
pub(super) fn put(
    folder: &Path,
    mut manifest: Manifest,
    (verdicts, prices): (&Verdicts, &Prices),
) -> Result<(), ArchiveError> {
    manifest.format = FORMAT;
    let segments: HashSet<&String> = manifest.segments.iter().collect();
    write(&folder.join(VERDICTS), verdicts)?;
    write(&folder.join(PRICES), prices)?;
    write(&folder.join(MANIFEST), &manifest)?;
    for entry in fs::read_dir(folder).map_err(|error| io_error(folder, error))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".seg") && !segments.contains(&name) {
            // Whoever still reads it keeps it open; what stays behind goes the next time.
            drop(fs::remove_file(entry.path()));
        }
    }
    Ok(())
}

/// Removes the archive in `folder`, so that no other is taken for it while it is built.
pub(super) fn clear(folder: &Path) -> Result<(), ArchiveError> {
    fs::create_dir_all(folder).map_err(|error| io_error(folder, error))?;
    match fs::remove_file(folder.join(MANIFEST)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(folder, error)),
        _ => Ok(()),
    }
}

/// A file of JSON after a line with its checksum.
fn read<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<T, ArchiveError> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| io_error(path, error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ArchiveError::Missing),
        Err(error) => return Err(io_error(path, error)),
    };
    if bytes.len() as u64 > limit {
        return Err(damaged(path, "it is too long"));
    }
    let (sum, text) = bytes.split_at_checked(9).ok_or_else(|| damaged(path, "it is too short"))?;
    if sum != format!("{:08x}\n", crc32c::crc32c(text)).as_bytes() {
        return Err(damaged(path, "it has another checksum"));
    }
    serde_json::from_slice(text).map_err(|error| damaged(path, &error.to_string()))
}

fn write<T: Serialize>(path: &Path, what: &T) -> Result<(), ArchiveError> {
    let written = || -> io::Result<()> {
        let text = serde_json::to_vec(what)?;
        let mut whole = format!("{:08x}\n", crc32c::crc32c(&text)).into_bytes();
        whole.extend(text);
        files::replace(path, &whole)
    };
    written().map_err(|error| io_error(path, error))
}
