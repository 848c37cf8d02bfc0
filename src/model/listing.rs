//! A listing: the product facts read from captures, and the surfaces the law tells apart.

use std::fmt;

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::{Goods, Moment, Money, Seller, ShelfState, Timestamp};

/// Product facts of one offer (a livestream is a listing with a timeline).
///
/// This is the JSONL form of listings files: one object a line, only `title` required, unknown
/// fields kept in `other`. Texts are accepted as JSON numbers too; `null` means absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// The source's own identity of the listing; empty where it gave none.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "text_lenient")]
    pub id: String,
    /// The marketplace.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub platform: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub url: Option<String>,
    /// The headline.
    #[serde(deserialize_with = "text_lenient")]
    pub title: String,
    /// The line under the headline.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub subtitle: Option<String>,
    /// The long text.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub description: Option<String>,
    /// Named properties in page order (品牌 → 云雀).
    #[serde(default, skip_serializing_if = "Map::is_empty", deserialize_with = "object_lenient")]
    pub attributes: Map<String, Value>,
    /// What it costs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// The seller's article number.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub sku: Option<String>,
    /// The brand as the page states it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub brand: Option<String>,
    /// schema.org's word without its address: `InStock`, `OutOfStock`, …
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub availability: Option<String>,
    /// Who offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<Seller>,
    /// From the widest category to the narrowest.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "texts_lenient")]
    pub category: Vec<String>,
    /// Pictures, with the text read from them where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// What buyers wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
    /// What was said and shown in a live room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
    /// When the facts were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured_at: Option<Timestamp>,
    /// Fields this version does not know, kept as they came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A picture of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its address.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "text_lenient")]
    pub url: String,
    /// The text in it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub text: Option<String>,
}

/// What a buyer wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The text.
    #[serde(default, deserialize_with = "text_lenient")]
    pub text: String,
}

/// One moment of a live room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Milliseconds from the start of the room.
    #[serde(default)]
    pub at_ms: u64,
    /// Who spoke.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub speaker: Option<String>,
    /// The words.
    #[serde(default, deserialize_with = "text_lenient")]
    pub text: String,
    /// `caption`, `danmaku` or `shelf`.
    #[serde(default, deserialize_with = "text_lenient")]
    pub kind: String,
    /// What changed on the shelf, where `kind` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goods: Option<Goods>,
}

/// What sort of text a surface is: each sort has its own law and its own weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurfaceKind {
    /// The headline.
    Title,
    /// The line under it.
    Subtitle,
    /// The long text.
    Description,
    /// A named property.
    Attribute,
    /// The brand field.
    Brand,
    /// The shop's name: not advertising.
    SellerName,
    /// Text read from a picture.
    PictureText,
    /// A buyer's words: not advertising.
    Review,
    /// Spoken in a live room.
    Spoken,
    /// A viewer's comment in a live room: not the seller's advertising.
    Danmaku,
    /// Goods pinned in a live room.
    Shelf,
}

/// One part of a listing with its own path (`title`, `attributes.品牌`, `timeline[3].text`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surface<'a> {
    /// Where it stands in the listing.
    pub path: String,
    /// What sort it is.
    pub kind: SurfaceKind,
    /// The original text.
    pub text: &'a str,
}

impl Listing {
    /// The day its facts were read, in UTC.
    pub fn captured_on(&self) -> Option<Date> {
        self.captured_at.map(|at| at.to_zoned(TimeZone::UTC).date())
    }

    /// Every text of the listing with its path, in a fixed order: title first, timeline last.
    pub fn surfaces<'a>(&'a self) -> Vec<Surface<'a>> {
        let mut out = Vec::with_capacity(8);
        let mut push = |path: String, kind, text: &'a str| {
            if !text.is_empty() {
                out.push(Surface { path, kind, text });
            }
        };
        push("title".into(), SurfaceKind::Title, &self.title);
        push("subtitle".into(), SurfaceKind::Subtitle, self.subtitle.as_deref().unwrap_or(""));
        push("description".into(), SurfaceKind::Description, self.description.as_deref().unwrap_or(""));
        push("brand".into(), SurfaceKind::Brand, self.brand.as_deref().unwrap_or(""));
        for (name, value) in &self.attributes {
            push(format!("attributes.{name}"), SurfaceKind::Attribute, value.as_str().unwrap_or(""));
        }
        if let Some(name) = self.seller.as_ref().and_then(|seller| seller.name.as_deref()) {
            push("seller.name".into(), SurfaceKind::SellerName, name);
        }
        for (index, image) in self.images.iter().enumerate() {
            push(format!("images[{index}].text"), SurfaceKind::PictureText, image.text.as_deref().unwrap_or(""));
        }
        for (index, review) in self.reviews.iter().enumerate() {
            push(format!("reviews[{index}].text"), SurfaceKind::Review, &review.text);
        }
        for (index, entry) in self.timeline.iter().enumerate() {
            let kind = match entry.kind.as_str() {
                "danmaku" => SurfaceKind::Danmaku,
                "shelf" => SurfaceKind::Shelf,
                _ => SurfaceKind::Spoken,
            };
            push(format!("timeline[{index}].text"), kind, &entry.text);
        }
        out
    }

    /// The original text at a surface path, as [`surfaces`](Self::surfaces) names it.
    pub fn surface_text(&self, path: &str) -> Option<&str> {
        self.surfaces().into_iter().find(|surface| surface.path == path).map(|surface| surface.text)
    }

    /// The entry of the timeline that the surface `path` is, if it is one.
    pub fn timeline_entry(&self, path: &str) -> Option<&TimelineEntry> {
        let index = path.strip_prefix("timeline[")?.split(']').next()?;
        self.timeline.get(index.parse::<usize>().ok()?)
    }

    /// What was pinned in the live room at `at_ms`, with its price of that moment.
    pub fn moment(&self, at_ms: u64) -> Moment {
        let mut shelf: Vec<(u64, &Goods)> = self
            .timeline
            .iter()
            .filter(|entry| entry.at_ms <= at_ms)
            .filter_map(|entry| Some((entry.at_ms, entry.goods.as_ref()?)))
            .collect();
        shelf.sort_by_key(|(at, _)| *at);
        let mut pinned: Option<Goods> = None;
        for (_, goods) in shelf {
            let same = pinned.as_ref().is_some_and(|known| known.id == goods.id);
            match goods.state {
                ShelfState::Pinned => pinned = Some(goods.clone()),
                ShelfState::Listed if same => pinned = Some(Goods { state: ShelfState::Pinned, ..goods.clone() }),
                ShelfState::Gone if same => pinned = None,
                ShelfState::Listed | ShelfState::Gone => {}
            }
        }
        Moment { at_ms, goods: pinned }
    }

    /// The value of the attribute `name`, if it is a text.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_str)
    }
}

