//! What goods of watched marks usually cost, kept beside the listings so that a trial of rules knows it.
//!
//! Main types: [`Prices`], the marks that have such a price, as the store had them; [`PriceFinder`], which finds their words in
//! a listing as they stand. A running server asks the matcher instead, which knows disguises and contexts too.

use aho_corasick::{AhoCorasick, MatchKind};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    model::{Listing, Mark, MarkStatus},
    store::{Store, StoreError},
    text::{FoldedSurface, Gap, fold},
};

/// Marks that are kept; the register may watch more.
const MAX_PRICED: usize = 100_000;

/// The watched marks whose goods have a usual price.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Prices(Vec<Mark>);

impl Prices {
    /// Those of `store`, by id.
    pub(super) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let marks = store.marks_since(0).await?.put;
        let mut priced: Vec<Mark> =
            marks.into_iter().filter(|mark| mark.usual_price.is_some() && mark.status != MarkStatus::Dead).collect();
        priced.sort_by(|a, b| a.id.cmp(&b.id));
        priced.truncate(MAX_PRICED);
        Ok(Self(priced))
    }

    /// Of these marks.
    #[cfg(test)]
    pub(super) fn of(marks: Vec<Mark>) -> Self {
        Self(marks)
    }

    /// How many marks there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no mark has a usual price.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds them in listings.
    pub fn finder(&self) -> PriceFinder<'_> {
        let spelled = self.0.iter().flat_map(|mark| {
            let spellings = std::iter::once(&mark.text).chain(&mark.aliases);
            spellings.map(|text| fold(text)).filter(|word| word.chars().count() > 1).map(move |word| (word, mark))
        });
        let (words, marks): (Vec<String>, Vec<&Mark>) = spelled.unzip();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&words).ok();
        PriceFinder { automaton: automaton.filter(|_| !words.is_empty()), marks }
    }
}

/// Finds the words of marks that have a usual price.
#[derive(Debug)]
pub struct PriceFinder<'a> {
    automaton: Option<AhoCorasick>,
    /// The mark of each word.
    marks: Vec<&'a Mark>,
}

impl PriceFinder<'_> {
    /// What goods of the first mark in force that stands in `listing` usually cost, in the listing's currency.
    pub fn usual(&self, listing: &Listing, surfaces: &[FoldedSurface<'_>], day: Date) -> Option<f64> {
        let (automaton, price) = (self.automaton.as_ref()?, listing.price.as_ref()?);
        surfaces.iter().find_map(|surface| {
            automaton.find_iter(surface.folded.text()).find_map(|found| {
                let mark = self.marks.get(found.pattern().as_usize())?;
                let units = surface.folded.units(found.range())?;
                let usual = mark.usual_price.as_ref().filter(|usual| usual.currency == price.currency)?;
                let stands = mark.in_force(day)
                    && !surface.folded.inner_gaps(units.clone()).has(Gap::STRONG)
                    && has_edges(surface, units.start)
                    && has_edges(surface, units.end);
                stands.then(|| usual.amount.as_f64())
            })
        })
    }
}

/// Whether a word may begin or end before `unit`: Latin letters and digits need a border.
fn has_edges(surface: &FoldedSurface<'_>, unit: usize) -> bool {
    let is_latin = |unit: usize| surface.folded.char_at(unit).is_some_and(|c| c.is_ascii_alphanumeric());
    unit == 0 || !surface.folded.gap_before(unit).is_empty() || !is_latin(unit - 1) || !is_latin(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fold_surfaces;

    fn mark(id: &str, text: &str, amount: &str, currency: &str) -> Mark {
        let price = serde_json::json!({"amount": amount, "currency": currency});
        let mark = serde_json::json!({"id": id, "holder": "h", "text": text, "usual_price": price, "expires_on": "2030-01-01"});
        serde_json::from_value(mark).unwrap()
    }

    #[test]
    fn the_first_mark_that_stands_as_a_word_says_what_its_goods_cost() {
        let prices = Prices::of(vec![
            mark("m1", "云雀", "899.00", "CNY"),
            mark("m2", "VORLUNE", "1200.00", "CNY"),
            mark("m3", "云雀记", "15.00", "CNY"),
            mark("m4", "栖川", "99.00", "USD"),
        ]);
        let finder = prices.finder();
        let usual = |title: &str, day: &str| {
            let listing = serde_json::json!({"title": title, "price": {"amount": "99.00", "currency": "CNY"}});
            let listing: Listing = serde_json::from_value(listing).unwrap();
            finder.usual(&listing, &fold_surfaces(&listing), day.parse().unwrap())
        };
        assert_eq!(usual("新款 雲雀 跑鞋 vorlune", "2026-11-28"), Some(899.0));
        assert_eq!(usual("云雀记 糕点", "2026-11-28"), Some(15.0), "the longest word");
        assert_eq!(usual("云。雀", "2026-11-28"), None, "two words that meet");
        assert_eq!(usual("myvorlunes 鞋", "2026-11-28"), None, "inside another word");
        assert_eq!(usual("栖川 杯", "2026-11-28"), None, "another currency");
        assert_eq!(usual("云雀 跑鞋", "2031-01-01"), None, "no longer in force");
        assert_eq!(Prices::default().finder().usual(&Listing::default(), &[], "2026-11-28".parse().unwrap()), None);
    }
}
