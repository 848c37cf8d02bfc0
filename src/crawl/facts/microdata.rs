//! Product facts from microdata: `itemscope`, `itemtype`, `itemprop`.
//!
//! Of several products on a page the one that holds or names the headline is meant. Properties of a
//! page that forgot its `itemscope` are read too, but only those no scope claims.

use serde_json::Value;

use super::{
    super::price,
    draft::{Draft, MANY},
    json_ld::identifier,
    page::{Page, clean},
    words,
};

/// One property: its name, the element, the element of the scope it belongs to.
struct Property<'p> {
    name: &'p str,
    node: usize,
    scope: Option<usize>,
}

/// What the microdata of a page says of its product.
pub(super) fn read(page: &Page<'_>) -> Draft {
    let properties = properties(page);
    if properties.is_empty() {
        return Draft::default();
    }
    let product = main_product(page, &properties);
    let mine: Vec<&Property<'_>> = properties.iter().filter(|property| belongs(page, property, product)).collect();
    facts(page, &mine, product)
}

fn properties<'p>(page: &Page<'p>) -> Vec<Property<'p>> {
    let mut out = Vec::new();
    for (index, node) in page.nodes.iter().enumerate() {
        let Some(names) = node.raw_attribute("itemprop") else { continue };
        let scope = page.ancestors(index).find(|&at| is_scope(page, at));
        for name in names.split_ascii_whitespace().take(4) {
            out.push(Property { name, node: index, scope });
        }
    }
    out
}

fn is_scope(page: &Page<'_>, index: usize) -> bool {
    page.node(index)
        .is_some_and(|node| node.raw_attribute("itemscope").is_some() || node.raw_attribute("itemtype").is_some())
}

/// The last word of an `itemtype`, lowercase.
fn kind(page: &Page<'_>, index: usize) -> String {
    let written = page.node(index).and_then(|node| node.raw_attribute("itemtype")).unwrap_or("");
    written.trim().rsplit(['/', '#']).next().unwrap_or("").to_ascii_lowercase()
}

/// The scope the page is about: the product that names the headline, holds it, or has a price; the first of equals.
fn main_product(page: &Page<'_>, properties: &[Property<'_>]) -> Option<usize> {
    let headline = page.nodes.iter().position(|node| node.name == "h1");
    let title = page.nodes.iter().position(|node| node.name == "title").map(|at| page.text(at)).unwrap_or_default();
    let is_product = |index: usize| {
        matches!(
            kind(page, index).as_str(),
            "product" | "individualproduct" | "productmodel" | "book" | "vehicle" | "car"
        )
    };
    let products = (0..page.nodes.len()).filter(|&index| is_scope(page, index) && is_product(index)).take(MANY);
    let score = |scope: usize| {
        let inside = page.inside(scope);
        let mine = |name: &str| properties.iter().find(|p| p.name.eq_ignore_ascii_case(name) && p.scope == Some(scope));
        let name = mine("name").map(|property| value(page, property.node)).unwrap_or_default();
        let named = name.chars().count() > 3 && title.contains(&name);
        let holds = headline.is_some_and(|at| inside.contains(&at));
        let priced = properties.iter().any(|p| inside.contains(&p.node) && p.name.eq_ignore_ascii_case("price"));
        let nested = page.ancestors(scope).any(|at| is_scope(page, at) && is_product(at));
        i32::from(named) * 4 + i32::from(holds) * 4 + i32::from(priced) * 2 - i32::from(nested) * 5
    };
    products.map(|scope| (score(scope), std::cmp::Reverse(scope))).max().map(|(_, scope)| scope.0)
}

/// Whether a property says something of `product`, directly or through its offer, brand or seller.
fn belongs(page: &Page<'_>, property: &Property<'_>, product: Option<usize>) -> bool {
    let Some(scope) = property.scope else { return product.is_none() };
    let Some(product) = product else {
        return matches!(kind(page, scope).as_str(), "offer" | "aggregateoffer" | "webpage" | "");
    };
    if scope == product {
        return true;
    }
    let mut at = scope;
    // Up through offers and the like, until the product; another product or a review on the way is another matter.
    loop {
        let foreign = matches!(
            kind(page, at).as_str(),
            "product" | "review" | "rating" | "aggregaterating" | "breadcrumblist" | "listitem" | "itemlist"
        );
        if foreign {
            return false;
        }
        match page.ancestors(at).find(|&outer| is_scope(page, outer)) {
            Some(outer) if outer == product => return true,
            Some(outer) => at = outer,
            None => return false,
        }
    }
}

