//! A tar file (ustar) with one form only: the same files give the same bytes, and other bytes are refused.

use std::collections::BTreeMap;

use crate::evidence::EvidenceError;

const BLOCK: usize = 512;
/// Most files in a bundle.
const MAX_FILES: usize = 4096;
/// Longest name of a file.
const MAX_NAME_BYTES: usize = 99;

/// Files by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The tar file that holds `files`.
pub(super) fn write(files: &Files) -> Result<Vec<u8>, EvidenceError> {
    if files.len() > MAX_FILES {
        return Err(EvidenceError::Bundle(format!("{} files, at most {MAX_FILES} fit", files.len())));
    }
    let mut tar = Vec::new();
    for (name, bytes) in files {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || bytes.len() as u64 >= 1 << 33 {
            return Err(EvidenceError::Bundle(format!("`{name:.100}` does not fit into a tar file")));
        }
        tar.extend_from_slice(&header(name, bytes.len()));
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    Ok(tar)
}

/// The files of a tar file that [`write`] made.
pub(super) fn read(tar: &[u8]) -> Result<Files, EvidenceError> {
    let wrong = |what: String| EvidenceError::Bundle(what);
    let mut files = Files::new();
    let mut rest = tar;
    while let Some((header, behind)) = rest.split_at_checked(BLOCK).filter(|(header, _)| header[0] != 0) {
        let (name, size) = read_header(header).ok_or_else(|| wrong("it is no tar file of a bundle".into()))?;
        let bytes = behind.get(..size).ok_or_else(|| wrong(format!("`{name}` is cut short")))?;
        if files.len() == MAX_FILES {
            return Err(wrong(format!("more than {MAX_FILES} files")));
        }
        files.insert(name, bytes.to_vec());
        rest = behind.get(size.next_multiple_of(BLOCK)..).unwrap_or_default();
    }
    // Whatever was read loosely above shows here.
    if write(&files)? == tar { Ok(files) } else { Err(wrong("its tar file is not as it was written".into())) }
}

fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let size = format!("{size:011o}");
    let fields: [(usize, &[u8]); 9] = [
        (0, name.as_bytes()),
        (100, b"0000644"),
        (108, b"0000000"),
        (116, b"0000000"),
        (124, size.as_bytes()),
        (136, b"00000000000"),
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ];
    for (at, bytes) in fields {
        put(&mut header, at, bytes);
    }
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}

fn read_header(header: &[u8]) -> Option<(String, usize)> {
    let name = header.get(..100)?.split(|&byte| byte == 0).next()?;
    let size = std::str::from_utf8(header.get(124..135)?).ok()?;
    Some((std::str::from_utf8(name).ok()?.to_owned(), usize::from_str_radix(size, 8).ok()?))
}

fn put(header: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    if let Some(place) = header.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_read_back_and_every_other_form_is_refused() {
        let files =
            Files::from([("a".into(), b"one".to_vec()), ("b/c".into(), vec![7; 512]), ("d".into(), Vec::new())]);
        let tar = write(&files).unwrap();
        assert_eq!(read(&tar).unwrap(), files);
        for at in 0..tar.len() {
            let mut changed = tar.clone();
            changed[at] ^= 1;
            assert!(read(&changed).map_or(true, |found| found != files), "byte {at}");
            if at % 64 == 0 {
                assert!(read(&tar[..at]).is_err(), "cut at {at}");
            }
        }
        assert!(read(&[tar.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn too_many_files_and_too_long_names_are_refused() {
        let files = |count: usize| -> Files { (0..count).map(|n| (n.to_string(), Vec::new())).collect() };
        assert_eq!(read(&write(&files(MAX_FILES)).unwrap()).unwrap().len(), MAX_FILES);
        assert!(write(&files(MAX_FILES + 1)).is_err());
        let long = |length: usize| Files::from([("n".repeat(length), Vec::new())]);
        assert!(write(&long(MAX_NAME_BYTES)).is_ok() && write(&long(MAX_NAME_BYTES + 1)).is_err());
    }
}
