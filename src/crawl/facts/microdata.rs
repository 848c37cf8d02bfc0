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

/// Most properties read of one page.
const PROPERTIES: usize = 5_000;
/// Types that are products.
const PRODUCTS: &[&str] = &["product", "individualproduct", "productmodel", "book", "vehicle", "car"];
/// Types inside a product whose properties are not its own.
const FOREIGN: &[&str] = &["product", "review", "rating", "aggregaterating", "breadcrumblist", "listitem", "itemlist"];

/// One property: its name, its element, and the element of the scope it belongs to.
struct Property<'a> {
    name: &'a str,
    node: usize,
    scope: Option<usize>,
}

/// The microdata of a page.
struct Items<'p, 'a> {
    page: &'p Page<'a>,
    /// For each node, the scope around it, itself left out.
    around: Vec<Option<usize>>,
    properties: Vec<Property<'a>>,
    products: Vec<usize>,
}

/// What the microdata of a page says of its product.
pub(super) fn read(page: &Page<'_>) -> Draft {
    let items = Items::find(page);
    if items.properties.is_empty() {
        return Draft::default();
    }
    let product = items.main_product();
    let mine: Vec<&Property<'_>> =
        items.properties.iter().filter(|property| items.belongs(property, product)).collect();
    Mine { page, properties: &mine, product }.facts()
}

impl<'p, 'a> Items<'p, 'a> {
    fn find(page: &'p Page<'a>) -> Self {
        let mut items =
            Self { page, around: vec![None; page.nodes.len()], properties: Vec::new(), products: Vec::new() };
        let mut is_scope = vec![false; page.nodes.len()];
        for (index, node) in page.nodes.iter().enumerate() {
            let outer = |known: &[Option<usize>]| known.get(node.parent).copied().flatten();
            let scope = match is_scope.get(node.parent) {
                Some(true) if node.parent != index => Some(node.parent),
                _ => outer(&items.around),
            };
            if let Some(slot) = items.around.get_mut(index) {
                *slot = scope;
            }
            if let Some(slot) = is_scope.get_mut(index) {
                *slot = node.raw_attribute("itemscope").is_some() || node.raw_attribute("itemtype").is_some();
                if *slot && items.products.len() < MANY && PRODUCTS.contains(&kind(page, index).as_str()) {
                    items.products.push(index);
                }
            }
            let names = node.raw_attribute("itemprop").unwrap_or("").split_ascii_whitespace().take(4);
            let room = PROPERTIES.saturating_sub(items.properties.len());
            items.properties.extend(names.take(room).map(|name| Property { name, node: index, scope }));
        }
        items
    }

    /// The scope the page is about: the product that names the headline, holds it, or has a price; the first of equals.
    fn main_product(&self) -> Option<usize> {
        let page = self.page;
        let headline = page.nodes.iter().position(|node| node.name == "h1");
        let title = page.nodes.iter().position(|node| node.name == "title").map(|at| page.text(at)).unwrap_or_default();
        let score = |scope: usize| {
            let inside = page.inside(scope);
            let own = |p: &&Property<'_>| p.name.eq_ignore_ascii_case("name") && p.scope == Some(scope);
            let name = self.properties.iter().find(own).map(|property| value(page, property.node)).unwrap_or_default();
            let named = name.chars().count() > 3 && title.contains(&name);
            let holds = headline.is_some_and(|at| inside.contains(&at));
            let is_price = |p: &Property<'_>| inside.contains(&p.node) && p.name.eq_ignore_ascii_case("price");
            let priced = self.properties.iter().any(is_price);
            let nested = self.products.iter().any(|&outer| outer != scope && page.inside(outer).contains(&scope));
            i32::from(named) * 4 + i32::from(holds) * 4 + i32::from(priced) * 2 - i32::from(nested) * 5
        };
        self.products.iter().map(|&scope| (score(scope), std::cmp::Reverse(scope))).max().map(|(_, scope)| scope.0)
    }

    /// Whether a property says something of `product`, directly or through its offer, brand or seller.
    fn belongs(&self, property: &Property<'_>, product: Option<usize>) -> bool {
        let Some(product) = product else {
            let free = |scope| matches!(kind(self.page, scope).as_str(), "offer" | "aggregateoffer" | "webpage" | "");
            return property.scope.is_none_or(free);
        };
        let mut scope = property.scope;
        while let Some(at) = scope {
            if at == product {
                return true;
            }
            if FOREIGN.contains(&kind(self.page, at).as_str()) {
                return false;
            }
            scope = self.around.get(at).copied().flatten();
        }
        false
    }
}

/// The last word of an `itemtype`, lowercase.
fn kind(page: &Page<'_>, index: usize) -> String {
    let written = page.node(index).and_then(|node| node.raw_attribute("itemtype")).unwrap_or("");
    written.trim().rsplit(['/', '#']).next().unwrap_or("").to_ascii_lowercase()
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

/// The properties of the product the page is about.
struct Mine<'m, 'p, 'a> {
    page: &'p Page<'a>,
    properties: &'m [&'m Property<'a>],
    product: Option<usize>,
}

impl Mine<'_, '_, '_> {
    /// Elements of a property, of the product itself or of what belongs to it.
    fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = usize> + 'n {
        self.properties.iter().filter(move |p| p.name.eq_ignore_ascii_case(name)).map(|p| p.node)
    }

    /// Elements of a property of the product itself.
    fn own<'n>(&'n self, name: &'n str) -> impl Iterator<Item = usize> + 'n {
        let mine = self.properties.iter().filter(|p| p.scope == self.product);
        mine.filter(move |p| p.name.eq_ignore_ascii_case(name)).map(|p| p.node)
    }

    fn first(&self, mut nodes: impl Iterator<Item = usize>) -> Option<String> {
        nodes.find_map(|at| Some(value(self.page, at)).filter(|value| !value.is_empty()))
    }

    fn facts(&self) -> Draft {
        let page = self.page;
        let currency = self.first(self.all("priceCurrency")).and_then(|text| price::currency_code(&text));
        let found = self.all("price").chain(self.all("lowPrice")).find_map(|at| priced(page, at, currency));
        let numbers = ["productID", "identifier", "mpn"];
        let mut draft = Draft {
            title: self.first(self.own("name")),
            description: self.first(self.own("description")),
            price: found.as_ref().map(|found| found.amount),
            currency: currency.map(str::to_owned).or_else(|| found.and_then(|found| found.currency)),
            sku: self.first(self.all("sku")).map(|sku| identifier(&sku)),
            number: numbers.into_iter().find_map(|name| self.first(self.all(name))).map(|number| identifier(&number)),
            brand: self.own("brand").find_map(|at| named(page, at)),
            availability: self.all("availability").find_map(|at| stock(page, at)).map(str::to_owned),
            images: self.own("image").map(|at| value(page, at)).filter(|at| !at.is_empty()).take(MANY).collect(),
            category: self.first(self.own("category")).map(|path| words::category(&path)).unwrap_or_default(),
            reviews: reviews(page, self.product),
            ..Draft::default()
        };
        draft.seller.name = self.all("seller").find_map(|at| named(page, at));
        for name in ["color", "material", "model", "gtin13"] {
            if let Some(value) = self.first(self.own(name)) {
                draft.attribute(name, Value::String(value));
            }
        }
        draft
    }
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
