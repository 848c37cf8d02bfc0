//! Which column of a table holds which fact, and a row of it made a listing.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::Value;
use url::Url;

use super::rows::Options;
use crate::{
    crawl::{canonical, currency_code, parse_price},
    model::{Image, Listing, ListingId, Money, Review, Seller, Timestamp},
};

/// The names of columns, by fact.
static NAMES: LazyLock<BTreeMap<String, Vec<String>>> =
    LazyLock::new(|| toml::from_str(include_str!("columns.toml")).unwrap_or_default());

/// Facts a column can hold; besides, `attributes.NAME` holds the named property.
pub const FIELDS: [&str; 18] = [
    "id",
    "platform",
    "url",
    "title",
    "subtitle",
    "description",
    "price",
    "currency",
    "sku",
    "brand",
    "availability",
    "seller",
    "seller_id",
    "seller_license",
    "category",
    "images",
    "reviews",
    "captured_at",
];
/// What a column of a named property begins with.
const ATTRIBUTE: &str = "attributes.";
const ATTRIBUTE_HEADS: [&str; 4] = [ATTRIBUTE, "属性:", "属性：", "属性."];
/// Parts of one cell: pictures, reviews, steps of a category.
const MAX_PARTS: usize = 100;
/// Longest text of one cell, in bytes.
const MAX_CELL_BYTES: usize = 1024 * 1024;

/// Which column holds which fact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// By column, what it holds.
    fields: Vec<Option<String>>,
    /// Headers of columns that are not read.
    pub unread: Vec<String>,
}

impl Columns {
    /// Reads a header; `map` says of headers what they hold, before their names are looked at.
    ///
    /// # Errors
    /// When a mapped column is not there, a fact is not known, or nothing holds the title.
    pub fn new(header: &[String], map: &BTreeMap<String, String>) -> Result<Self, String> {
        for (name, field) in map {
            if !FIELDS.contains(&field.as_str()) && !field.starts_with(ATTRIBUTE) {
                return Err(format!(
                    "`{field}` is no fact of a listing; known are {} and attributes.NAME",
                    FIELDS.join(", ")
                ));
            }
            if !header.iter().any(|known| known.trim() == name) {
                return Err(format!("there is no column `{name}`; there are {}", header.join(", ")));
            }
        }
        let mut columns = Self::default();
        for name in header {
            let name = name.trim();
            let mapped = map.get(name).cloned();
            let taken = |field: &String| columns.fields.iter().flatten().any(|known| known == field);
            let field = mapped.or_else(|| named(name).filter(|field| !map.values().any(|mapped| mapped == field)));
            let field = field.filter(|field| !taken(field));
            if field.is_none() && !name.is_empty() {
                columns.unread.push(name.to_owned());
            }
            columns.fields.push(field);
        }
        if !columns.fields.iter().flatten().any(|field| field == "title") {
            return Err(format!(
                "no column holds the title: name it, as in --map '{}=title'",
                header.first().map_or("COLUMN", String::as_str)
            ));
        }
        Ok(columns)
    }

