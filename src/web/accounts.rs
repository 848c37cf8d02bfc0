//! Accounts in one file: names, roles, tenants, argon2id hashes, second factors. Written whole, by rename, readable by its
//! owner only.
//!
//! [`Accounts`] rereads the file when it changed, so that `markwarden account` works beside a running desk.

mod entry;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha2::{Digest, Sha256};

use self::entry::{Entry, Second};
use super::{tokens::hex, totp};
use crate::{
    files,
    model::{Account, AccountName, Role, Roles, Scope, Timestamp},
};

/// Shortest password taken, in characters.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password taken, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// Largest accounts file read, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Recovery codes given out with a second factor.
const RECOVERY_CODES: usize = 10;
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
    /// There is no such account.
    #[error("there is no account {0}: it was removed meanwhile")]
    Unknown(String),
    /// An account without a role, or a holder without holders.
    #[error("an account needs a role, and a holder's account the holders it is for")]
    Roles,
    /// Nobody would be left who may manage accounts.
    #[error("{0} is the last who may manage accounts: give somebody else the role admin first")]
    LastAdmin(String),
    /// The hash could not be made or read.
    #[error("cannot hash the password: {0}")]
    Hash(String),
}

/// What a password's hash costs: the default is what OWASP asks for. Tests of many sign-ins take less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

impl PasswordCost {
    fn hasher(self) -> Result<Argon2<'static>, AccountsError> {
        let params = argon2::Params::new(self.memory_kib, self.passes, 1, None);
        let params = params.map_err(|error| AccountsError::Hash(error.to_string()))?;
        Ok(Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params))
    }

    fn hash(self, password: &str) -> Result<String, AccountsError> {
        let hash = self.hasher()?.hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| AccountsError::Hash(error.to_string()))
    }
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
    cost: PasswordCost,
    /// A hash that no password has: checked for unknown names, so that they take as long as known ones.
    nobody: String,
    known: Mutex<Known>,
}

/// What became of a second factor's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecondCheck {
    /// The account has none.
    NotAsked,
    /// It fits, and is used up now.
    Right,
    /// A recovery code fitted and is used up; so many are left.
    Recovered(usize),
    /// It does not fit.
    Wrong,
}

