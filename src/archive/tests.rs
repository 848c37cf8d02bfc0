//! The archive beside what it was made of: nothing that has a rule's words is left out, no damage goes unseen.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use proptest::prelude::*;

use super::*;
use crate::{
    model::{Listing, ListingId, SystemClock},
    rules::Needles,
    store::{Batch, Settings, SledStore, Store, Write},
    text::fold_surfaces,
};

const WORDS: [&str; 6] = ["国家级", "最佳", "野生江鱼", "best", "云", "雲雀"];

fn store(folder: &Path) -> SledStore {
    SledStore::open(folder, &Settings::default(), Arc::new(SystemClock)).unwrap()
}

fn listing(n: usize, text: &str) -> Listing {
    Listing { id: n.to_string(), title: format!("第{n}号 {text}"), ..Listing::default() }
}

async fn put(store: &SledStore, listings: impl IntoIterator<Item = Listing>) {
    let writes = listings.into_iter().map(|listing| {
        let id = ListingId::new(&listing.id).unwrap();
        Write::Listing { id, listing, capture: None }
    });
    store.apply(Batch { actor: "test".into(), writes: writes.collect() }).await.unwrap();
}

/// Titles that the archive shows for `needles`.
fn shown(archive: &Archive, needles: Option<&Needles>) -> Result<(BTreeSet<String>, Covered), ArchiveError> {
    let stop = AtomicBool::new(false);
    let scan = Scan { needles, reaches: None, stop: &stop, progress: &|_| {}, threads: 2 };
    let see = |seen: &mut BTreeSet<String>, listing: &Listing| {
        seen.insert(listing.title.clone());
    };
    let (parts, covered) = archive.scan(scan, BTreeSet::new, see)?;
    Ok((parts.into_iter().flatten().collect(), covered))
}

fn has(listing: &Listing, word: &str) -> bool {
    let word = crate::text::fold(word);
    fold_surfaces(listing).iter().any(|surface| surface.folded.text().contains(&word))
}

