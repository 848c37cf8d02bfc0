//! Article numbers: when structured data is doubted, and what is a number of another kind.
//!
//! Shops print the number a buyer may ask for, and put that of their stock system into JSON-LD. A number that stands
//! nowhere in the visible text is therefore doubted where the page shows a label for one.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, packed};
use memchr::memmem;

/// Labels worth a reading of the page, as they are printed. Few, so that the search runs at memory speed.
const LABELS: &[&str] = &[
    "SKU:",
    "SKU</",
    "Sku:",
    "Product code",
    "Product Code",
    "product-code",
    "product-reference",
    "Item no",
    "Item No",
    "Item number",
    "Item Number",
    "Item #",
    "Article number",
    "Art. no",
    "Art.-Nr",
    "Artikelnummer",
    "Artikel-Nr",
    "Artikelnr",
    "Bestellnummer",
    "Référence",
    "Réf.",
    "REF",
    "Ref:",
    "Ref.",
    "Referencia",
    "Referência",
    "Código",
    "Codice",
    "Kod produktu",
    "Kód",
    "Šifra",
    "Артикул",
    "Код товара",
    "货号",
    "商品编号",
    "商品编码",
    "商品番号",
    "品番",
];

/// Vectors find the few labels several times faster than an automaton; where a machine has none, the automaton serves.
enum LabelSearch {
    Packed(packed::Searcher),
    Automaton(Option<AhoCorasick>),
}

static LABEL_SEARCH: LazyLock<LabelSearch> = LazyLock::new(|| match packed::Searcher::new(LABELS) {
    Some(searcher) => LabelSearch::Packed(searcher),
    None => LabelSearch::Automaton(AhoCorasick::new(LABELS).ok()),
});

fn labels_a_number(html: &str) -> bool {
    match &*LABEL_SEARCH {
        LabelSearch::Packed(searcher) => searcher.find(html).is_some(),
        LabelSearch::Automaton(automaton) => automaton.as_ref().is_some_and(|automaton| automaton.is_match(html)),
    }
}

/// Whether `sku`, from structured data, stands nowhere in the visible text while the page labels some number.
pub(super) fn is_doubtful(html: &str, sku: &str) -> bool {
    !is_seen(html, sku) && labels_a_number(html)
}

/// Whether `sku` stands in `html` as text rather than inside an attribute or a script's string.
fn is_seen(html: &str, sku: &str) -> bool {
    let bytes = html.as_bytes();
    memmem::find_iter(bytes, sku.as_bytes()).any(|at| {
        let before = bytes.get(..at).and_then(|before| before.iter().rev().find(|byte| !byte.is_ascii_whitespace()));
        let spaced = at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_whitespace);
        let after = bytes.get(at + sku.len());
        let opens = before.is_some_and(|byte| matches!(byte, b'>' | b'#'))
            || spaced && before.is_some_and(|byte| !matches!(byte, b'"' | b'\'' | b'=' | b','));
        let colon = before == Some(&b':');
        (opens || colon) && after.is_none_or(|byte| *byte == b'<' || byte.is_ascii_whitespace())
    })
}

/// Whether a number is a global trade number (EAN, ISBN-13), which names a product but is no shop's article number.
pub(super) fn is_global(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits.iter().zip([1, 3].iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    number.len() == 13 && digits.len() == 13 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_nobody_sees_is_doubted_where_another_is_labelled() {
        let page = "<script>{\"sku\":\"9-1\"}</script><p data-sku=\"9-1\">Product code: 64</p>";
        assert!(is_doubtful(page, "9-1"));
        assert!(!is_doubtful(&format!("{page}<b> 9-1 </b>"), "9-1"));
        assert!(!is_doubtful("<script>{\"sku\":\"9-1\"}</script>", "9-1"));
    }

    #[test]
    fn global_numbers_are_known_by_their_check_digit() {
        assert!(is_global("4006381333931"));
        assert!(!is_global("4006381333932") && !is_global("1589482272") && !is_global("40063813339ab"));
    }
}