impl Accounts {
    /// The accounts in the file at `path`; a file that does not exist yet holds none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, AccountsError> {
        Self::open_at_cost(path, PasswordCost::default())
    }

    /// The same, with another cost of new passwords' hashes.
    ///
    /// # Errors
    /// When the file cannot be read, or there is no such cost.
    pub fn open_at_cost(path: &Path, cost: PasswordCost) -> Result<Self, AccountsError> {
        let nobody = cost.hash(&generate_password()?)?;
        let accounts = Self { path: path.to_owned(), cost, nobody, known: Mutex::default() };
        accounts.entries()?;
        Ok(accounts)
    }

    /// A file called `name` beside that of the accounts.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<Account>, AccountsError> {
        let mut list: Vec<Account> = self.entries()?.iter().map(Entry::account).collect();
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
    /// When the name is taken, the roles or the password do not do, or the file cannot be written.
    pub fn add(&self, account: &Account, password: &str) -> Result<(), AccountsError> {
        whole(&account.roles, &account.scope)?;
        let hash = self.hash(password)?;
        let Account { name, roles, scope } = account.clone();
        let entry = Entry { name, roles, scope, hash, second: None };
        self.change(|entries| {
            if entries.iter().any(|known| known.name == entry.name) {
                return Err(AccountsError::Exists(entry.name.to_string()));
            }
            entries.push(entry);
            Ok(())
        })
    }

    /// Gives an account other roles and another part of the data to see.
    ///
    /// # Errors
    /// When there is no such account, nobody would be left to manage accounts, or the file cannot be written.
    pub fn set_roles(&self, name: &AccountName, roles: Roles, scope: Scope) -> Result<(), AccountsError> {
        whole(&roles, &scope)?;
        self.change(|entries| {
            let entry = of(entries, name)?;
            (entry.roles, entry.scope) = (roles, scope);
            managed(entries, name)
        })
    }

    /// Gives an account another password; its second factor stays.
    ///
    /// # Errors
    /// When there is no such account, the password does not do, or the file cannot be written.
    pub fn set_password(&self, name: &AccountName, password: &str) -> Result<(), AccountsError> {
        let hash = self.hash(password)?;
        self.change(|entries| {
            of(entries, name)?.hash = hash;
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

    /// Like [`remove`](Self::remove), for the desk: the last who may manage accounts stays.
    pub(super) fn remove_but_last(&self, name: &AccountName) -> Result<bool, AccountsError> {
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|entry| entry.name != *name);
            managed(entries, name)?;
            Ok(entries.len() < before)
        })
    }

    /// Whether the account has a second factor.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn has_second(&self, name: &AccountName) -> Result<bool, AccountsError> {
        Ok(self.entries()?.iter().any(|entry| entry.name == *name && entry.second.is_some()))
    }

    /// Makes `secret` the account's second factor, if `code` proves that it was taken down; gives the recovery codes, which
    /// are shown once. None when the code does not fit.
    pub(super) fn set_second(
        &self,
        name: &AccountName,
        secret: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<String>>, AccountsError> {
        let Some(last_step) = totp::check(secret, code, now, 0) else { return Ok(None) };
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| generate_password()).collect::<Result<_, _>>()?;
        let recovery = codes.iter().map(|code| recovery_hash(code)).collect();
        let second = Second { secret: secret.to_owned(), last_step, recovery };
        self.change(|entries| {
            of(entries, name)?.second = Some(second);
            Ok(Some(codes))
        })
    }

    /// Takes the account's second factor away.
    ///
    /// # Errors
    /// When there is no such account or the file cannot be written.
    pub fn remove_second(&self, name: &AccountName) -> Result<(), AccountsError> {
        self.change(|entries| {
            of(entries, name)?.second = None;
            Ok(())
        })
    }

    /// Checks a code of the account's second factor, or one of its recovery codes; either counts once.
    pub(super) fn check_second(
        &self,
        name: &AccountName,
        code: &str,
        now: Timestamp,
    ) -> Result<SecondCheck, AccountsError> {
        if !self.has_second(name)? {
            return Ok(SecondCheck::NotAsked);
        }
        self.change(|entries| {
            let Some(second) = &mut of(entries, name)?.second else { return Ok(SecondCheck::NotAsked) };
            if let Some(step) = totp::check(&second.secret, code, now, second.last_step) {
                second.last_step = step;
                return Ok(SecondCheck::Right);
            }
            let hash = recovery_hash(code);
            let before = second.recovery.len();
            second.recovery.retain(|known| *known != hash);
            let left = second.recovery.len();
            Ok(if left < before { SecondCheck::Recovered(left) } else { SecondCheck::Wrong })
        })
    }

    fn hash(&self, password: &str) -> Result<String, AccountsError> {
        if password.chars().count() < MIN_PASSWORD_CHARS || password.len() > MAX_PASSWORD_BYTES {
            return Err(AccountsError::Password);
        }
        self.cost.hash(password)
    }

    /// The account `name` if `password` is its own. Takes as long for names that do not exist.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn verify(&self, name: &str, password: &str) -> Result<Option<Account>, AccountsError> {
        let entries = self.entries()?;
        let entry = entries.iter().find(|entry| entry.name.as_str() == name.trim());
        let stored = entry.map_or(self.nobody.as_str(), |entry| entry.hash.as_str());
        let hash = PasswordHash::new(stored).map_err(|error| AccountsError::Hash(error.to_string()))?;
        let fits = password.len() <= MAX_PASSWORD_BYTES
            && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        Ok(entry.filter(|_| fits).map(Entry::account))
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
        entry::read(&text).map_err(damaged)
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
        files::replace_private(&self.path, format!("{}\n", entry::write(accounts)?).as_bytes())?;
        // The same length within the clock's grain would look unchanged.
        self.known.lock().unwrap_or_else(PoisonError::into_inner).stamp = None;
        Ok(())
    }

    fn io(&self, doing: &'static str, source: io::Error) -> AccountsError {
        AccountsError::Io { doing, path: self.path.display().to_string(), source }
    }
}

/// Refuses an account that could do nothing, or a holder's that would see nothing.
fn whole(roles: &Roles, scope: &Scope) -> Result<(), AccountsError> {
    let named = scope.holders.as_ref().is_some_and(|holders| !holders.is_empty());
    if roles.is_empty() || (roles.has(Role::Holder) && !named) { Err(AccountsError::Roles) } else { Ok(()) }
}

fn of<'e>(entries: &'e mut [Entry], name: &AccountName) -> Result<&'e mut Entry, AccountsError> {
    entries.iter_mut().find(|entry| entry.name == *name).ok_or_else(|| AccountsError::Unknown(name.to_string()))
}

