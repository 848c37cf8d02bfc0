use proptest::prelude::*;

use super::*;

fn page(text: &str) -> Option<Listing> {
    let url = Url::parse("https://shop.example/p/1").unwrap();
    extract(&PageText { url: &url, text }, None)
}

#[test]
fn a_page_without_a_title_is_no_listing() {
    assert_eq!(page(""), None);
    assert_eq!(page("<p>199 元</p>"), None);
}

#[test]
fn a_page_past_its_bound_is_read_up_to_it() {
    let long = format!("{}<h1>云雀</h1>", "云".repeat(PAGE_BYTES / 3 + 1));
    assert_eq!(page(&long), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_page_makes_it_panic(parts in proptest::collection::vec("\\PC{0,12}|<h1>|</h1>|<div class=price>|<script type=application/ld\\+json>|\\{\"@type\":\"Product\",|\"offers\":\\[|</script>|<p itemprop=name itemscope|<meta property=og:title content=|¥1,9|&#x|SKU:|<tr><td>|\"", 0..40)) {
        let text = parts.concat();
        let _ = page(&text);
    }
}
