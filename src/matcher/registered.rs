//! Registered words nobody watches: what the registry says of a text, and which of it a reviewer should see.
//!
//! Ten million registered words stand hundreds of times in every listing, nearly all of them as everyday language. So only
//! words that the lexicon does not explain are looked at, exactly as folded, and each needs more than standing there: its
//! class, a disguise, the brand field, the slang of the counterfeit trade. The others are left without a trace, since nobody
//! asked for them; what a watched mark finds is never left to the registry.

use std::ops::Range;

use jiff::civil::Date;

use super::surprise;
use crate::{
    marks::{
        Spelling,
        registry::{self, Registration},
    },
    model::{Mark, MarkId, MarkStatus},
    text::{Folded, lexicon::Cuts},
};

/// Holders of one word who are told of.
const MAX_HOLDERS: usize = 3;
/// Registrations of one word that are looked at.
const MAX_REGISTRATIONS: usize = 64;

/// A registered word in a text, as its holder's mark.
pub(super) struct Registered {
    pub(super) mark: Mark,
    pub(super) spelling: Spelling,
    pub(super) units: Range<usize>,
}

/// The words of `found` that are worth a look, other than those that `taken` says a watched mark has.
pub(super) fn words(
    found: Vec<registry::Occurrence<'_>>,
    (folded, cuts): (&Folded, &Cuts),
    (classes, on): (&[u8], Date),
    taken: impl Fn(&Range<usize>) -> bool,
) -> Vec<Registered> {
    let mut words = Vec::new();
    for one in found {
        if one.units.len() < 2 || taken(&one.units) || surprise::explains(folded, cuts, &one.units) {
            continue;
        }
        let spelling = one.spelling();
        words.extend(marks(one.registrations(), spelling, classes, on).into_iter().map(|mark| Registered {
            spelling: Spelling::as_registered(spelling),
            mark,
            units: one.units.clone(),
        }));
    }
    words
}

/// A mark for each holder; what has lapsed is none.
fn marks<'a>(
    registrations: impl Iterator<Item = Registration<'a>>,
    spelling: &str,
    classes: &[u8],
    on: Date,
) -> Vec<Mark> {
    let mut live: Vec<Registration<'a>> = registrations
        .take(MAX_REGISTRATIONS)
        .filter(|one| one.status != MarkStatus::Dead && one.expires_on.is_none_or(|last| on <= last))
        .collect();
    // Of several holders of one word it is the one whose goods these are.
    let of_goods = |one: &Registration<'a>| classes.iter().any(|class| one.classes.has(*class));
    if live.iter().any(of_goods) {
        live.retain(of_goods);
    }
    let mut marks: Vec<Mark> = Vec::new();
    for one in live {
        if let Some(known) = marks.iter_mut().find(|mark| mark.holder == one.holder) {
            known.nice_classes.extend(one.classes.iter());
            known.nice_classes.sort_unstable();
            known.nice_classes.dedup();
            continue;
        }
        let id = if one.jurisdiction.is_empty() {
            one.number.to_owned()
        } else {
            format!("{}:{}", one.jurisdiction, one.number)
        };
        let Some(id) = MarkId::new(&id).ok().filter(|_| marks.len() < MAX_HOLDERS) else { continue };
        marks.push(Mark {
            id,
            holder: one.holder.to_owned(),
            text: spelling.to_owned(),
            jurisdiction: one.jurisdiction.to_owned(),
            number: one.number.to_owned(),
            nice_classes: one.classes.iter().collect(),
            status: one.status,
            registered_on: None,
            expires_on: one.expires_on,
            well_known: false,
            aliases: Vec::new(),
            goods: Vec::new(),
            authorised_sellers: Vec::new(),
            usual_price: None,
            unwatched: Vec::new(),
        });
    }
    marks
}