/// Refuses a change of `name` after which nobody could manage accounts.
fn managed(entries: &[Entry], name: &AccountName) -> Result<(), AccountsError> {
    let manages = |entry: &Entry| entry.account().may(crate::model::Permission::ManageAccounts);
    if entries.iter().any(manages) { Ok(()) } else { Err(AccountsError::LastAdmin(name.to_string())) }
}

fn recovery_hash(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    hex(&Sha256::digest(plain.to_ascii_lowercase().as_bytes()))
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
        Account::new(AccountName::new(name).unwrap(), role)
    }

    #[test]
    fn an_account_signs_in_with_its_own_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.json")).unwrap();
        accounts.add(&account("林", Role::Reviewer), "正确的密码一二三四五").unwrap();
        assert_eq!(accounts.verify("林", "正确的密码一二三四五").unwrap().unwrap().roles, Role::Reviewer.into());
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
        for text in ["{", r#"{"version":9,"accounts":[]}"#] {
            fs::write(&path, text).unwrap();
            let refused = Accounts::open(&path).unwrap_err().to_string();
            assert!(refused.contains("accounts.json") && refused.contains("Mend"), "{refused}");
        }
        fs::write(&path, " ".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1)).unwrap();
        assert!(Accounts::open(&path).unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn a_second_factor_counts_once_and_recovery_codes_too() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.json")).unwrap();
        let lin = account("lin", Role::Reviewer);
        accounts.add(&lin, "a long password").unwrap();
        let now = "2026-11-20T09:30:00Z".parse().unwrap();
        assert_eq!(accounts.check_second(&lin.name, "123456", now).unwrap(), SecondCheck::NotAsked);
        let secret = totp::new_secret().unwrap();
        assert_eq!(accounts.set_second(&lin.name, &secret, "000", now).unwrap(), None);
        let codes = accounts.set_second(&lin.name, &secret, &totp::code_at(&secret, now), now).unwrap().unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let used = accounts.check_second(&lin.name, &totp::code_at(&secret, now), now).unwrap();
        assert_eq!(used, SecondCheck::Wrong, "the code that proved it");
        let later = now + jiff::SignedDuration::from_secs(60);
        let code = totp::code_at(&secret, later);
        assert_eq!(accounts.check_second(&lin.name, &code, later).unwrap(), SecondCheck::Right);
        assert_eq!(accounts.check_second(&lin.name, &code, later).unwrap(), SecondCheck::Wrong);
        assert_eq!(accounts.check_second(&lin.name, &codes[3], later).unwrap(), SecondCheck::Recovered(9));
        assert_eq!(accounts.check_second(&lin.name, &codes[3], later).unwrap(), SecondCheck::Wrong);
        assert!(!fs::read_to_string(folder.path().join("accounts.json")).unwrap().contains(&codes[0]));
        accounts.remove_second(&lin.name).unwrap();
        assert!(!accounts.has_second(&lin.name).unwrap());
    }

    #[test]
    fn somebody_is_always_left_who_may_manage_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.json")).unwrap();
        let root = account("root", Role::Admin);
        accounts.add(&root, "a long password").unwrap();
        let demote = accounts.set_roles(&root.name, Role::Reviewer.into(), Scope::default());
        assert!(matches!(demote, Err(AccountsError::LastAdmin(_))));
        let narrow = accounts.set_roles(&root.name, Role::Admin.into(), Scope::of_holders(["云雀"]));
        assert!(matches!(narrow, Err(AccountsError::LastAdmin(_))), "who sees a part manages no accounts");
        assert!(matches!(accounts.remove_but_last(&root.name), Err(AccountsError::LastAdmin(_))));
        let holder = accounts.add(&account("hu", Role::Holder), "a long password");
        assert!(matches!(holder, Err(AccountsError::Roles)), "a holder of nothing");
        accounts.add(&account("wu", Role::Admin), "a long password").unwrap();
        assert!(accounts.remove_but_last(&root.name).unwrap());
        accounts.set_password(&AccountName::new("wu").unwrap(), "another password").unwrap();
        assert!(accounts.verify("wu", "a long password").unwrap().is_none());
        assert!(accounts.verify("wu", "another password").unwrap().is_some());
    }

    #[test]
    fn a_generated_password_is_long_and_new_each_time() {
        let (one, two) = (generate_password().unwrap(), generate_password().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 23);
    }
}
