//! A secret that settings name and do not hold: in the environment, or in a file that only its owner can read.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Longest secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Secret {
    /// In this variable of the environment.
    Env(String),
    /// In this file.
    File(PathBuf),
}

/// Why a secret is not had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such variable.
    #[error("the environment has no {0}: set it, or name another variable")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("reading the secret file {path}: {source}")]
    Read {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than its owner can read the file.
    #[error("{path} can be read by others than its owner: chmod 600 {path}")]
    Open {
        /// Which.
        path: String,
    },
    /// The file is no short text.
    #[error("{path} holds no secret: a text of at most {MAX_BYTES} bytes is expected")]
    NoText {
        /// Which.
        path: String,
    },
}

impl Secret {
    /// The secret, without the white space around it.
    ///
    /// # Errors
    /// When it is not there, or its file can be read by others.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Env(name) => {
                let value = std::env::var(name).map_err(|_| SecretError::NoVariable(name.clone()))?;
                Ok(value.trim().to_owned())
            }
            Self::File(path) => {
                let shown = path.display().to_string();
                let failed = |source| SecretError::Read { path: shown.clone(), source };
                let about = fs::metadata(path).map_err(failed)?;
                if is_open(&about) {
                    return Err(SecretError::Open { path: shown });
                }
                if about.len() > MAX_BYTES {
                    return Err(SecretError::NoText { path: shown });
                }
                let text = fs::read_to_string(path).map_err(|source| SecretError::Read { path: shown, source })?;
                Ok(text.trim().to_owned())
            }
        }
    }
}

#[cfg(unix)]
fn is_open(about: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &fs::Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, " s3cret\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Secret::File(path.clone()).read(), Err(SecretError::Open { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Secret::File(path).read().unwrap(), "s3cret");
        assert!(matches!(Secret::Env("MARKWARDEN_NO_SUCH".into()).read(), Err(SecretError::NoVariable(_))));
    }
}
