//! What every template gets: words, looks, who is signed in, where the assets are.

use super::{assets, visit::Visit};
use crate::model::Permission;

/// A sentence and the keys it stands for.
type KeyWords = (&'static str, &'static [&'static str]);

/// Keys by group, as the help shows them: words in the locale file, keys here.
const KEYS: &[(&str, &[KeyWords])] = &[
    (
        "keys-decide",
        &[
            ("key-confirm", &["1", "…", "5"]),
            ("key-dismiss", &["@dismiss", "1", "…", "6"]),
            ("key-escalate", &["@escalate"]),
            ("key-skip", &["@skip"]),
            ("key-undo", &["@undo"]),
            ("key-again", &["@again"]),
            ("key-group", &["@group"]),
            ("key-note", &["@note"]),
        ],
    ),
    (
        "keys-move",
        &[
            ("key-next", &["@next"]),
            ("key-previous", &["@previous"]),
            ("key-open", &["Enter", "o"]),
            ("key-compare", &["@compare"]),
            ("key-evidence", &["@evidence"]),
            ("key-link", &["@link"]),
            ("key-moments", &["@earlier", "@later"]),
        ],
    ),
    (
        "keys-anywhere",
        &[
            ("key-start", &["@start"]),
            ("key-palette", &["Ctrl", "K"]),
            ("key-queue", &["g", "q"]),
            ("key-decided", &["g", "d"]),
            ("key-search", &["/"]),
            ("key-help", &["?"]),
            ("key-escape", &["Esc"]),
        ],
    ),
];

/// Places beside the queue: address, name, what one needs to go there.
const PLACES: &[(&str, &str, Permission)] = &[
    ("/disputes", "disputes", Permission::LeadReview),
    ("/quality", "quality", Permission::ReadRecords),
    ("/recall", "recall", Permission::ReadRecords),
    ("/marks", "marks", Permission::ReadMarks),
    ("/seller-lists", "seller-lists", Permission::ReadMarks),
    ("/alerts", "alerts", Permission::UseAlerts),
    ("/rules", "rules", Permission::ReadRules),
    ("/sources", "sources", Permission::ReadSources),
    ("/alarms", "alarms", Permission::ReadSources),
    ("/audit", "audit", Permission::ReadAudit),
    ("/accounts", "accounts", Permission::ManageAccounts),
];

/// A place in the navigation.
pub(super) struct Place {
    pub href: &'static str,
    pub words: String,
    pub current: bool,
}

/// What single keys do, the usual key for each, and its name in the locale files. Accounts may change the keys.
pub(super) const COMMANDS: &[(&str, &str, &str)] = &[
    ("dismiss", "x", "key-dismiss"),
    ("skip", "s", "key-skip"),
    ("undo", "z", "key-undo"),
    ("escalate", "e", "key-escalate"),
    ("again", ".", "key-again"),
    ("group", "g", "key-group"),
    ("note", "n", "key-note"),
    ("next", "j", "key-next"),
    ("previous", "k", "key-previous"),
    ("compare", "c", "key-compare"),
    ("evidence", "i", "key-evidence"),
    ("link", "v", "key-link"),
    ("earlier", "h", "key-earlier"),
    ("later", "l", "key-later"),
    ("start", "r", "key-start"),
];

/// The frame of a page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    visit: Visit,
    place: &'static str,
}

/// A group of keys in the help.
pub(super) struct KeyGroup {
    pub title: String,
    pub keys: Vec<KeyRow>,
}

/// One line of the help.
pub(super) struct KeyRow {
    pub keys: Vec<String>,
    pub words: String,
}

impl Frame {
    /// The frame of a page that stands at `place` in the navigation.
    pub(super) fn new(visit: &Visit, place: &'static str) -> Self {
        Self { visit: visit.clone(), place }
    }

    pub(super) fn t(&self, key: &str) -> String {
        self.visit.words.say(key)
    }

    /// The sentence `key` with a number.
    pub(super) fn n(&self, key: &str, number: &usize) -> String {
        self.visit.words.count(key, *number as u64)
    }

    pub(super) fn lang(&self) -> &'static str {
        self.visit.words.0.tag()
    }

    pub(super) fn other_lang(&self) -> &'static str {
        self.visit.words.0.other().tag()
    }

    pub(super) fn theme(&self) -> &'static str {
        self.visit.theme.name()
    }

    pub(super) fn other_theme(&self) -> &'static str {
        self.visit.theme.next().name()
    }

    pub(super) fn theme_title(&self) -> String {
        match self.other_theme() {
            "light" => self.t("theme-light"),
            "dark" => self.t("theme-dark"),
            _ => self.t("theme-system"),
        }
    }

    pub(super) fn keys(&self) -> &'static str {
        if self.visit.keys { "on" } else { "off" }
    }

    pub(super) fn at(&self, place: &str) -> bool {
        self.place == place
    }

    pub(super) fn here(&self) -> &str {
        &self.visit.here
    }

    pub(super) fn csrf(&self) -> &str {
        self.visit.session.as_ref().map_or("", |session| session.csrf.as_str())
    }

    pub(super) fn signed_in(&self) -> bool {
        self.visit.session.is_some()
    }

    /// Whether who is signed in may be told of hits.
    pub(super) fn alerts(&self) -> bool {
        self.visit.may(Permission::UseAlerts)
    }

    pub(super) fn who(&self) -> &str {
        self.visit.session.as_ref().map_or("", |session| session.account.name.as_str())
    }

    /// The roles of who is signed in.
    pub(super) fn role(&self) -> String {
        let roles = self.visit.session.iter().flat_map(|session| session.account.roles.iter());
        roles.map(|role| self.t(&format!("role-{}", role.code()))).collect::<Vec<_>>().join(" · ")
    }

    /// The places beside the queue that who is signed in may go to.
    pub(super) fn places(&self) -> Vec<Place> {
        let may = PLACES.iter().filter(|(_, _, permission)| self.visit.may(*permission));
        may.map(|&(href, key, _)| Place { href, words: self.t(&format!("nav-{key}")), current: self.place == key })
            .collect()
    }

    /// The key for a command, as this account has it.
    pub(super) fn key(&self, command: &str) -> String {
        let usual = COMMANDS.iter().find(|(name, _, _)| *name == command).map_or("", |(_, usual, _)| usual);
        self.visit.keymap.get(command).cloned().unwrap_or_else(|| usual.to_owned())
    }

    /// Keys that this account changed, as `command:key` with spaces between.
    pub(super) fn keymap(&self) -> String {
        let pairs: Vec<String> = self.visit.keymap.iter().map(|(command, key)| format!("{command}:{key}")).collect();
        pairs.join(" ")
    }

    pub(super) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    pub(super) fn key_groups(&self) -> Vec<KeyGroup> {
        let shown = |key: &&str| key.strip_prefix('@').map_or_else(|| (*key).to_owned(), |command| self.key(command));
        let row = |&(words, keys): &KeyWords| KeyRow { keys: keys.iter().map(shown).collect(), words: self.t(words) };
        KEYS.iter()
            .map(|(title, rows)| KeyGroup { title: self.t(title), keys: rows.iter().map(row).collect() })
            .collect()
    }
}
