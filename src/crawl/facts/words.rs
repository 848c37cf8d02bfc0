//! Words by which a page says what a thing on it is, in the languages of the shops we read.
//!
//! Data, not code: a shop's word that is not known is one more line here. All are lowercase.

mod classes;
mod numbers;
mod phrases;

pub(super) use classes::{BRAND_CLASS, ELSEWHERE, NOT_PAID_CLASS, NUMBER_CLASS, PAID_CLASS, PRICE_CLASS, STOCK_CLASS};
pub(super) use numbers::{SKU_ATTRIBUTES, SKU_FIELDS, SKU_LABELS, SKU_PARAMETERS};
pub(super) use phrases::{BUY, IN, OUT};

/// Keys of JSON-LD that lead from a page to what it is about. Related products are not among them.
pub(super) const JSON_LD_PATHS: &[&str] = &[
    "@graph",
    "mainEntity",
    "mainEntityOfPage",
    "itemReviewed",
    "itemOffered",
    "about",
    "itemListElement",
    "item",
    "hasPart",
    "dataset",
    "product",
    "breadcrumb",
    "primaryEntity",
];

/// Labels of brands.
pub(super) const BRAND_LABELS: &[&str] = &[
    "brand",
    "brand name",
    "manufacturer",
    "品牌",
    "品牌名称",
    "marke",
    "hersteller",
    "marque",
    "fabricant",
    "marca",
    "fabricante",
    "merk",
    "merknaam",
    "märke",
    "varemærke",
    "merke",
    "marka",
    "producent",
    "značka",
    "výrobce",
    "výrobca",
    "gyártó",
    "brend",
    "blagovna znamka",
    "proizvajalec",
    "proizvođač",
    "бренд",
    "производитель",
    "марка",
    "виробник",
    "ブランド",
    "メーカー",
    "브랜드",
    "thương hiệu",
    "merek",
    "מותג",
    "יצרן",
    "label",
    "publisher",
    "författare",
];

/// A brand as its label, link or placeholder leaves it; none when nothing is left.
pub(super) fn brand(text: &str) -> Option<String> {
    let labelled = text.rsplit_once([':', '：']).filter(|(label, _)| {
        let label = label.trim().to_lowercase();
        BRAND_LABELS.iter().any(|known| label.ends_with(known))
    });
    let text = labelled.map_or(text, |(_, rest)| rest).trim();
    let text = text.strip_prefix("by ").or_else(|| text.strip_prefix("By ")).unwrap_or(text);
    let text = text.strip_prefix("Visit the ").and_then(|rest| rest.strip_suffix(" Store")).unwrap_or(text);
    let is_placeholder = text.starts_with('$')
        || text.contains("{{")
        || text.eq_ignore_ascii_case("null")
        || text.eq_ignore_ascii_case("n/a");
    let fits = !text.is_empty() && text.chars().any(char::is_alphanumeric) && text.chars().count() <= 80;
    (fits && !is_placeholder).then(|| text.to_owned())
}

/// schema.org's word for an availability, from its address, a code word or a phrase.
pub(super) fn availability(text: &str) -> Option<&'static str> {
    const WORDS: &[(&str, &str)] = &[
        ("instock", "InStock"),
        ("available", "InStock"),
        ("availablefororder", "InStock"),
        ("yes", "InStock"),
        ("true", "InStock"),
        ("outofstock", "OutOfStock"),
        ("oos", "OutOfStock"),
        ("unavailable", "OutOfStock"),
        ("notavailable", "OutOfStock"),
        ("false", "OutOfStock"),
        ("soldout", "SoldOut"),
        ("preorder", "PreOrder"),
        ("presale", "PreSale"),
        ("backorder", "BackOrder"),
        ("discontinued", "Discontinued"),
        ("limitedavailability", "LimitedAvailability"),
        ("onlineonly", "OnlineOnly"),
        ("instoreonly", "InStoreOnly"),
        ("reserved", "Reserved"),
        ("madetoorder", "MadeToOrder"),
        ("pending", "InStock"),
    ];
    let last = text.trim().trim_end_matches('/').rsplit(['/', '#']).next().unwrap_or("");
    let word: String = last.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(40).collect();
    if let Some((_, found)) = WORDS.iter().find(|(known, _)| *known == word) {
        return Some(found);
    }
    let lower: String = text.chars().take(120).flat_map(char::to_lowercase).collect();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    if lower.contains("not sold") {
        Some("InStock")
    } else if says(OUT) {
        Some("OutOfStock")
    } else if says(IN) || says(BUY) {
        Some("InStock")
    } else {
        None
    }
}

/// A path of categories written in one text.
pub(super) fn category(path: &str) -> Vec<String> {
    let separator = [" > ", ">", " › ", "›", " » ", " | ", " / ", "/"].into_iter().find(|sign| path.contains(sign));
    let parts = separator.map_or_else(|| vec![path], |sign| path.split(sign).collect());
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).take(20).map(str::to_owned).collect()
}
