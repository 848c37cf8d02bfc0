//! The same goods under several addresses and sellers: what is told, how often it is right, and how much of it is found.

use std::{collections::BTreeMap, sync::Arc};

use markwarden::{
    crawl::Coverage,
    model::{Listing, ListingId, SystemClock},
    monitor::SeenAs,
    store::{Batch, MemoryStore, Store, Write},
};

/// Listings with what they offer, in a store whose journal a coverage has followed.
struct Shelf {
    store: MemoryStore,
    coverage: Coverage,
    _folder: tempfile::TempDir,
}

impl Shelf {
    async fn of(listings: impl Iterator<Item = Listing>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::new(Arc::new(SystemClock));
        let coverage = Coverage::open(&folder.path().join("coverage")).unwrap();
        for listing in listings {
            let write = Write::Listing { id: ListingId::new(&listing.id).unwrap(), listing, capture: None };
            store.apply(Batch { actor: "test".into(), writes: vec![write] }).await.unwrap();
        }
        coverage.follow(&store).await.unwrap();
        Self { store, coverage, _folder: folder }
    }

    /// The other listings of the same goods, as the program tells them.
    async fn also_seen(&self, id: &ListingId) -> Vec<SeenAs> {
        let own = self.store.listing(id).await.unwrap().unwrap().listing;
        let mut seen = Vec::new();
        for alike in self.coverage.near_copies(id).unwrap().listings {
            let other = self.store.listing(&alike.listing).await.unwrap().unwrap();
            seen.extend(SeenAs::of(&own, &alike.listing, &other));
        }
        seen
    }
}

fn fixture() -> Vec<(String, Listing)> {
    let text = std::fs::read_to_string("fixtures/alike/listings.jsonl").unwrap();
    let listings = text.lines().map(|line| {
        let mut listing: Listing = serde_json::from_str(line).unwrap();
        let goods = listing.other.remove("goods").unwrap();
        (goods.as_str().unwrap().to_owned(), listing)
    });
    listings.collect()
}

#[tokio::test]
async fn what_is_told_to_be_the_same_goods_is_and_most_of_it_is_found() {
    let listings = fixture();
    let goods: BTreeMap<String, &str> =
        listings.iter().map(|(goods, listing)| (listing.id.clone(), goods.as_str())).collect();
    let shelf = Shelf::of(listings.iter().map(|(_, listing)| listing.clone())).await;
    let (mut right, mut wrong, mut all) = (0, Vec::new(), 0);
    for (own, listing) in &listings {
        let id = ListingId::new(&listing.id).unwrap();
        all += goods.values().filter(|other| *other == own).count() - 1;
        for seen in shelf.also_seen(&id).await {
            if goods[seen.listing.as_str()] == own {
                right += 1
            } else {
                wrong.push((listing.title.clone(), seen.title))
            }
        }
    }
    println!("{right} right and {} wrong of {all}", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(right * 10 >= all * 4, "{right} of {all} are found");
    // The same text in other characters, signs and emoji is always found.
    for goods in listings.chunks(7).take(10) {
        let original = ListingId::new(&goods[0].1.id).unwrap();
        let seen = shelf.also_seen(&original).await;
        for (_, dressed) in [&goods[1], &goods[3], &goods[4]] {
            assert!(seen.iter().any(|seen| seen.listing.as_str() == dressed.id), "{}", dressed.title);
        }
        let same = |id: &str| seen.iter().find(|seen| seen.listing.as_str() == id).and_then(|seen| seen.same_seller);
        assert_eq!((same(&goods[1].1.id), same(&goods[4].1.id)), (Some(true), Some(false)));
    }
}

#[tokio::test]
async fn a_listing_that_becomes_another_is_no_longer_told() {
    let listings = fixture();
    let shelf = Shelf::of(listings.iter().take(2).map(|(_, listing)| listing.clone())).await;
    let (first, second) = (ListingId::new(&listings[0].1.id).unwrap(), ListingId::new(&listings[1].1.id).unwrap());
    assert_eq!(shelf.also_seen(&first).await.len(), 1);
    let other = Listing { id: second.to_string(), ..listings[7].1.clone() };
    let write = Write::Listing { id: second.clone(), listing: other, capture: None };
    shelf.store.apply(Batch { actor: "test".into(), writes: vec![write] }).await.unwrap();
    assert!(!shelf.coverage.follow_some(&shelf.store, 1).await.unwrap(), "one change may not be all of them");
    assert!(shelf.coverage.follow_some(&shelf.store, 1).await.unwrap());
    assert!(shelf.also_seen(&first).await.is_empty());
}
