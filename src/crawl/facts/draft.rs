//! A listing while its facts are gathered from several places of a page.

use serde_json::{Map, Value};
use url::Url;

use crate::model::{Amount, Image, Listing, Money, Review, Seller};

use super::page::clean;

/// Most pictures, reviews, categories and attributes kept of one page.
pub(super) const MANY: usize = 100;
/// Longest title, in characters.
const TITLE_CHARS: usize = 500;

/// Facts found so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Draft {
    pub title: Option<String>,
    pub subtitle: Option<String>,
    pub description: Option<String>,
    pub price: Option<Amount>,
    pub currency: Option<String>,
    pub sku: Option<String>,
    /// Another number of the product (productID, MPN), for want of an article number.
    pub number: Option<String>,
    pub brand: Option<String>,
    pub availability: Option<String>,
    pub seller: Seller,
    pub images: Vec<String>,
    pub category: Vec<String>,
    pub reviews: Vec<String>,
    pub attributes: Map<String, Value>,
}

impl Draft {
    /// Fills what is missing from a place that is believed less.
    pub(super) fn complete(&mut self, weaker: Self) {
        fill(&mut self.title, weaker.title);
        fill(&mut self.subtitle, weaker.subtitle);
        fill(&mut self.description, weaker.description);
        fill(&mut self.price, weaker.price);
        fill(&mut self.currency, weaker.currency);
        fill(&mut self.sku, weaker.sku);
        fill(&mut self.number, weaker.number);
        fill(&mut self.brand, weaker.brand);
        fill(&mut self.availability, weaker.availability);
        fill(&mut self.seller.id, weaker.seller.id);
        fill(&mut self.seller.name, weaker.seller.name);
        fill(&mut self.seller.license, weaker.seller.license);
        fill_list(&mut self.images, weaker.images);
        fill_list(&mut self.category, weaker.category);
        fill_list(&mut self.reviews, weaker.reviews);
        for (name, value) in weaker.attributes {
            self.attribute(&name, value);
        }
    }

    /// Adds a named property, unless it is known or there are [`MANY`].
    pub(super) fn attribute(&mut self, name: &str, value: Value) {
        if !name.is_empty() && self.attributes.len() < MANY && !self.attributes.contains_key(name) {
            self.attributes.insert(name.to_owned(), value);
        }
    }

    /// Whether nothing that a buyer asks first is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.title.is_some()
            && self.price.is_some()
            && self.currency.is_some()
            && self.sku.is_some()
            && self.availability.is_some()
    }

    /// The listing at `url`; none without a title.
    pub(super) fn finish(self, url: &Url) -> Option<Listing> {
        let title: String = clean(&self.title?).chars().take(TITLE_CHARS).collect();
        if title.is_empty() {
            return None;
        }
        let address = super::super::canonical::canonical(url);
        let seller = (self.seller != Seller::default()).then_some(self.seller);
        let currency = self.currency.unwrap_or_default();
        Some(Listing {
            id: address.to_string(),
            url: Some(address.to_string()),
            title,
            subtitle: self.subtitle,
            description: self.description,
            attributes: self.attributes,
            price: self.price.map(|amount| Money { amount, currency }),
            sku: self.sku.or(self.number),
            brand: self.brand,
            availability: self.availability,
            seller,
            category: self.category,
            images: absolute(self.images, url),
            reviews: self.reviews.into_iter().take(MANY).map(|text| Review { text }).collect(),
            ..Listing::default()
        })
    }
}

fn fill<T>(field: &mut Option<T>, weaker: Option<T>) {
    if field.is_none() {
        *field = weaker;
    }
}

fn fill_list(field: &mut Vec<String>, weaker: Vec<String>) {
    if field.is_empty() {
        *field = weaker;
    }
}

fn absolute(images: Vec<String>, base: &Url) -> Vec<Image> {
    let mut out: Vec<Image> = Vec::with_capacity(images.len().min(MANY));
    for address in images {
        let Ok(url) = base.join(address.trim()) else { continue };
        let known = out.iter().any(|image| image.url == url.as_str());
        if matches!(url.scheme(), "http" | "https") && !known && out.len() < MANY {
            out.push(Image { url: url.to_string(), text: None });
        }
    }
    out
}