fn folded(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| crate::text::fold(word)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_shows_what_has_a_word_follows_its_store_and_is_built_anew_when_it_is_foreign() {
    let place = tempfile::tempdir().unwrap();
    let store = store(&place.path().join("data"));
    let folder = place.path().join("archive");
    let texts =
        ["国·家·级 毛巾", "最 佳 选择", "野生 江 鱼", "BEST 手机壳", "白云", "雲雀 女鞋", "江鱼 不是野生", "毛巾"];
    let listings: Vec<Listing> = (0..300).map(|n| listing(n, texts[n % texts.len()])).collect();
    put(&store, listings.clone()).await;
    // What blocks here is not the test's matter.
    let refreshed =
        || tokio::task::block_in_place(|| refresh(&folder, &store, 2, &AtomicBool::new(false), &|_| {})).unwrap();
    let archive = refreshed();
    assert_eq!((archive.manifest().listings, archive.manifest().segments.len()), (300, 1));
    for word in WORDS {
        let (titles, covered) = shown(&archive, Some(&Needles::any_of(folded(&[word])))).unwrap();
        for listing in listings.iter().filter(|listing| has(listing, word)) {
            assert!(titles.contains(&listing.title), "{word}: {}", listing.title);
        }
        assert!(!titles.is_empty() && covered.shown < 100, "{word}: {covered:?}");
        assert_eq!((covered.listings, covered.partial), (300, false));
    }
    assert_eq!(shown(&archive, None).unwrap().1.shown, 300);

    // Changed, added: followed, without reading everything again.
    let first = archive.manifest().segments.clone();
    put(&store, [listing(0, "特供 毛巾"), listing(1000, "特供 酒")]).await;
    let archive = refreshed();
    assert_ne!(archive.manifest().segments, first);
    assert_eq!(archive.manifest().listings, 301);
    let (titles, _) = shown(&archive, Some(&Needles::any_of(folded(&["特供"])))).unwrap();
    assert_eq!(titles.len(), 2);
    let (titles, _) = shown(&archive, Some(&Needles::any_of(folded(&["国家级"])))).unwrap();
    assert!(!titles.contains("第0号 国·家·级 毛巾"), "an older state does not count");
    let seq = archive.manifest().seq;
    assert_eq!(refreshed().manifest().seq, seq, "nothing changed");

    // Another store's archive is not taken for this one's.
    let other = self::store(&place.path().join("other"));
    put(&other, [listing(5, "别家")]).await;
    let archive =
        tokio::task::block_in_place(|| refresh(&folder, &other, 1, &AtomicBool::new(false), &|_| {})).unwrap();
    assert_eq!(shown(&archive, None).unwrap().0, BTreeSet::from(["第5号 别家".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_in_two_segments_counts_once_and_a_stop_says_that_it_is_partial() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    // Two segments by hand: the second holds a newer state of a listing of the first.
    let write = |name: &str, listings: &[Listing]| {
        let mut writer = segment::Writer::create(&folder.join(name)).unwrap();
        for block in listings.chunks(segment::BLOCK) {
            writer.push(segment::Block::pack(block).unwrap()).unwrap();
        }
        writer.finish().unwrap();
    };
    let old: Vec<Listing> = (0..40).map(|n| listing(n, "旧")).collect();
    write("1.seg", &old);
    write("2.seg", &[listing(7, "新")]);
    let mut manifest = Manifest { segments: vec!["1.seg".into(), "2.seg".into()], ..Manifest::default() };
    (manifest.listings, manifest.outdated) = Archive::counted(folder, &manifest).unwrap();
    assert_eq!((manifest.listings, manifest.outdated), (40, 1));
    folder::put(folder, manifest, (&Verdicts::default(), &Prices::default())).unwrap();
    let archive = Archive::open(folder).unwrap();
    let (titles, covered) = shown(&archive, None).unwrap();
    assert!(titles.contains("第7号 新") && !titles.contains("第7号 旧"));
    assert_eq!((titles.len(), covered.listings), (40, 40));
    let stop = AtomicBool::new(true);
    let scan = Scan { needles: None, reaches: None, stop: &stop, progress: &|_| {}, threads: 1 };
    let (_, covered) = archive.scan(scan, || (), |(), _| {}).unwrap();
    assert_eq!(covered, Covered { listings: 0, shown: 0, partial: true });
}

#[tokio::test(flavor = "multi_thread")]
async fn any_changed_byte_of_an_archive_is_seen_and_it_is_built_anew() {
    let place = tempfile::tempdir().unwrap();
    let store = store(&place.path().join("data"));
    let folder = place.path().join("archive");
    put(&store, (0..40).map(|n| listing(n, WORDS[n % WORDS.len()]))).await;
    let archive =
        tokio::task::block_in_place(|| refresh(&folder, &store, 2, &AtomicBool::new(false), &|_| {})).unwrap();
    let needles = Needles::any_of(folded(&WORDS));
    let right = (shown(&archive, Some(&needles)).unwrap(), shown(&archive, None).unwrap());
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let places = (0..bytes.len()).step_by((bytes.len() / 150).max(1));
        for at in places {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x10;
            fs::write(&path, &wrong).unwrap();
            let told = Archive::open(&folder)
                .and_then(|archive| Ok((shown(&archive, Some(&needles))?, shown(&archive, None)?)));
            match told {
                // Groups that no word asks for are not looked at.
                Ok(told) => assert_eq!(told, right, "{} at {at}", path.display()),
                Err(error) => {
                    assert!(error.is_mended_by_building(), "{error}");
                    seen += 1;
                }
            }
        }
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            fs::write(&path, &bytes[..cut]).unwrap();
            assert!(Archive::open(&folder).is_err(), "{} cut at {cut}", path.display());
        }
        let archive =
            tokio::task::block_in_place(|| refresh(&folder, &store, 2, &AtomicBool::new(false), &|_| {})).unwrap();
        assert_eq!(shown(&archive, None).unwrap(), right.1);
        if !path.exists() {
            break;
        }
    }
    assert!(seen > 150, "{seen} changes were seen");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_stands_in_a_listing_is_found_by_any_stretch_of_it(text in "[云雀國家·Ａbc 1️⃣最佳]{1,12}", from in 0_usize..12, length in 1_usize..5) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("1.seg");
        let listing = Listing { title: text, ..Listing::default() };
        let mut writer = segment::Writer::create(&path).unwrap();
        writer.push(segment::Block::pack(std::slice::from_ref(&listing)).unwrap()).unwrap();
        writer.finish().unwrap();
        let segment = segment::Segment::open(&path).unwrap();
        let all: Vec<char> = crate::text::fold(&listing.title).chars().collect();
        let word: String = all.iter().skip(from).take(length).collect();
        let found = candidates::candidates(&segment, &Needles::any_of(vec![word])).unwrap();
        prop_assert!(found.has(0));
        let absent = candidates::candidates(&segment, &Needles::any_of(vec!["无此词".into()])).unwrap();
        prop_assert!(!absent.has(0));
        prop_assert_eq!(segment.listings(0, |_| true, &mut segment::Unpacker::new().unwrap()).unwrap(), vec![listing]);
    }

    #[test]
    fn any_bytes_are_no_segment(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("1.seg");
        fs::write(&path, &bytes).unwrap();
        prop_assert!(segment::Segment::open(&path).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_categories_that_cannot_matter_are_left_out_and_those_not_told_are_not() {
    let place = tempfile::tempdir().unwrap();
    let store = store(&place.path().join("data"));
    let of = |n: usize, category: &[&str]| {
        let category = category.iter().map(|part| (*part).to_owned()).collect();
        Listing { category, ..listing(n, "国家级") }
    };
    let long = "食".repeat(2_000);
    let all = [
        of(0, &["食品", "茶"]),
        of(1, &["家居"]),
        of(2, &[]),
        of(3, &["食品\u{1f}茶"]),
        of(4, &[&long]),
        of(5, &["家居"]),
    ];
    put(&store, all).await;
    let folder = place.path().join("archive");
    let stop = AtomicBool::new(false);
    let archive =
        tokio::task::block_in_place(|| refresh(&folder, &store, 2, &AtomicBool::new(false), &|_| {})).unwrap();
    let asked = std::sync::Mutex::new(Vec::new());
    let reaches = |category: &[&str]| {
        asked.lock().unwrap().push(category.join("/"));
        category != ["家居"] && category != ["食品", "茶"]
    };
    let needles = Needles::any_of(folded(&["国家级"]));
    let scan = Scan { needles: Some(&needles), reaches: Some(&reaches), stop: &stop, progress: &|_| {}, threads: 1 };
    let see = |seen: &mut BTreeSet<String>, listing: &Listing| {
        seen.insert(listing.id.clone());
    };
    let (parts, covered) = archive.scan(scan, BTreeSet::new, see).unwrap();
    let seen: Vec<String> = parts.into_iter().flatten().collect();
    assert_eq!(seen, ["2", "3", "4"]);
    assert_eq!((covered.listings, covered.shown), (6, 3));
    let mut asked = asked.into_inner().unwrap();
    asked.sort();
    assert_eq!(asked, ["", "家居", "食品/茶"], "each once");
}