    /// The listing of a row.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn listing(&self, cells: &[String], options: &Options) -> Result<Listing, String> {
        if let Some(surplus) = cells.iter().skip(self.fields.len()).find(|cell| !cell.trim().is_empty()) {
            return Err(format!("more cells than the header has, such as `{:.40}`", surplus.trim()));
        }
        if let Some(long) = cells.iter().find(|cell| cell.len() > MAX_CELL_BYTES) {
            return Err(format!("a cell of {} bytes; at most {MAX_CELL_BYTES} are read", long.len()));
        }
        let mut facts: BTreeMap<&str, &str> = BTreeMap::new();
        for (field, cell) in self.fields.iter().zip(cells) {
            if let Some(field) = field.as_deref().filter(|_| !cell.trim().is_empty()) {
                facts.insert(field, cell.trim());
            }
        }
        let text = |field: &str| facts.get(field).map(|text| (*text).to_owned());
        let mut listing = Listing {
            title: text("title").ok_or("it has no title")?,
            subtitle: text("subtitle"),
            description: text("description"),
            sku: text("sku"),
            brand: text("brand"),
            availability: text("availability"),
            platform: text("platform"),
            url: text("url"),
            id: text("id").unwrap_or_default(),
            ..Listing::default()
        };
        let currency = text("currency").and_then(|text| currency_code(&text)).map(str::to_owned);
        let currency = currency.or_else(|| options.currency.clone());
        if let Some(price) = facts.get("price") {
            let found = parse_price(price, currency.as_deref()).ok_or_else(|| format!("`{price:.40}` is no price"))?;
            listing.price =
                Some(Money { amount: found.amount, currency: found.currency.or(currency).unwrap_or_default() });
        }
        let seller = Seller {
            id: text("seller_id"),
            name: text("seller"),
            license: text("seller_license"),
            ..Seller::default()
        };
        listing.seller = (seller != Seller::default()).then_some(seller);
        listing.category = parts(facts.get("category").copied(), &['>', '＞', '/', '»', '|']);
        let images = parts(facts.get("images").copied(), &[';', '；', '|', '\n', ' ']);
        listing.images = images.into_iter().map(|url| Image { url, text: None }).collect();
        let reviews = parts(facts.get("reviews").copied(), &[';', '；', '|', '\n']);
        listing.reviews = reviews.into_iter().map(|text| Review { text }).collect();
        for (field, text) in &facts {
            if let Some(name) = field.strip_prefix(ATTRIBUTE) {
                listing.attributes.insert(name.to_owned(), Value::String((*text).to_owned()));
            }
        }
        if let Some(at) = facts.get("captured_at") {
            listing.captured_at = Some(moment(at).ok_or_else(|| format!("`{at:.40}` is no day or time"))?);
        }
        identified(listing, options)
    }
}

/// The listing with an identity of its own: the platform's number of it, else its address.
pub(super) fn identified(mut listing: Listing, options: &Options) -> Result<Listing, String> {
    if listing.title.trim().is_empty() {
        return Err("it has no title".into());
    }
    listing.platform = listing.platform.take().or_else(|| options.platform.clone());
    if let Some(address) = &listing.url {
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or_else(|| format!("`{address:.80}` is no address"))?;
        listing.url = Some(canonical(&url).to_string());
    }
    let platform = listing.platform.as_deref().unwrap_or_default();
    let prefix = format!("{platform}:");
    listing.id = match (listing.id.trim(), &listing.url) {
        ("", None) => return Err("it has neither an id nor an address".into()),
        ("", Some(url)) => url.clone(),
        (id, _) if platform.is_empty() || id.starts_with(&prefix) => id.to_owned(),
        (id, _) => format!("{prefix}{id}"),
    };
    ListingId::new(&listing.id).map_err(|error| error.to_string())?;
    Ok(listing)
}

/// The fact that a header names.
fn named(header: &str) -> Option<String> {
    if let Some(name) = ATTRIBUTE_HEADS.iter().find_map(|head| header.strip_prefix(head)) {
        return Some(format!("{ATTRIBUTE}{}", name.trim())).filter(|field| field.len() > ATTRIBUTE.len());
    }
    let header = plain(header);
    NAMES.iter().find(|(_, names)| names.iter().any(|name| plain(name) == header)).map(|(field, _)| field.clone())
}

/// A header without case, spaces, `_`, `-` and what stands in brackets.
fn plain(header: &str) -> String {
    let outside = header.split(['(', '（', '[', '【']).next().unwrap_or_default();
    let kept = outside.chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '\u{FEFF}'));
    kept.flat_map(char::to_lowercase).collect()
}

fn parts(cell: Option<&str>, separators: &[char]) -> Vec<String> {
    let parts = cell.unwrap_or_default().split(separators).map(str::trim).filter(|part| !part.is_empty());
    parts.take(MAX_PARTS).map(str::to_owned).collect()
}

