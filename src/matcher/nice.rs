//! Which Nice classes a listing's goods belong to, as far as its words say.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{
    model::{Listing, SurfaceKind},
    text::{FoldedSurface, fold},
};

struct Words {
    automaton: Option<AhoCorasick>,
    class_of: Vec<u8>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let table: std::collections::BTreeMap<String, Vec<String>> =
        toml::from_str(include_str!("nice.toml")).unwrap_or_default();
    let mut words = Vec::new();
    let mut class_of = Vec::new();
    for (class, list) in table {
        for word in list {
            words.push(fold(&word));
            class_of.push(class.parse().unwrap_or(0));
        }
    }
    let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(words).ok();
    Words { automaton, class_of }
});

/// The classes that a listing's words point to, and how surely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Classes {
    /// In order; empty when unknown.
    pub(super) of: Vec<u8>,
    /// Its category says so, not just a word of its title, which may be there for another reason.
    pub(super) by_category: bool,
}

/// Classes by category; by title where no category says anything.
pub(super) fn classes(listing: &Listing, surfaces: &[FoldedSurface<'_>]) -> Classes {
    let by_category = classes_of(&fold(&listing.category.join(" ")));
    if !by_category.is_empty() {
        return Classes { of: by_category, by_category: true };
    }
    let title = surfaces.iter().find(|surface| surface.surface.kind == SurfaceKind::Title);
    let of = title.map(|title| classes_of(title.folded.text())).unwrap_or_default();
    Classes { of, by_category: false }
}

fn classes_of(folded: &str) -> Vec<u8> {
    let words = &*WORDS;
    let mut classes: Vec<u8> = words
        .automaton
        .iter()
        .flat_map(|automaton| automaton.find_overlapping_iter(folded))
        .filter_map(|found| words.class_of.get(found.pattern().as_usize()).copied())
        .collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_every_class_is_one() {
        assert!(WORDS.class_of.len() > 150 && WORDS.class_of.iter().all(|class| (1..=45).contains(class)));
        assert!(classes_of("服饰鞋靴").contains(&25));
        assert!(classes_of("zzz").is_empty());
    }
}
