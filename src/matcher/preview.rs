//! What marks would find in listings that are known already, before they go live.

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Date;
use serde::Serialize;

use super::{Matcher, Settings, surprise::is_everyday_word};
use crate::{
    marks::Register,
    model::{Channel, Finding, Listing, Mark, SellerLists},
    text::fold,
};

/// Share of listings above which a mark reads like an everyday word, whatever the dictionary says.
const COMMON_SHARE: f64 = 0.02;
/// Listings that have to be seen before a share says anything.
const ENOUGH: usize = 200;

/// What one mark would find.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The mark's id.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Its registered words.
    pub text: String,
    /// Listings that were looked at.
    pub listings: usize,
    /// Listings in which it would be queued.
    pub queued: usize,
    /// Listings in which it was found and only set aside.
    pub set_aside: usize,
    /// How many listings each way of writing would be queued in; those written plainly under none.
    #[serde(serialize_with = "by_name")]
    pub by_channel: BTreeMap<Option<Channel>, usize>,
    /// Some that would be queued: the first of all, and the first of each platform.
    pub samples: Vec<Sample>,
    /// Why it may find more than it should, in English; none when nothing speaks for that.
    pub warning: Option<String>,
}

impl Preview {
    /// Whether a listing of `platform` is kept as a sample, where so many are.
    fn wants(&self, platform: &str, samples: usize) -> bool {
        let new = || !self.samples.iter().any(|sample| sample.platform == platform);
        self.samples.len() < samples || (self.samples.len() < 2 * samples && new())
    }
}

/// A listing in which a mark would be queued.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// The listing's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its platform; empty where it names none.
    pub platform: String,
    /// The strongest finding of the mark there.
    pub finding: Finding,
}

/// Looks at listings one after the other.
#[derive(Debug)]
pub struct Previewer {
    matcher: Matcher,
    previews: BTreeMap<String, Preview>,
    order: Vec<String>,
    samples: usize,
    listings: usize,
}

impl Previewer {
    /// For `marks`, keeping up to `samples` listings of each.
    pub fn new(marks: Vec<Mark>, samples: usize) -> Self {
        let order: Vec<String> = marks.iter().map(|mark| mark.id.as_str().to_owned()).collect();
        let preview = |mark: &Mark| Preview {
            reference: mark.id.as_str().to_owned(),
            text: mark.text.clone(),
            listings: 0,
            queued: 0,
            set_aside: 0,
            by_channel: BTreeMap::new(),
            samples: Vec::new(),
            warning: None,
        };
        let previews = marks.iter().map(|mark| (mark.id.as_str().to_owned(), preview(mark))).collect();
        let matcher = Matcher::new(Arc::new(Register::new(marks)), None, Settings::default());
        Self { matcher, previews, order, samples, listings: 0 }
    }

    /// Asks these lists of sellers too.
    #[must_use]
    pub fn with_sellers(mut self, sellers: Arc<SellerLists>) -> Self {
        self.matcher = self.matcher.with_sellers(sellers);
        self
    }

    /// Looks at one listing under the law of `on`.
    pub fn see(&mut self, listing: &Listing, on: Date) {
        self.listings += 1;
        let findings = self.matcher.check(listing, on);
        let mut queued: BTreeMap<&str, &Finding> = BTreeMap::new();
        for finding in &findings.findings {
            // The strongest comes first.
            queued.entry(finding.reference.as_str()).or_insert(finding);
        }
        for (reference, finding) in &queued {
            let Some(preview) = self.previews.get_mut(*reference) else { continue };
            preview.queued += 1;
            let mut ways: Vec<Option<Channel>> = finding.channels.iter().copied().map(Some).collect();
            if ways.is_empty() {
                ways.push(None);
            }
            ways.into_iter().for_each(|way| *preview.by_channel.entry(way).or_default() += 1);
            let platform = listing.platform.clone().unwrap_or_default();
            if preview.wants(&platform, self.samples) {
                let (id, title) = (listing.id.clone(), listing.title.clone());
                preview.samples.push(Sample { id, title, platform, finding: (*finding).clone() });
            }
        }
        let mut aside: Vec<&str> = findings.suppressed.iter().map(|finding| finding.reference.as_str()).collect();
        aside.sort_unstable();
        aside.dedup();
        for reference in aside.into_iter().filter(|reference| !queued.contains_key(reference)) {
            if let Some(preview) = self.previews.get_mut(reference) {
                preview.set_aside += 1;
            }
        }
    }

    /// Takes in what another, for the same marks, saw.
    pub fn merge(&mut self, other: Self) {
        self.listings += other.listings;
        for (reference, seen) in other.previews {
            let Some(preview) = self.previews.get_mut(&reference) else { continue };
            preview.queued += seen.queued;
            preview.set_aside += seen.set_aside;
            for (way, many) in seen.by_channel {
                *preview.by_channel.entry(way).or_default() += many;
            }
            for sample in seen.samples {
                if preview.wants(&sample.platform, self.samples) {
                    preview.samples.push(sample);
                }
            }
        }
    }

    /// What was found, in the order of the marks.
    pub fn finish(mut self) -> Vec<Preview> {
        let listings = self.listings;
        let previews = self.order.iter().filter_map(|reference| self.previews.remove(reference));
        previews
            .map(|mut preview| {
                preview.listings = listings;
                preview.warning = warning(&preview);
                preview
            })
            .collect()
    }
}

fn by_name<S: serde::Serializer>(ways: &BTreeMap<Option<Channel>, usize>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        ways.iter().map(|(way, many)| (way.map_or_else(|| "plain".to_owned(), |way| way.to_string()), many)),
    )
}

fn warning(preview: &Preview) -> Option<String> {
    let codes: Vec<u32> = fold(&preview.text).chars().map(|c| c as u32).collect();
    let found = preview.queued + preview.set_aside;
    if codes.len() < 2 {
        Some("a single character: it is queued only where the offer names it as its brand".to_owned())
    } else if is_everyday_word(&codes) {
        Some("a word of everyday language: expect findings that mean the word, not the mark".to_owned())
    } else if preview.listings >= ENOUGH && found as f64 > COMMON_SHARE * preview.listings as f64 {
        Some(format!("found in {found} of {} listings: it may be a word of the trade", preview.listings))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::import_csv;

    #[test]
    fn a_preview_counts_listings_keeps_samples_and_warns_of_everyday_words() {
        let marks = import_csv("marks.csv", "id,text,nice_classes\na,云雀记,25\nb,苹果,29\nc,从未见,9\n").unwrap();
        let on = "2026-11-26".parse().unwrap();
        // Two that look at a half each, as threads do.
        let mut halves = [Previewer::new(marks.clone(), 1), Previewer::new(marks, 1)];
        let titles = ["正品 云雀记 女鞋", "云·雀·记 云雀记", "适用于云雀记跑鞋的鞋带", "新鲜苹果 水果"];
        for (number, title) in titles.into_iter().enumerate() {
            halves[number % 2].see(&Listing { title: title.to_owned(), ..Listing::default() }, on);
        }
        let [mut previewer, other] = halves;
        previewer.merge(other);
        let [lark, fresh, never] = previewer.finish().try_into().unwrap();
        assert_eq!((lark.listings, lark.queued, lark.set_aside, lark.samples.len()), (4, 2, 1, 1));
        assert_eq!(lark.warning, None);
        assert!(fresh.warning.unwrap().contains("everyday"));
        assert_eq!((never.queued, never.set_aside, never.samples.len()), (0, 0, 0));
    }
}