/// A property's value: `content`, an address, or its text.
fn value(page: &Page<'_>, index: usize) -> String {
    let Some(node) = page.node(index) else { return String::new() };
    let attribute = |name| node.attribute(name).filter(|value| !value.is_empty());
    if let Some(content) = attribute("content") {
        return content;
    }
    let address = match node.name {
        "img" | "source" | "video" | "embed" => attribute("src").or_else(|| attribute("data-src")),
        "a" | "link" | "area" => attribute("href"),
        "data" | "input" => attribute("value"),
        "time" => attribute("datetime"),
        _ => None,
    };
    address.unwrap_or_else(|| page.text(index))
}

fn facts(page: &Page<'_>, mine: &[&Property<'_>], product: Option<usize>) -> Draft {
    let own = |name: &str| {
        mine.iter()
            .filter(|p| p.scope == product && p.name.eq_ignore_ascii_case(name))
            .map(|p| p.node)
            .collect::<Vec<_>>()
    };
    let any =
        |name: &str| mine.iter().filter(|p| p.name.eq_ignore_ascii_case(name)).map(|p| p.node).collect::<Vec<_>>();
    let first = |nodes: Vec<usize>| nodes.into_iter().map(|at| value(page, at)).find(|value| !value.is_empty());
    let currency_text = first(any("priceCurrency"));
    let currency = currency_text.as_deref().and_then(price::currency_code);
    let found = any("price").into_iter().chain(any("lowPrice")).find_map(|at| priced(page, at, currency));
    let mut draft = Draft {
        title: first(own("name")),
        description: first(own("description")),
        price: found.as_ref().map(|found| found.amount),
        currency: currency.map(str::to_owned).or_else(|| found.and_then(|found| found.currency)),
        sku: first(any("sku")).map(|sku| identifier(&sku)),
        number: ["productID", "identifier", "mpn"]
            .into_iter()
            .find_map(|name| first(any(name)))
            .map(|number| identifier(&number)),
        brand: first(own("brand")).map(|_| ()).and_then(|()| brand(page, mine, product)),
        availability: any("availability").into_iter().find_map(|at| stock(page, at)).map(str::to_owned),
        images: own("image").into_iter().map(|at| value(page, at)).filter(|at| !at.is_empty()).take(MANY).collect(),
        category: first(own("category")).map(|path| words::category(&path)).unwrap_or_default(),
        ..Draft::default()
    };
    draft.seller.name = any("seller").into_iter().find_map(|at| named(page, at));
    for name in ["color", "material", "model", "gtin13"] {
        if let Some(value) = first(own(name)) {
            draft.attribute(name, Value::String(value));
        }
    }
    draft.reviews = reviews(page, product);
    draft
}

/// The price in a property; its text where `content` is unreadable.
fn priced(page: &Page<'_>, index: usize, currency: Option<&str>) -> Option<price::Price> {
    let content = page.node(index)?.attribute("content").filter(|content| !content.is_empty());
    let found = match content {
        Some(content) => price::parse_machine(&content, currency),
        None => price::parse_machine(&value(page, index), currency),
    };
    found.or_else(|| price::parse(&page.text(index), currency)).filter(|found| found.amount.ten_thousandths() > 0)
}

fn stock(page: &Page<'_>, index: usize) -> Option<&'static str> {
    words::availability(&value(page, index)).or_else(|| words::availability(&page.text(index)))
}

fn brand(page: &Page<'_>, mine: &[&Property<'_>], product: Option<usize>) -> Option<String> {
    let at = mine.iter().find(|p| p.scope == product && p.name.eq_ignore_ascii_case("brand"))?.node;
    named(page, at)
}

/// The `name` inside a scope, or the property's own value.
fn named(page: &Page<'_>, index: usize) -> Option<String> {
    let inner = page.inside(index).find(|&at| {
        page.node(at)
            .and_then(|node| node.raw_attribute("itemprop"))
            .is_some_and(|name| name.eq_ignore_ascii_case("name"))
    });
    let text = match inner {
        Some(at) => value(page, at),
        // A brand's link leads to its shop; its text is its name.
        None => page
            .node(index)
            .and_then(|node| node.attribute("content"))
            .filter(|c| !c.is_empty())
            .unwrap_or_else(|| page.text(index)),
    };
    words::brand(&text)
}

fn reviews(page: &Page<'_>, product: Option<usize>) -> Vec<String> {
    let Some(product) = product else { return Vec::new() };
    let is_body = |&at: &usize| {
        page.node(at).and_then(|node| node.raw_attribute("itemprop")).is_some_and(|name| clean(name) == "reviewBody")
    };
    page.inside(product).filter(is_body).map(|at| value(page, at)).filter(|text| !text.is_empty()).take(MANY).collect()
}
