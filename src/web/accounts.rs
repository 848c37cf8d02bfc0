//! Accounts in one file: names, roles, argon2id hashes. Written whole, by rename, readable by its owner only.
//!
//! [`Accounts`] rereads the file when it changed, so that `markwarden account` works beside a running desk.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use serde::{Deserialize, Serialize};

use crate::model::{Account, AccountName, Role};

/// Shortest password taken, in characters.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password taken, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// Largest accounts file read, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// A hash nobody's password has: checked for unknown names, so that they take as long as known ones.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bWFya3dhcmRlbi1ub2JvZHk$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Letters and digits that nobody mistakes for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Why accounts cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The disk said no.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this program writes.
    #[error("cannot read accounts from {path}: {why}. Mend the file, or remove it and add the accounts again")]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        why: String,
    },
    /// The name is taken.
    #[error("the account {0} exists already: remove it first to give it another password or role")]
    Exists(String),
    /// The password is too short or too long.
    #[error("a password has at least {MIN_PASSWORD_CHARS} characters and at most {MAX_PASSWORD_BYTES} bytes")]
    Password,
    /// The hash could not be made or read.
    #[error("cannot hash the password: {0}")]
    Hash(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: AccountName,
    role: Role,
    hash: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    accounts: Vec<Entry>,
}

#[derive(Debug, Default)]
struct Known {
    stamp: Option<(SystemTime, u64)>,
    entries: Vec<Entry>,
}

/// Who may sign in with a password.
#[derive(Debug)]
pub struct Accounts {
    path: PathBuf,
    known: Mutex<Known>,
}

impl Accounts {
    /// The accounts in the file at `path`; a file that does not exist yet holds none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, AccountsError> {
        let accounts = Self { path: path.to_owned(), known: Mutex::default() };
        accounts.entries()?;
        Ok(accounts)
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<Account>, AccountsError> {
        let mut list: Vec<Account> =
            self.entries()?.into_iter().map(|entry| Account { name: entry.name, role: entry.role }).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(list)
    }

    /// The account called `name`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&self, name: &AccountName) -> Result<Option<Account>, AccountsError> {
        Ok(self.list()?.into_iter().find(|account| account.name == *name))
    }

    /// Adds an account.
    ///
    /// # Errors
    /// When the name is taken, the password does not do, or the file cannot be written.
    pub fn add(&self, account: &Account, password: &str) -> Result<(), AccountsError> {
        if password.chars().count() < MIN_PASSWORD_CHARS || password.len() > MAX_PASSWORD_BYTES {
            return Err(AccountsError::Password);
        }
        let hash = Argon2::default()
            .hash_password(password.as_bytes())
            .map_err(|error| AccountsError::Hash(error.to_string()))?
            .to_string();
        let entry = Entry { name: account.name.clone(), role: account.role, hash };
        self.change(|entries| {
            if entries.iter().any(|known| known.name == entry.name) {
                return Err(AccountsError::Exists(entry.name.to_string()));
            }
            entries.push(entry);
            Ok(())
        })
    }

    /// Removes an account; false when there is none of that name. Its sessions end with it.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn remove(&self, name: &AccountName) -> Result<bool, AccountsError> {
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|entry| entry.name != *name);
            Ok(entries.len() < before)
        })
    }

    /// The account `name` if `password` is its own. Takes as long for names that do not exist.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn verify(&self, name: &str, password: &str) -> Result<Option<Account>, AccountsError> {
        let entries = self.entries()?;
        let entry = entries.iter().find(|entry| entry.name.as_str() == name.trim());
        let stored = entry.map_or(NOBODY, |entry| entry.hash.as_str());
        let hash = PasswordHash::new(stored).map_err(|error| AccountsError::Hash(error.to_string()))?;
        let fits = password.len() <= MAX_PASSWORD_BYTES
            && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        Ok(entry.filter(|_| fits).map(|entry| Account { name: entry.name.clone(), role: entry.role }))
    }

    fn entries(&self) -> Result<Vec<Entry>, AccountsError> {
        let stamp = match fs::metadata(&self.path) {
            Ok(meta) => meta.modified().ok().map(|at| (at, meta.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.io("cannot look at", source)),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if stamp.is_none() || known.stamp != stamp {
            *known = Known { stamp, entries: self.read()? };
        }
        Ok(known.entries.clone())
    }

    fn read(&self) -> Result<Vec<Entry>, AccountsError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.io("cannot read", source)),
        };
        let damaged = |why: String| AccountsError::Damaged { path: self.path.display().to_string(), why };
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(|source| self.io("cannot read", source))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(damaged(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        let stored: Stored = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if stored.version != 1 {
            return Err(damaged(format!("it was written in version {}, this program reads 1", stored.version)));
        }
        Ok(stored.accounts)
    }

    /// Reads, changes and writes the file while no other process does.
    fn change<T>(&self, change: impl FnOnce(&mut Vec<Entry>) -> Result<T, AccountsError>) -> Result<T, AccountsError> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|source| self.io("cannot make the folder of", source))?;
        }
        let lock = private(&self.path.with_extension("lock")).map_err(|source| self.io("cannot lock", source))?;
        lock.lock().map_err(|source| self.io("cannot lock", source))?;
        let mut entries = self.read()?;
        let result = change(&mut entries)?;
        self.write(entries).map_err(|source| self.io("cannot write", source))?;
        Ok(result)
    }

    fn write(&self, accounts: Vec<Entry>) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&Stored { version: 1, accounts })?;
        let new = self.path.with_extension("new");
        let mut file = private(&new)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The same length within the clock's grain would look unchanged.
        self.known.lock().unwrap_or_else(PoisonError::into_inner).stamp = None;
        Ok(())
    }

    fn io(&self, doing: &'static str, source: io::Error) -> AccountsError {
        AccountsError::Io { doing, path: self.path.display().to_string(), source }
    }
}