/// A time: RFC 3339, a day, or a day and time as people here write them, in Shanghai's time where none is named.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let text = text.replace(['/', '.'], "-").replace('T', " ");
    let (day, time) = text.split_once(' ').unwrap_or((&text, "00:00:00"));
    let mut day = day.split('-');
    let mut number = || day.next()?.parse::<i16>().ok();
    let (year, month, date) = (number()?, number()?, number()?);
    let time: jiff::civil::Time = time.trim().parse().ok()?;
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(date).ok()?).ok()?;
    Some(date.to_datetime(time).in_tz("Asia/Shanghai").ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names_holds_facts_alone_and_each_name_once() {
        let mut known = BTreeMap::new();
        assert_eq!(NAMES.len(), FIELDS.len());
        for (field, names) in &*NAMES {
            assert!(FIELDS.contains(&field.as_str()), "{field}");
            for name in names {
                assert_eq!(known.insert(plain(name), field), None, "{name}");
            }
        }
    }

    #[test]
    fn columns_are_known_by_their_names_in_both_languages() {
        let header = ["商品ID", " 商品名称 ", "价格（元）", "店铺名称", "Image_URL", "库存", "属性:材质", "现价"]
            .map(str::to_owned);
        let columns = Columns::new(&header, &BTreeMap::new()).unwrap();
        assert_eq!(columns.unread, ["库存", "现价"]);
        let cells =
            ["42", "云雀 跑鞋", "￥199.00", "云雀店", "http://i/1.jpg;http://i/2.jpg", "7", "网布"].map(str::to_owned);
        let options = Options { platform: Some("xinghe".into()), ..Options::default() };
        let listing = columns.listing(&cells, &options).unwrap();
        assert_eq!((listing.id.as_str(), listing.title.as_str()), ("xinghe:42", "云雀 跑鞋"));
        assert_eq!(listing.price.as_ref().unwrap().amount.to_string(), "199.00");
        assert_eq!((listing.images.len(), listing.attribute_text()), (2, Some("网布".to_owned())));
        let map = BTreeMap::from([("现价".to_owned(), "price".to_owned())]);
        assert_eq!(Columns::new(&header, &map).unwrap().unread, ["价格（元）", "库存"]);
    }

    impl Listing {
        fn attribute_text(&self) -> Option<String> {
            self.attribute("材质").map(str::to_owned)
        }
    }

    #[test]
    fn what_is_wrong_with_a_row_or_header_is_said() {
        let header = ["id", "title", "price", "date", "url"].map(str::to_owned);
        let columns = Columns::new(&header, &BTreeMap::new()).unwrap();
        for (cells, expected) in [
            (["1", " ", "", "", ""], "no title"),
            (["", "a", "", "", ""], "neither an id nor an address"),
            (["1", "a", "cheap", "", ""], "no price"),
            (["1", "a", "", "soon", ""], "no day or time"),
            (["1", "a", "", "", "javascript:x"], "no address"),
        ] {
            let wrong = columns.listing(&cells.map(str::to_owned), &Options::default()).unwrap_err();
            assert!(wrong.contains(expected), "{cells:?}: {wrong}");
        }
        let surplus = ["1", "a", "", "", "", "x"].map(str::to_owned);
        assert!(columns.listing(&surplus, &Options::default()).unwrap_err().contains("more cells"));
        assert!(Columns::new(&["a".to_owned()], &BTreeMap::new()).unwrap_err().contains("--map 'a=title'"));
        let map = BTreeMap::from([("a".to_owned(), "colour".to_owned())]);
        assert!(Columns::new(&["a".to_owned()], &map).unwrap_err().contains("no fact"));
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for text in ["2026-11-01T08:00:00+08:00", "2026-11-01 08:00:00", "2026/11/1 08:00", "2026.11.1 08:00:00"] {
            assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), Some("2026-11-01T00:00:00Z"), "{text}");
        }
        assert_eq!(moment("2026-11-01").map(|at| at.to_string()).as_deref(), Some("2026-10-31T16:00:00Z"));
        assert_eq!(moment("2026-13-01"), None);
    }
}