impl fmt::Display for SurfaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Title => "title",
            Self::Subtitle => "subtitle",
            Self::Description => "description",
            Self::Attribute => "attribute",
            Self::Brand => "brand",
            Self::SellerName => "seller name",
            Self::PictureText => "picture text",
            Self::Review => "review",
            Self::Spoken => "spoken",
            Self::Danmaku => "danmaku",
            Self::Shelf => "shelf",
        })
    }
}

/// Reads a text or a number as text; `null` is absent.
pub(super) fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Option<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }
        fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
            Ok(Some(text))
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }
        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }
        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(value.to_string()))
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_any(Visitor)
        }
    }
    deserializer.deserialize_any(Visitor)
}

pub(super) fn text_lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text_or_number(deserializer)?.unwrap_or_default())
}

fn object_lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let object = Option::<Map<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(object.into_iter().map(|(name, value)| (name, as_text(value))).collect())
}

/// Numbers and booleans become texts, so that every attribute can be matched.
fn as_text(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Value::String(texts.join("; "))
        }
        other => other,
    }
}

fn texts_lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
        None(()),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text],
        Texts::Many(texts) => texts,
        Texts::None(()) => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_title_is_required_and_unknown_fields_stay() {
        let listing: Listing =
            serde_json::from_str(r#"{"title":"云雀 跑鞋","shelf_life":3,"id":42,"price":null}"#).unwrap();
        assert_eq!(listing.id, "42");
        assert_eq!(listing.other["shelf_life"], 3);
        assert!(serde_json::from_str::<Listing>(r#"{"id":"1"}"#).is_err());
        let back = serde_json::to_value(&listing).unwrap();
        assert_eq!(back["shelf_life"], 3);
    }

    #[test]
    fn the_shelf_of_a_moment_is_what_was_pinned_last_at_its_newest_price() {
        let room: Listing = serde_json::from_str(
            r#"{"title":"t","timeline":[
            {"at_ms":10,"kind":"shelf","goods":{"id":"1","price":{"amount":"9.9","currency":"CNY"}}},
            {"at_ms":20,"kind":"shelf","goods":{"id":"1","price":{"amount":"19.9","currency":"CNY"},"state":"listed"}},
            {"at_ms":25,"kind":"shelf","goods":{"id":"2","state":"listed"}},
            {"at_ms":30,"kind":"shelf","goods":{"id":"1","state":"gone"}}]}"#,
        )
        .unwrap();
        let told =
            |at| room.moment(at).goods.map(|goods| (goods.id, goods.price.map(|price| price.amount.to_string())));
        assert_eq!(told(9), None);
        assert_eq!(told(10), Some(("1".into(), Some("9.9".into()))));
        assert_eq!(told(29), Some(("1".into(), Some("19.9".into()))));
        assert_eq!(told(30), None);
    }

    #[test]
    fn a_surface_is_found_again_by_its_path() {
        let listing: Listing = serde_json::from_str(
            r#"{"title":"t","attributes":{"品牌":"云雀","重量":3},"timeline":[{"text":"a"},{"text":"b","kind":"danmaku"}]}"#,
        )
        .unwrap();
        assert_eq!(listing.surface_text("attributes.品牌"), Some("云雀"));
        assert_eq!(listing.surface_text("attributes.重量"), Some("3"));
        assert_eq!(listing.surface_text("timeline[1].text"), Some("b"));
        assert_eq!(listing.surfaces().last().unwrap().kind, SurfaceKind::Danmaku);
    }
}
