//! The one place that maps a file into memory.

use std::{fs::File, io, ops::Deref, path::Path};

use memmap2::Mmap;

/// The bytes of a registry: a file's, mapped, or a small one's in memory.
#[derive(Debug)]
pub(super) enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps the file at `path` for reading.
    #[allow(unsafe_code, reason = "mapping a file cannot be done otherwise; why it is sound stands beside it")]
    pub fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: mapped memory must not change while it is borrowed. The file is opened and mapped for reading only, and
        // nobody changes it: a builder writes under another name, syncs, and only then renames; from its rename on the file
        // is never opened for writing again, only unlinked, which leaves what is mapped as it is. Bytes are handed out as
        // `&[u8]` alone: every value is valid, and whoever reads them checks bounds first, so that even a file with other
        // bytes than were checked gives a wrong answer at worst. What remains is a stranger who writes into the file or cuts
        // it short under a running program: reading a page beyond the new end ends the process with SIGBUS. Nothing here can
        // prevent that; whoever may write to the data folder may stop the program anyway.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self::Mapped(map))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}
