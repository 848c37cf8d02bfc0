//! A profile's selectors, compiled once, and what they find.

use regex::Regex;
use scraper::{ElementRef, Html, Selector};
use serde_json::Value;
use url::Url;

use crate::model::{Amount, Listing};

use super::{
    super::{
        price,
        profile::{Profile, Select, Selectors},
    },
    draft::{Draft, MANY},
    page::{DEPTH, Page, TEXT_BYTES, clean},
    words,
};

/// Most elements times open formatting elements a document may have before it is built: a browser's tree builder
/// copies open formatting elements into each block, and a hostile page would make it copy without end.
const FORMATTING_COPIES: usize = 4_000_000;

/// A profile made ready for reading pages: selectors and the identity's expression compiled.
#[derive(Debug)]
pub struct CompiledProfile {
    profile: Profile,
    identity: Option<Regex>,
    places: Vec<(Field, Place)>,
    rows: Option<Rows>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Title,
    Subtitle,
    Description,
    Price,
    Currency,
    Sku,
    Brand,
    Availability,
    Seller,
    SellerId,
    SellerLicense,
    Images,
    Category,
    Reviews,
}

#[derive(Debug)]
struct Place {
    selector: Selector,
    attribute: Option<String>,
    fen: bool,
}

#[derive(Debug)]
struct Rows {
    rows: Selector,
    name: Selector,
    value: Selector,
}

impl CompiledProfile {
    /// Compiles the selectors of `profile`; those that do not parse find nothing (a profile that was read has none).
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let select = &profile.listing.select;
        let places = fields(select)
            .into_iter()
            .filter_map(|(field, select)| {
                let select = select.as_ref()?;
                let selector = Selector::parse(&select.css).ok()?;
                Some((field, Place { selector, attribute: select.attr.clone(), fen: select.fen }))
            })
            .collect();
        let rows = select.attributes.as_ref().and_then(|rows| {
            let parse = |css: &str| Selector::parse(css).ok();
            Some(Rows { rows: parse(&rows.rows)?, name: parse(&rows.name)?, value: parse(&rows.value)? })
        });
        let identity = profile.listing.id.as_deref().and_then(|pattern| Regex::new(pattern).ok());
        Self { profile: profile.clone(), identity, places, rows }
    }

    /// The profile it was made of.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The item's identity on the platform, from its address.
    #[must_use]
    pub fn item(&self, url: &Url) -> Option<String> {
        let groups = self.identity.as_ref()?.captures(url.as_str())?;
        groups.get(1).or_else(|| groups.get(0)).map(|found| found.as_str().to_owned()).filter(|item| !item.is_empty())
    }

    /// Whether JSON-LD, microdata and OpenGraph are read beside the selectors.
    pub(super) fn reads_structured(&self) -> bool {
        self.profile.listing.structured
    }

    /// What the selectors find; nothing, and no document built, when the profile has none.
    pub(super) fn read(&self, text: &str) -> Draft {
        if (self.places.is_empty() && self.rows.is_none()) || !is_safe(text) {
            return Draft::default();
        }
        let document = Html::parse_document(text);
        let mut draft = Draft::default();
        for (field, place) in &self.places {
            self.put(&mut draft, *field, place, &document);
        }
        if let Some(rows) = &self.rows {
            rows.read(&document, &mut draft);
        }
        draft
    }

    fn put(&self, draft: &mut Draft, field: Field, place: &Place, document: &Html) {
        let first = || place.texts(document).next();
        match field {
            Field::Title => draft.title = first(),
            Field::Subtitle => draft.subtitle = first(),
            Field::Description => draft.description = first(),
            Field::Price => self.put_price(draft, place, document),
            Field::Currency => draft.currency = first().and_then(|text| price::currency_code(&text)).map(str::to_owned),
            Field::Sku => draft.sku = first(),
            Field::Brand => draft.brand = first(),
            Field::Availability => {
                draft.availability = first().map(|text| words::availability(&text).map_or(text, str::to_owned));
            }
            Field::Seller => draft.seller.name = first(),
            Field::SellerId => draft.seller.id = first(),
            Field::SellerLicense => draft.seller.license = first(),
            Field::Images => draft.images = place.addresses(document),
            Field::Category => {
                let texts: Vec<String> = place.texts(document).take(MANY).collect();
                draft.category = match texts.as_slice() {
                    [path] => words::category(path),
                    _ => texts,
                };
            }
            Field::Reviews => draft.reviews = place.texts(document).take(MANY).collect(),
        }
    }

    fn put_price(&self, draft: &mut Draft, place: &Place, document: &Html) {
        let hint = self.profile.listing.currency.as_deref();
        for text in place.texts(document).take(MANY) {
            if place.fen {
                if let Ok(fen) = text.trim().parse() {
                    draft.price = Some(Amount::from_hundredths(fen));
                    draft.currency = draft.currency.take().or_else(|| self.profile.listing.currency.clone());
                    return;
                }
            } else if let Some(found) = price::parse(&text, hint) {
                draft.price = Some(found.amount);
                draft.currency = draft.currency.take().or(found.currency);
                return;
            }
        }
    }

    /// The listing, with the platform's identity and the profile's currency where the page gave none.
    pub(super) fn finish(&self, mut draft: Draft, url: &Url) -> Option<Listing> {
        if draft.currency.is_none() {
            draft.currency.clone_from(&self.profile.listing.currency);
        }
        let mut listing = draft.finish(url)?;
        listing.platform = Some(self.profile.platform.clone());
        if let Some(item) = self.item(url) {
            listing.id = format!("{}:{item}", self.profile.platform);
        }
        listing.url = Some(self.key(url).to_string());
        Some(listing)
    }
}