/// An empty file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A password of 100 bits that can be read out on the telephone.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate_password() -> Result<String, AccountsError> {
    let mut random = [0_u8; 20];
    getrandom::fill(&mut random).map_err(|error| AccountsError::Hash(error.to_string()))?;
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).map_or('a', |&letter| char::from(letter));
    let groups: Vec<String> = random.chunks(5).map(|group| group.iter().map(letter).collect()).collect();
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, role: Role) -> Account {
        Account { name: AccountName::new(name).unwrap(), role }
    }

    #[test]
    fn an_account_signs_in_with_its_own_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.json")).unwrap();
        accounts.add(&account("林", Role::Reviewer), "正确的密码一二三四五").unwrap();
        assert_eq!(accounts.verify("林", "正确的密码一二三四五").unwrap().unwrap().role, Role::Reviewer);
        assert!(accounts.verify("林", "错误的密码一二三四五").unwrap().is_none());
        assert!(accounts.verify("wu", "正确的密码一二三四五").unwrap().is_none());
        assert!(accounts.verify("林", &"a".repeat(MAX_PASSWORD_BYTES + 1)).unwrap().is_none());
    }

    #[test]
    fn a_second_process_sees_what_the_first_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/accounts.json");
        let desk = Accounts::open(&path).unwrap();
        let command = Accounts::open(&path).unwrap();
        command.add(&account("lin", Role::Admin), "a long password").unwrap();
        assert!(matches!(desk.add(&account("lin", Role::Admin), "a long password"), Err(AccountsError::Exists(_))));
        assert!(desk.find(&AccountName::new("lin").unwrap()).unwrap().is_some());
        assert!(desk.remove(&AccountName::new("lin").unwrap()).unwrap());
        assert!(command.list().unwrap().is_empty());
        assert!(!command.remove(&AccountName::new("lin").unwrap()).unwrap());
    }

    #[test]
    #[cfg(unix)]
    fn the_file_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.json");
        Accounts::open(&path).unwrap().add(&account("lin", Role::Auditor), "a long password").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!fs::read_to_string(&path).unwrap().contains("a long password"));
    }

    #[test]
    fn bad_passwords_and_damaged_files_are_refused_with_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.json");
        let accounts = Accounts::open(&path).unwrap();
        for password in ["short", &"a".repeat(MAX_PASSWORD_BYTES + 1)] {
            assert!(matches!(accounts.add(&account("lin", Role::Admin), password), Err(AccountsError::Password)));
        }
        for text in ["{", r#"{"version":2,"accounts":[]}"#] {
            fs::write(&path, text).unwrap();
            let refused = Accounts::open(&path).unwrap_err().to_string();
            assert!(refused.contains("accounts.json") && refused.contains("Mend"), "{refused}");
        }
        fs::write(&path, " ".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1)).unwrap();
        assert!(Accounts::open(&path).unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn a_generated_password_is_long_and_new_each_time() {
        let (one, two) = (generate_password().unwrap(), generate_password().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 23);
    }
}
