//! Where a backup goes to or comes from, as a person writes it.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
};

use object_store::path::Path as ObjectPath;
use url::Url;

/// Longest address that is read, in bytes.
const MAX_ADDRESS_BYTES: usize = 4096;

/// Where a backup goes to or comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A folder with one backup.
    Folder(PathBuf),
    /// A vault with many.
    Vault(Place),
}

/// Where a vault lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket of an S3-compatible store.
    Bucket {
        /// The bucket's name.
        bucket: String,
        /// What its keys begin with; may be empty.
        prefix: String,
    },
}

/// Why an address was not understood. The address itself is not repeated where it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Another kind of address.
    #[error("`{0}` addresses are not known: use s3://BUCKET/PREFIX, vault:DIR, file:///DIR, or a folder")]
    Scheme(String),
    /// A user name or password in it.
    #[error(
        "an address must not hold a user name or a password: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and \
         take this one out of your shell's history"
    )]
    Secret,
    /// No bucket's name.
    #[error("s3://BUCKET/PREFIX needs a bucket of 3 to 63 letters, digits, dots, hyphens and underscores")]
    Bucket,
    /// No prefix.
    #[error("the prefix of s3://BUCKET/PREFIX must be names with `/` between them, without `.`, `..`, `?` and `#`")]
    Prefix,
    /// No folder.
    #[error("vault:DIR and file:///DIR need a folder; a file: address needs the whole path, with three slashes")]
    Folder,
    /// Too long.
    #[error("an address has at most {MAX_ADDRESS_BYTES} bytes")]
    Length,
}

impl Target {
    /// Reads `s3://BUCKET/PREFIX`, `vault:DIR` and `file:///DIR` as vaults; anything without `://` is a plain folder.
    ///
    /// # Errors
    /// When it is another kind of address, or a part of it is missing or not allowed.
    pub fn parse(text: &OsStr) -> Result<Self, PlaceError> {
        let Some(text) = text.to_str() else { return Ok(Self::Folder(text.into())) };
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(PlaceError::Length);
        }
        if let Some(folder) = text.strip_prefix("vault:") {
            return if folder.is_empty() {
                Err(PlaceError::Folder)
            } else {
                Ok(Self::Vault(Place::Folder(folder.into())))
            };
        }
        match text.split_once("://") {
            Some(("s3", rest)) => bucket(rest).map(Self::Vault),
            Some(("file", _)) => file(text).map(Self::Vault),
            Some((scheme, _)) => Err(PlaceError::Scheme(scheme.chars().take(20).collect())),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

fn bucket(rest: &str) -> Result<Place, PlaceError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(PlaceError::Secret);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(plain) || bucket.starts_with('.') {
        return Err(PlaceError::Bucket);
    }
    let prefix = prefix.trim_end_matches('/');
    if prefix.contains(['?', '#']) || (!prefix.is_empty() && ObjectPath::parse(prefix).is_err()) {
        return Err(PlaceError::Prefix);
    }
    Ok(Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn file(text: &str) -> Result<Place, PlaceError> {
    let url = Url::parse(text).map_err(|_| PlaceError::Folder)?;
    match url.to_file_path() {
        Ok(folder) if url.query().is_none() && url.fragment().is_none() && folder != Path::new("/") => {
            Ok(Place::Folder(folder))
        }
        _ => Err(PlaceError::Folder),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "vault:{}", folder.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Vault(place) => write!(f, "{place}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Target, PlaceError> {
        Target::parse(OsStr::new(text))
    }

    fn in_bucket(bucket: &str, prefix: &str) -> Target {
        Target::Vault(Place::Bucket { bucket: bucket.into(), prefix: prefix.into() })
    }

    #[test]
    fn each_form_is_understood() {
        let in_folder = |folder: &str| Target::Vault(Place::Folder(folder.into()));
        for (text, expected) in [
            ("s3://beifen", in_bucket("beifen", "")),
            ("s3://beifen/", in_bucket("beifen", "")),
            ("s3://beifen/a/备份/", in_bucket("beifen", "a/备份")),
            ("vault:backups", in_folder("backups")),
            ("vault:/mnt/备 份", in_folder("/mnt/备 份")),
            ("file:///mnt/a%20b", in_folder("/mnt/a b")),
            ("backups", Target::Folder("backups".into())),
            ("/mnt/a:b", Target::Folder("/mnt/a:b".into())),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused_with_the_reason() {
        for (text, expected) in [
            ("http://beifen/x", PlaceError::Scheme("http".into())),
            ("S3://beifen/x", PlaceError::Scheme("S3".into())),
            ("s3://AKIA:secret@beifen/x", PlaceError::Secret),
            ("file://user:secret@host/x", PlaceError::Folder),
            ("s3://", PlaceError::Bucket),
            ("s3:///prefix", PlaceError::Bucket),
            ("s3://bei fen/x", PlaceError::Bucket),
            ("s3://beifen/a/../b", PlaceError::Prefix),
            ("s3://beifen/a//b", PlaceError::Prefix),
            ("s3://beifen/a?versionId=1", PlaceError::Prefix),
            ("vault:", PlaceError::Folder),
            ("file://", PlaceError::Folder),
            ("file:///", PlaceError::Folder),
            ("file://host/x", PlaceError::Folder),
            (&"x".repeat(5000), PlaceError::Length),
        ] {
            assert_eq!(parse(text), Err(expected), "{text:.80}");
        }
        let told = parse("s3://AKIA:geheim@beifen/x").unwrap_err().to_string();
        assert!(!told.contains("geheim") && !told.contains("AKIA"), "{told}");
    }

    proptest! {
        #[test]
        fn a_vault_is_read_back_as_it_is_shown(text in "(s3://|vault:|file:///|[a-z]{1,4}://)?[a-z0-9./@_ 备?#:-]{0,40}") {
            if let Ok(target @ Target::Vault(_)) = parse(&text) {
                prop_assert_eq!(parse(&target.to_string()), Ok(target));
            }
        }

        #[test]
        fn any_text_is_a_place_or_a_reason(text in "\\PC{0,60}") {
            drop(parse(&text));
        }
    }
}
