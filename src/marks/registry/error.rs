//! What can go wrong with a registry.

use std::{io, path::Path};

/// Why a registry cannot be built, opened, changed or read.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The disk said no.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, to which file.
        what: String,
        /// What the disk said.
        source: io::Error,
    },
    /// There is nothing to open.
    #[error("there is no registry in {path}: build one first")]
    Missing {
        /// Which folder.
        path: String,
    },
    /// The file is no registry, or not as it was written.
    #[error(
        "{path} is damaged: {what}; remove it and build the registry again from the registrations it was built from"
    )]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A newer program wrote the file.
    #[error(
        "{path} has format {found}, this program reads up to {supported}: update the program, or build the registry again with this one"
    )]
    Newer {
        /// Which file.
        path: String,
        /// The file's format.
        found: u32,
        /// The newest format this program reads.
        supported: u32,
    },
    /// A registration that cannot be kept.
    #[error("the registration {number} of `{spelling}` cannot be kept: {why}")]
    Registration {
        /// Its number.
        number: String,
        /// Its spelling.
        spelling: String,
        /// Why not, and what would do.
        why: String,
    },
    /// More than the format holds.
    #[error("{what}: build one registry a jurisdiction")]
    TooLarge {
        /// What there is too much of.
        what: String,
    },
    /// More changes than are kept beside a base.
    #[error("{what}: compact the registry first, or make them in several steps")]
    TooMuch {
        /// What there is too much of.
        what: String,
    },
    /// Another process is changing the registry.
    #[error("the registry in {path} is being changed by another process: wait until it has ended")]
    InUse {
        /// Which folder.
        path: String,
    },
}

pub(super) type Result<T, E = RegistryError> = std::result::Result<T, E>;

/// Says of a disk's error what was being done.
pub(super) fn io(what: impl Fn() -> String) -> impl FnOnce(io::Error) -> RegistryError {
    move |source| RegistryError::Io { what: what(), source }
}

pub(super) fn damaged(path: &Path, what: impl Into<String>) -> RegistryError {
    RegistryError::Damaged { path: path.display().to_string(), what: what.into() }
}