fn fields(select: &Selectors) -> [(Field, &Option<Select>); 14] {
    [
        (Field::Title, &select.title),
        (Field::Subtitle, &select.subtitle),
        (Field::Description, &select.description),
        (Field::Currency, &select.currency),
        (Field::Price, &select.price),
        (Field::Sku, &select.sku),
        (Field::Brand, &select.brand),
        (Field::Availability, &select.availability),
        (Field::Seller, &select.seller),
        (Field::SellerId, &select.seller_id),
        (Field::SellerLicense, &select.seller_license),
        (Field::Images, &select.images),
        (Field::Category, &select.category),
        (Field::Reviews, &select.reviews),
    ]
}

impl Place {
    /// What it finds, in document order, without empty ones.
    fn texts<'d>(&'d self, document: &'d Html) -> impl Iterator<Item = String> + 'd {
        document.select(&self.selector).map(|element| self.text(element)).filter(|text| !text.is_empty())
    }

    fn text(&self, element: ElementRef<'_>) -> String {
        match &self.attribute {
            Some(name) => element.attr(name).map(clean).unwrap_or_default(),
            None if element.value().name() == "meta" => element.attr("content").map(clean).unwrap_or_default(),
            None => visible_text(element),
        }
    }

    /// Addresses of pictures: the attribute asked for, else where lazy pages keep them.
    fn addresses(&self, document: &Html) -> Vec<String> {
        let address = |element: ElementRef<'_>| match &self.attribute {
            Some(name) => element.attr(name).map(str::to_owned),
            None => ["data-src", "data-original", "src", "href", "content"]
                .iter()
                .find_map(|name| element.attr(name))
                .map(str::to_owned),
        };
        document.select(&self.selector).filter_map(address).filter(|at| !at.trim().is_empty()).take(MANY).collect()
    }
}

impl Rows {
    fn read(&self, document: &Html, draft: &mut Draft) {
        for row in document.select(&self.rows).take(MANY) {
            let text = |selector| row.select(selector).next().map(visible_text).unwrap_or_default();
            let name = text(&self.name);
            let value = text(&self.value);
            if !value.is_empty() {
                draft.attribute(name.trim_end_matches([':', '：', ' ']), Value::String(value));
            }
        }
    }
}

/// The text of an element, scripts left out, spaces collapsed, bounded.
pub(super) fn visible_text(element: ElementRef<'_>) -> String {
    let mut raw = String::new();
    for node in element.descendants() {
        let hidden = || {
            node.parent()
                .and_then(|parent| parent.value().as_element().map(|e| matches!(e.name(), "script" | "style")))
                .unwrap_or(false)
        };
        if let Some(text) = node.value().as_text()
            && !hidden()
        {
            raw.push_str(text);
        } else if node
            .value()
            .as_element()
            .is_some_and(|element| matches!(element.name(), "br" | "p" | "div" | "li" | "td" | "tr"))
        {
            raw.push(' ');
        }
        if raw.len() > TEXT_BYTES {
            break;
        }
    }
    // The document's builder has decoded the entities already.
    raw.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a full document may be built of `text` at a cost near its length.
pub(super) fn is_safe(text: &str) -> bool {
    let page = Page::read(text);
    !page.cut && page.deepest < DEPTH * 2 && page.open_formatting.saturating_mul(page.nodes.len()) < FORMATTING_COPIES
}
