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

#[test]
fn a_compiled_profile_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<CompiledProfile>();
}

fn with_script(json: &str) -> String {
    format!("<script type=application/ld+json>{json}</script>")
}

#[test]
fn a_script_past_its_bound_and_scripts_past_theirs_are_not_read() {
    let product = "{\"@type\":\"Product\",\"name\":\"云雀\"}";
    assert!(page(&with_script(product)).is_some());
    assert_eq!(page(&with_script(&format!("{product}{}", " ".repeat(json_ld::SCRIPT_BYTES)))), None);
    let many = with_script("{}").repeat(json_ld::SCRIPTS) + with_script(product).as_str();
    assert_eq!(page(&many), None);
}

#[test]
fn what_is_repeated_without_end_costs_linear_time() {
    for part in [
        "ld+json ",
        "<script ld+json",
        "\"a\" ",
        "</b>",
        "<i>",
        "<li><b>a:</b>",
        "<p itemprop=name itemscope>",
        "&",
        "¥1 ",
    ] {
        let long = format!("<h1>云雀</h1>{}", part.repeat(150_000 / part.len()));
        let json = with_script(&part.repeat(150_000 / part.len()));
        assert!(page(&long).is_some(), "{part}");
        let _ = page(&json);
    }
}

#[test]
fn a_number_in_structured_data_alone_gives_way_to_a_labelled_one() {
    let json = with_script(
        r#"{"@type":"Product","name":"云雀 跑鞋","sku":"777-1","offers":{"price":"9","priceCurrency":"CNY","availability":"InStock"}}"#,
    );
    let sku = |body: &str| page(&format!("{json}<h1>云雀 跑鞋</h1>{body}")).unwrap().sku.unwrap();
    assert_eq!(sku("<p>货号：<b>YQ-1001</b></p>"), "YQ-1001");
    assert_eq!(sku("<p>货号：<b>777-1</b></p>"), "777-1");
    assert_eq!(sku("<p>云雀</p>"), "777-1");
}

#[test]
fn stock_words_are_read_in_many_languages() {
    for (text, expected) in [
        ("<p>现货</p>", Some("InStock")),
        ("<p>缺货</p><button>到货通知</button>", Some("OutOfStock")),
        ("<p class=stock>Nicht auf Lager</p>", Some("OutOfStock")),
        ("<button>Ajouter au panier</button>", Some("InStock")),
        ("<p>Нет в наличии</p>", Some("OutOfStock")),
        ("<input type=submit value='Add to cart'>", Some("InStock")),
        ("<div class=related-items><button>Add to cart</button></div>", None),
        ("<p style='display: none'>sold out</p>", None),
        ("<p class=price>¥199</p>", Some("InStock")),
    ] {
        let listing = page(&format!("<h1>云雀 跑鞋</h1>{text}")).unwrap();
        assert_eq!(listing.availability.as_deref(), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_page_makes_it_panic(parts in proptest::collection::vec("\\PC{0,12}|<h1>|</h1>|<div class=price>|<script type=application/ld\\+json>|\\{\"@type\":\"Product\",|\"offers\":\\[|</script>|<p itemprop=name itemscope|<meta property=og:title content=|¥1,9|&#x|SKU:|<tr><td>|\"", 0..40)) {
        let text = parts.concat();
        let _ = page(&text);
    }
}
