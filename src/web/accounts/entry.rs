//! What the accounts file holds: the forms of today and of earlier programs.

use serde::{Deserialize, Serialize};

use crate::model::{Account, AccountName, Role, Roles, Scope};

/// The form that is written.
pub(super) const VERSION: u32 = 2;

/// One account with its secrets' hashes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub name: AccountName,
    pub roles: Roles,
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// argon2id, as a PHC string.
    pub hash: String,
    /// The second factor, once it was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
}

/// A second factor. Its secret must be readable to check codes; the file is its owner's alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Second {
    /// Base32.
    pub secret: String,
    /// The step of the newest code that was used.
    pub last_step: i64,
    /// SHA-256 (hex) of the recovery codes that are left.
    pub recovery: Vec<String>,
}

impl Entry {
    pub(super) fn account(&self) -> Account {
        Account { name: self.name.clone(), roles: self.roles.clone(), scope: self.scope.clone() }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    accounts: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOne {
    #[serde(rename = "version")]
    _version: u32,
    accounts: Vec<EntryOne>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryOne {
    name: AccountName,
    role: Role,
    hash: String,
}

/// Reads a file's text.
///
/// # Errors
/// What does not fit.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let wrong = |error: serde_json::Error| error.to_string();
    match serde_json::from_str::<Version>(text).map_err(wrong)?.version {
        1 => {
            let stored: StoredOne = serde_json::from_str(text).map_err(wrong)?;
            let entry = |EntryOne { name, role, hash }| Entry {
                name,
                roles: role.into(),
                scope: Scope::default(),
                hash,
                second: None,
            };
            Ok(stored.accounts.into_iter().map(entry).collect())
        }
        VERSION => serde_json::from_str::<Stored>(text).map(|stored| stored.accounts).map_err(wrong),
        newer => Err(format!("it was written in version {newer}, this program reads up to {VERSION}")),
    }
}

/// A file's text.
///
/// # Errors
/// Never for what [`read`] gave.
pub(super) fn write(accounts: Vec<Entry>) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&Stored { version: VERSION, accounts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_the_first_form_are_read() {
        let text = include_str!("../../../fixtures/accounts/version-1.json");
        let entries = read(text).unwrap();
        assert_eq!(entries[0].account(), Account::new(AccountName::new("lin").unwrap(), Role::Reviewer));
        let again = read(&write(entries).unwrap()).unwrap();
        assert!(again[0].roles.has(Role::Reviewer) && again[0].second.is_none());
        assert!(read(r#"{"version":3,"accounts":[]}"#).unwrap_err().contains("version 3"));
    }
}
