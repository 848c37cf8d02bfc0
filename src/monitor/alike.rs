//! Whether two listings that read alike offer the same goods. Pure.
//!
//! [`Coverage::near_copies`](crate::crawl::Coverage::near_copies) finds what may be; here the listings themselves are held
//! against each other. Goods of one template, and models of one series, read alike too: what tells them apart stands in a
//! few characters, a brand or a number, and that is what is asked for.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    crawl::seller_key,
    model::{Listing, ListingId, Timestamp},
    store::StoredListing,
    text::fold,
};

/// Least share of pairs of characters that the texts have in common, and that the titles have.
const TEXTS: f64 = 0.9;
const TITLES: f64 = 0.7;
/// Characters of a description that count.
const MAX_CHARS: usize = 8_000;
/// The property that names a brand.
const BRAND: &str = "品牌";

/// Another listing of the same goods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenAs {
    /// Its identity.
    pub listing: ListingId,
    /// Its headline.
    pub title: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The marketplace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The name of who offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<String>,
    /// Whether one seller offers both; nothing where one of them names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_seller: Option<bool>,
    /// The share of pairs of neighboring characters, folded, that both texts have: 1 where they read the same.
    pub share: f64,
    /// When it was seen last.
    pub last_seen: Timestamp,
}

impl SeenAs {
    /// `other`, if it offers the same goods as `own`.
    pub fn of(own: &Listing, id: &ListingId, other: &StoredListing) -> Option<Self> {
        let (last_seen, other) = (other.last_seen, &other.listing);
        let share = same_goods(own, other)?;
        Some(Self {
            listing: id.clone(),
            title: other.title.clone(),
            url: other.url.clone(),
            platform: other.platform.clone(),
            seller: other.seller.as_ref().and_then(|seller| seller.name.clone().or_else(|| seller.id.clone())),
            same_seller: seller_key(own).zip(seller_key(other)).map(|(own, other)| own == other),
            share,
            last_seen,
        })
    }
}

/// What share of their texts two listings have in common that offer the same goods, by what they say of them; nothing where
/// they do not.
///
/// Texts must share nine tenths of their pairs of characters and titles seven, and neither a brand that both state nor a
/// number of the titles (`65w`, `iphone15`, `500g`) may be another.
pub fn same_goods(one: &Listing, other: &Listing) -> Option<f64> {
    let brands = brand(one).zip(brand(other));
    let titles = (fold(&one.title), fold(&other.title));
    let differ = brands.is_some_and(|(one, other)| one != other) || numbers(&one.title) != numbers(&other.title);
    if differ || common(&titles.0, &titles.1) < TITLES {
        return None;
    }
    Some(common(&text(one), &text(other))).filter(|share| *share >= TEXTS)
}

fn text(listing: &Listing) -> String {
    let parts = [Some(listing.title.as_str()), listing.subtitle.as_deref(), listing.description.as_deref()];
    fold(&parts.into_iter().flatten().flat_map(str::chars).take(MAX_CHARS).collect::<String>())
}

fn brand(listing: &Listing) -> Option<String> {
    let stated = listing.brand.as_deref().or_else(|| listing.attribute(BRAND))?;
    Some(fold(stated)).filter(|brand| !brand.is_empty())
}

/// Words of digits and Latin letters that hold a digit, folded, each as often as it stands.
fn numbers(title: &str) -> Vec<String> {
    let folded: Vec<String> = title.split_whitespace().map(fold).collect();
    let words = folded.iter().flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric()));
    let mut numbers: Vec<String> =
        words.filter(|word| word.contains(|c: char| c.is_ascii_digit())).map(str::to_owned).collect();
    numbers.sort_unstable();
    numbers
}

/// Sørensen and Dice's coefficient over pairs of neighboring characters, each counted as often as it stands.
fn common(one: &str, other: &str) -> f64 {
    let mut pairs: HashMap<(char, char), u32> = HashMap::new();
    for pair in one.chars().zip(one.chars().skip(1)) {
        *pairs.entry(pair).or_default() += 1;
    }
    let of_one: u32 = pairs.values().sum();
    let (mut of_other, mut both) = (0_u32, 0_u32);
    for pair in other.chars().zip(other.chars().skip(1)) {
        of_other += 1;
        if let Some(left) = pairs.get_mut(&pair).filter(|left| **left > 0) {
            *left -= 1;
            both += 1;
        }
    }
    if of_one + of_other == 0 {
        f64::from(u8::from(one == other))
    } else {
        2.0 * f64::from(both) / f64::from(of_one + of_other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listing(title: &str, brand: &str, description: &str) -> Listing {
        let brand = (!brand.is_empty()).then(|| brand.to_owned());
        Listing { title: title.into(), brand, description: Some(description.into()), ..Listing::default() }
    }

    const TEXT: &str =
        "面料亲肤透气，领口不易变形，机洗不起球。尺码偏大一码，拍前请看尺码表，支持七天无理由退换，工厂直发包邮。";

    #[test]
    fn numbers_and_brands_tell_goods_apart_that_read_alike() {
        let one = listing("鲸闪充 65W 氮化镓充电器", "鲸闪充", TEXT);
        assert_eq!(
            same_goods(&one, &listing("【鲸闪充】氮化镓充电器 ６５w", "", TEXT)).map(|share| share > 0.9),
            Some(true)
        );
        assert_eq!(same_goods(&one, &listing("鲸闪充 100W 氮化镓充电器", "鲸闪充", TEXT)), None);
        assert_eq!(same_goods(&one, &listing("鲸闪充 65W 氮化镓充电器", "云雀", TEXT)), None);
        assert_eq!(same_goods(&one, &listing("纯棉短袖 女 夏季 宽松", "", TEXT)), None, "one template for other goods");
        assert_eq!(same_goods(&one, &listing("鲸闪充 65W 氮化镓充电器", "鲸闪充", "另有说明")), None);
    }

    proptest! {
        #[test]
        fn the_share_lies_between_nothing_and_all_and_is_the_same_both_ways(one in "\\PC{0,40}", other in "\\PC{0,40}") {
            let share = common(&one, &other);
            prop_assert!((0.0..=1.0).contains(&share), "{share}");
            prop_assert_eq!(share, common(&other, &one));
            prop_assert_eq!(common(&one, &one), 1.0);
        }
    }
}
