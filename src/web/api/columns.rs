//! What a Parquet export's columns are, and how hits, decisions and marks fill them: the same names as in CSV, with types.

use jiff::civil::{Date, date};

use super::table::{Cell, Kind};
use crate::model::{Hit, Mark, Timestamp};

type Columns = &'static [(&'static str, Kind)];

pub(super) const HITS: Columns = &[
    ("id", Kind::Whole),
    ("state", Kind::Text),
    ("priority", Kind::Whole),
    ("severity", Kind::Text),
    ("family", Kind::Text),
    ("title", Kind::Text),
    ("platform", Kind::Text),
    ("url", Kind::Text),
    ("seller", Kind::Text),
    ("found_at", Kind::Time),
    ("found", Kind::Texts),
];

pub(super) const DECISIONS: Columns = &[
    ("hit", Kind::Whole),
    ("family", Kind::Text),
    ("title", Kind::Text),
    ("verdict", Kind::Text),
    ("reason", Kind::Text),
    ("by", Kind::Text),
    ("at", Kind::Time),
    ("note", Kind::Text),
    ("looked_ms", Kind::Whole),
];

pub(super) const MARKS: Columns = &[
    ("id", Kind::Text),
    ("holder", Kind::Text),
    ("text", Kind::Text),
    ("jurisdiction", Kind::Text),
    ("number", Kind::Text),
    ("nice_classes", Kind::Wholes),
    ("status", Kind::Text),
    ("registered_on", Kind::Day),
    ("expires_on", Kind::Day),
    ("well_known", Kind::Flag),
    ("aliases", Kind::Texts),
    ("goods", Kind::Texts),
    ("authorised_sellers", Kind::Texts),
    ("usual_price", Kind::Text),
];

/// The row of a hit.
pub(super) fn hit(hit: &Hit) -> Vec<Cell> {
    let (what, listing) = (&hit.what, &hit.what.listing);
    let seller = listing.seller.as_ref().and_then(|seller| seller.name.clone());
    vec![
        number(hit.id.0),
        word(hit.state),
        Cell::Whole(what.priority.into()),
        word(what.severity),
        Cell::Text(what.family.clone()),
        Cell::Text(listing.title.clone()),
        Cell::text(listing.platform.clone()),
        Cell::text(listing.url.clone()),
        Cell::text(seller),
        moment(what.found_at),
        Cell::Texts(what.findings.iter().map(|finding| finding.text.clone()).collect()),
    ]
}

/// A row for each decision on a hit.
pub(super) fn decisions(hit: &Hit) -> impl Iterator<Item = Vec<Cell>> {
    hit.decisions.iter().map(|made| {
        vec![
            number(hit.id.0),
            Cell::Text(hit.what.family.clone()),
            Cell::Text(hit.what.listing.title.clone()),
            word(made.verdict),
            Cell::Text(made.reason.code().to_owned()),
            Cell::Text(made.by.to_string()),
            moment(made.at),
            Cell::Text(made.note.clone()),
            number(made.looked_ms),
        ]
    })
}

/// The row of a mark.
pub(super) fn mark(mark: &Mark) -> Vec<Cell> {
    vec![
        Cell::Text(mark.id.to_string()),
        Cell::Text(mark.holder.clone()),
        Cell::Text(mark.text.clone()),
        Cell::Text(mark.jurisdiction.clone()),
        Cell::Text(mark.number.clone()),
        Cell::Wholes(mark.nice_classes.iter().map(|&class| class.into()).collect()),
        word(mark.status),
        day(mark.registered_on),
        day(mark.expires_on),
        Cell::Flag(mark.well_known),
        Cell::Texts(mark.aliases.clone()),
        Cell::Texts(mark.goods.clone()),
        Cell::Texts(mark.authorised_sellers.clone()),
        Cell::text(mark.usual_price.as_ref().map(|price| format!("{} {}", price.amount, price.currency))),
    ]
}

fn number(number: u64) -> Cell {
    i64::try_from(number).map_or(Cell::Nothing, Cell::Whole)
}

fn moment(at: Timestamp) -> Cell {
    Cell::Whole(at.as_microsecond())
}

/// Days since 1970.
fn day(day: Option<Date>) -> Cell {
    let days = |day: Date| day.since(date(1970, 1, 1)).ok().map(|span| i64::from(span.get_days()));
    day.and_then(days).map_or(Cell::Nothing, Cell::Whole)
}

/// The stable word of a state, a verdict and the like.
fn word(value: impl serde::Serialize) -> Cell {
    let value = serde_json::to_value(value).unwrap_or_default();
    Cell::text(value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_other_forms_and_days_count_from_1970() {
        let names: Vec<&str> = MARKS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, crate::marks::COLUMNS);
        assert_eq!(day(Some(date(2026, 11, 20))), Cell::Whole(20_777));
        assert_eq!(day(Some(date(1969, 12, 31))), Cell::Whole(-1));
        assert_eq!(day(None), Cell::Nothing);
    }
}
