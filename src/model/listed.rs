//! Sellers that a holder, or this desk for all holders, keeps on a list, and the papers behind it: pure nouns.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{AccountName, MarkId, Timestamp};

/// What a list of sellers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SellerList {
    /// They may: within the scope, findings are set aside.
    Allow,
    /// Known infringers: findings weigh more, and nothing of theirs is set aside as allowed.
    Deny,
    /// Worth an eye: findings weigh a little more.
    Watch,
}

impl SellerList {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::Watch];

    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Watch => "watch",
        }
    }

    /// The list that `code` names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.code() == code)
    }
}

/// One seller on a list. Every empty part of the scope means that nothing is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSeller {
    /// Its identity, 32 hex digits.
    pub id: String,
    /// Whose list it is; none is the desk's own, for all holders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Which list.
    pub list: SellerList,
    /// The shop's name, its id, or the number of its licence, as listings give it.
    pub seller: String,
    /// Only on these platforms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// Only goods of these Nice classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<u8>,
    /// Only goods with one of these words in title or category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<String>,
    /// Only marks of these offices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub territory: Vec<String>,
    /// First day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// The letter it rests on, by its document's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<String>,
    /// Why, in somebody's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Who put it there.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// Of a mark's registration.
    Certificate,
    /// By which a holder lets somebody use a mark.
    Letter,
}

impl DocumentKind {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Letter => "letter",
        }
    }
}

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// Handed in.
    Filed,
    /// A second person has seen that it is right.
    Verified,
    /// A second person says that it is not.
    Refused,
    /// Taken back by whose it is.
    Withdrawn,
}

impl DocumentState {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::Verified => "verified",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state that `code` names.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Filed, Self::Verified, Self::Refused, Self::Withdrawn].into_iter().find(|state| state.code() == code)
    }
}

/// A certificate or a letter: what it is for, and where its bytes lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its identity, 32 hex digits.
    pub id: String,
    /// Whose.
    pub holder: String,
    /// What it is.
    pub kind: DocumentKind,
    /// What its file was called.
    pub title: String,
    /// SHA-256 of its bytes, 64 lower-case hex digits: its name in the content store.
    pub sha256: String,
    /// How many.
    pub bytes: u64,
    /// `application/pdf`, `image/jpeg` or `image/png`, by what its first bytes say.
    pub media: String,
    /// The mark it is of, for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<MarkId>,
    /// First day on which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Where it stands.
    pub state: DocumentState,
    /// Who handed it in, and so must not verify it.
    pub by: AccountName,
    /// When.
    pub at: Timestamp,
}

impl Document {
    /// Whether it holds on `day`: neither refused nor withdrawn, and within its days.
    pub fn holds_on(&self, day: Date) -> bool {
        matches!(self.state, DocumentState::Filed | DocumentState::Verified)
            && self.from.is_none_or(|first| first <= day)
            && self.until.is_none_or(|last| day <= last)
    }
}

/// All sellers on lists, and the documents they rest on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerLists {
    listed: BTreeMap<String, ListedSeller>,
    documents: BTreeMap<String, Document>,
    /// Ids by what sellers are called.
    #[serde(skip)]
    by_seller: BTreeMap<String, Vec<String>>,
}

impl SellerLists {
    /// Puts a seller on a list, or changes what is said there.
    pub fn put(&mut self, listed: ListedSeller) {
        self.remove(&listed.id);
        self.by_seller.entry(listed.seller.clone()).or_default().push(listed.id.clone());
        self.listed.insert(listed.id.clone(), listed);
    }

    /// Takes a seller off; false when it was on none.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(known) = self.listed.remove(id) else { return false };
        if let Some(ids) = self.by_seller.get_mut(&known.seller) {
            ids.retain(|known| known != id);
        }
        true
    }

    /// Adds a document, or changes what is known of it.
    pub fn file(&mut self, document: Document) {
        self.documents.insert(document.id.clone(), document);
    }

    /// Brings a document into another state; false when there is none.
    pub fn set_state(&mut self, id: &str, state: DocumentState) -> bool {
        let document = self.documents.get_mut(id);
        document.map(|document| document.state = state).is_some()
    }

    /// Finds sellers by what they are called again, after it was read from a file.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.by_seller.clear();
        for (id, listed) in &self.listed {
            self.by_seller.entry(listed.seller.clone()).or_default().push(id.clone());
        }
        self
    }

    /// Whether nobody is on a list.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Every seller on a list.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &ListedSeller> {
        self.listed.values()
    }

    /// One of them.
    pub fn listed(&self, id: &str) -> Option<&ListedSeller> {
        self.listed.get(id)
    }

    /// Those called `seller` on lists of `holder` and of the desk.
    pub fn named<'l>(&'l self, seller: &str, holder: &'l str) -> impl Iterator<Item = &'l ListedSeller> {
        let ids = self.by_seller.get(seller.trim()).into_iter().flatten();
        ids.filter_map(|id| self.listed.get(id))
            .filter(move |listed| listed.holder.as_deref().is_none_or(|of| of == holder))
    }

    /// Every document.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &Document> {
        self.documents.values()
    }

    /// One of them.
    pub fn document(&self, id: &str) -> Option<&Document> {
        self.documents.get(id)
    }
}
