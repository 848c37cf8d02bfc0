//! How hits are held against each other: who sells, what the listing says, what was found.
//!
//! [`Likeness`] is what is kept of a hit for it. Two hits are near-identical where the same was found in listings of one
//! seller that read almost alike, or in any two that read alike but for a few characters.

use sha2::{Digest, Sha256};

use crate::model::{Fingerprint, Hit, Listing};

/// Bits in which near-identical listings of one seller may differ.
const SAME_SELLER_BITS: u32 = 12;
/// Bits in which near-identical listings of two sellers may differ.
const OTHER_SELLER_BITS: u32 = 3;
/// Characters of a description that count.
const DESCRIPTION_CHARS: usize = 1_000;

/// A hit as it is held against others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// The seller; 0 where nothing names them.
    pub seller: u64,
    /// The listing, however often it was captured.
    pub listing: u64,
    /// What was found, for whom.
    pub found: u64,
    /// How the listing reads: alike texts differ in few bits.
    pub reads: Fingerprint,
    /// Seller, content to the letter, what was found where, and by which version: a dismissal is good for the same again.
    pub same: u64,
}

impl Likeness {
    /// Of `hit`.
    pub fn of(hit: &Hit) -> Self {
        let (what, listing) = (&hit.what, &hit.what.listing);
        let mut words: Vec<String> = what
            .findings
            .iter()
            .map(|finding| format!("{}\u{1f}{}", finding.reference, finding.text.to_lowercase()))
            .collect();
        words.sort_unstable();
        words.dedup();
        let mut findings: Vec<String> = what
            .findings
            .iter()
            .map(|finding| {
                let version = finding.version.unwrap_or(0);
                [&*finding.reference, &version.to_string(), &finding.word, &finding.surface, &finding.text]
                    .join("\u{1f}")
            })
            .collect();
        findings.sort_unstable();
        let seller = seller_key(listing);
        let texts: Vec<String> =
            listing.surfaces().iter().map(|surface| format!("{}\u{1f}{}", surface.path, surface.text)).collect();
        let same = [seller.to_string(), what.family.clone(), findings.join("\u{1e}"), texts.join("\u{1e}")];
        Self {
            seller,
            listing: listing_key(listing),
            found: key([what.family.as_str()].into_iter().chain(words.iter().map(String::as_str))),
            reads: reads(listing),
            same: key(same.iter().map(String::as_str)),
        }
    }

    /// Whether one decision is good for both.
    pub fn is_near(&self, other: &Self) -> bool {
        let bits = self.distance(other);
        let seller = self.seller != 0 && self.seller == other.seller;
        self.found == other.found && bits <= if seller { SAME_SELLER_BITS } else { OTHER_SELLER_BITS }
    }

    /// In how many of 64 bits the listings read otherwise.
    pub fn distance(&self, other: &Self) -> u32 {
        self.reads.distance(other.reads)
    }
}

/// The seller of a listing as a number; 0 where nothing names them.
pub fn seller_key(listing: &Listing) -> u64 {
    let seller = listing.seller.as_ref();
    let Some(name) = seller.and_then(|seller| seller.id.as_deref().or(seller.name.as_deref())) else { return 0 };
    key(["seller", listing.platform.as_deref().unwrap_or(""), name])
}

/// The listing as a number: the same for each capture of it.
pub fn listing_key(listing: &Listing) -> u64 {
    let name = if listing.id.is_empty() { listing.url.as_deref().unwrap_or(&listing.title) } else { &listing.id };
    key(["listing", listing.platform.as_deref().unwrap_or(""), name])
}

/// Never 0.
fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().first_chunk().map_or(1, |bytes| u64::from_le_bytes(*bytes)).max(1)
}

/// Of the letters of title and description; digits, spaces and signs do not count.
fn reads(listing: &Listing) -> Fingerprint {
    let description = listing.description.as_deref().unwrap_or("");
    let characters = listing.title.chars().chain(description.chars().take(DESCRIPTION_CHARS));
    Fingerprint::of(characters.filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(title: &str, seller: &str, description: &str) -> Hit {
        let finding = r#"{"kind":"mark","ref":"m","family":"f","surface":"title","start":0,"end":2,"text":"云雀","channels":[],
            "score":0.9,"severity":"high","citation":"","explanation":[]}"#;
        let listing = serde_json::json!({"title": title, "description": description, "platform": "星集", "seller": {"name": seller}});
        serde_json::from_str(&format!(
            r#"{{"id":1,"dedupe":"0","listing":{listing},"family":"f","findings":[{finding}],"priority":200,
            "severity":"high","capture":null,"evidence":null,"matched_with":"","found_at":"2026-11-20T08:00:00Z","state":"open"}}"#
        ))
        .unwrap()
    }

    fn near(one: &Hit, other: &Hit) -> bool {
        Likeness::of(one).is_near(&Likeness::of(other))
    }

    #[test]
    fn the_same_template_of_one_seller_is_near_and_another_article_is_not() {
        let text = "云雀同厂同料，鞋底防滑耐磨，尺码三十六到四十五，拍下备注颜色，工厂直发，支持验货。";
        let one = hit("2026新款 云雀 气垫跑鞋 男女同款 36码", "莆仙优品", text);
        let other = hit("2026新款 云雀 气垫跑鞋 男女同款 37码", "莆仙优品", text);
        let elsewhere =
            hit("云雀 保温杯 大容量 不锈钢 学生水杯", "莆仙优品", "食品级内胆，倒置不漏，送清洁刷与杯套一只。");
        assert!(near(&one, &other));
        assert!(!near(&one, &elsewhere));
        assert!(near(&one, &hit("2026新款 云雀 气垫跑鞋 男女同款 38码", "另一家", text)), "a clone of another seller");
    }

    #[test]
    fn a_dismissal_is_good_for_the_same_content_to_the_letter() {
        let one = Likeness::of(&hit("云雀 跑鞋", "甲", "好"));
        assert_eq!(one.same, Likeness::of(&hit("云雀 跑鞋", "甲", "好")).same);
        assert_ne!(one.same, Likeness::of(&hit("云雀 跑鞋", "甲", "好！")).same, "the content changed");
        assert_ne!(one.same, Likeness::of(&hit("云雀 跑鞋", "乙", "好")).same, "another seller");
        let mut newer = hit("云雀 跑鞋", "甲", "好");
        newer.what.findings[0].version = Some(2);
        assert_ne!(one.same, Likeness::of(&newer).same, "another version of the rule");
    }
}
