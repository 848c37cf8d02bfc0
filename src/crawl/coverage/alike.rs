//! Listings that read almost alike: the same goods under several addresses, or at several sellers.
//!
//! A [`Fingerprint`] a listing, over the folded text of its title, the line under it and its description, stands four times
//! in the table, each time turned by another 16 bits. Two that differ in three bits or fewer agree in one of their four
//! blocks of 16 whole (Manku, Jain, Das Sarma 2007), so that four short stretches of the table are looked through, and
//! nothing is held in memory. It follows the journal like versions do. Which of what is found is the same goods is decided
//! by who reads the listings themselves.

use sha2::{Digest, Sha256};

use super::{Coverage, CoverageError, HASH_BYTES};
use crate::{
    model::{Fingerprint, Listing, ListingId},
    text::fold,
};

/// Bits in which listings that read alike may differ.
pub const NEAR_BITS: u32 = 3;
/// Turns of a fingerprint: one more than the bits, or two could differ in every block.
const TURNS: u8 = 4;
/// Bits of a block.
const BLOCK: u32 = 16;
/// Units of the fold without which a text says too little.
const LEAST_UNITS: usize = 12;
/// Units of the fold that count.
const MAX_UNITS: usize = 4_000;
/// Characters of a text that are folded for them.
const MAX_CHARS: usize = 8_000;
/// Entries of one stretch of the table that are looked at.
const MAX_LOOKED_AT: usize = 20_000;
/// Listings that are named.
pub const MAX_ALIKE: usize = 50;

const OWN: u8 = b'n';
const TURNED: u8 = b't';
/// All is in the key.
const NOTHING: &[u8] = &[];

/// A listing that reads almost like another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// Which.
    pub listing: ListingId,
    /// In how many of 64 bits they differ.
    pub bits: u32,
}

/// What reads almost like a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NearCopies {
    /// The nearest first, at most [`MAX_ALIKE`].
    pub listings: Vec<Alike>,
    /// Whether there were more, or more to look at than is looked at.
    pub more: bool,
}

/// How `listing` reads; nothing where its text says too little.
pub fn fingerprint(listing: &Listing) -> Option<Fingerprint> {
    let parts = [Some(listing.title.as_str()), listing.subtitle.as_deref(), listing.description.as_deref()];
    let text: String = parts.into_iter().flatten().flat_map(str::chars).take(MAX_CHARS).collect();
    let units = fold(&text);
    (units.chars().take(LEAST_UNITS).count() == LEAST_UNITS).then(|| Fingerprint::of(units.chars().take(MAX_UNITS)))
}

impl Coverage {
    /// Listings whose texts read almost like that of `listing`, as far as the journal was [followed](Self::follow).
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn near_copies(&self, listing: &ListingId) -> Result<NearCopies, CoverageError> {
        let Some((own, _)) = self.own(listing)? else { return Ok(NearCopies::default()) };
        let mut near = NearCopies::default();
        for turn in 0..TURNS {
            let mut looked_at = 0;
            for entry in self.table.scan_prefix(block(turn, own)) {
                let (key, _) = entry.map_err(|error| self.failed(error))?;
                looked_at += 1;
                if looked_at > MAX_LOOKED_AT {
                    near.more = true;
                    break;
                }
                let Some((fingerprint, hash)) = turned_back(turn, &key) else { continue };
                let bits = own.distance(fingerprint);
                // What agrees in an earlier block was found there.
                let found_before = (0..turn).any(|turn| block(turn, own) == block(turn, fingerprint));
                if bits > NEAR_BITS || found_before || hash == hash_of(listing) {
                    continue;
                }
                if let Some((_, listing)) = self.own_of(hash)? {
                    near.listings.push(Alike { listing, bits });
                }
            }
        }
        near.listings.sort_by(|one, other| (one.bits, &one.listing).cmp(&(other.bits, &other.listing)));
        near.more |= near.listings.len() > MAX_ALIKE;
        near.listings.truncate(MAX_ALIKE);
        Ok(near)
    }

    /// Keeps how a listing reads, and no longer how it read.
    pub(super) fn reads(&self, id: &ListingId, listing: &Listing) -> Result<(), CoverageError> {
        let (before, now) = (self.own(id)?.map(|(before, _)| before), fingerprint(listing));
        if before == now {
            return Ok(());
        }
        let hash = hash_of(id);
        let mut batch = sled::Batch::default();
        for turn in 0..TURNS {
            if let Some(before) = before {
                batch.remove(turned(turn, before, hash));
            }
            if let Some(now) = now {
                batch.insert(turned(turn, now, hash), NOTHING);
            }
        }
        match now {
            Some(now) => batch.insert(own_key(hash), [&now.0.to_be_bytes(), id.as_str().as_bytes()].concat()),
            None => batch.remove(own_key(hash)),
        }
        self.table.apply_batch(batch).map_err(|error| self.failed(error))
    }

    fn own(&self, id: &ListingId) -> Result<Option<(Fingerprint, ListingId)>, CoverageError> {
        self.own_of(hash_of(id))
    }

    fn own_of(&self, hash: [u8; HASH_BYTES]) -> Result<Option<(Fingerprint, ListingId)>, CoverageError> {
        let found = self.table.get(own_key(hash)).map_err(|error| self.failed(error))?;
        Ok(found.and_then(|value| {
            let (bits, id) = value.split_first_chunk()?;
            let id = ListingId::new(std::str::from_utf8(id).ok()?).ok()?;
            Some((Fingerprint(u64::from_be_bytes(*bits)), id))
        }))
    }
}

fn hash_of(id: &ListingId) -> [u8; HASH_BYTES] {
    Sha256::digest(id.as_str()).first_chunk::<HASH_BYTES>().copied().unwrap_or_default()
}

fn own_key(hash: [u8; HASH_BYTES]) -> Vec<u8> {
    [&[OWN], hash.as_slice()].concat()
}

/// The fingerprint with block `turn` in front.
fn turn_by(turn: u8, fingerprint: Fingerprint) -> [u8; 8] {
    fingerprint.0.rotate_left(BLOCK * u32::from(turn)).to_be_bytes()
}

fn turned(turn: u8, fingerprint: Fingerprint, hash: [u8; HASH_BYTES]) -> Vec<u8> {
    [&[TURNED, turn], turn_by(turn, fingerprint).as_slice(), &hash].concat()
}

/// What the keys begin with of all fingerprints that agree in block `turn`.
fn block(turn: u8, fingerprint: Fingerprint) -> [u8; 4] {
    let [first, second, ..] = turn_by(turn, fingerprint);
    [TURNED, turn, first, second]
}

/// What stands in a key.
fn turned_back(turn: u8, key: &[u8]) -> Option<(Fingerprint, [u8; HASH_BYTES])> {
    let (bits, hash) = key.get(2..)?.split_first_chunk()?;
    let bits = u64::from_be_bytes(*bits).rotate_right(BLOCK * u32::from(turn));
    Some((Fingerprint(bits), hash.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(name: &str) -> ListingId {
        ListingId::new(name).unwrap()
    }

    fn listing(title: &str, description: &str) -> Listing {
        Listing { title: title.into(), description: Some(description.into()), ..Listing::default() }
    }

    fn coverage() -> (tempfile::TempDir, Coverage) {
        let folder = tempfile::tempdir().unwrap();
        let coverage = Coverage::open(&folder.path().join("coverage")).unwrap();
        (folder, coverage)
    }

    fn names(near: &NearCopies) -> Vec<&str> {
        near.listings.iter().map(|alike| alike.listing.as_str()).collect()
    }

    const TEXT: &str = "鞋面透气网布，中底缓震回弹，橡胶大底防滑耐磨。尺码标准，偏瘦脚型可拍小半码。工厂直发，支持验货，七天无理由退换。";

    #[test]
    fn a_copy_is_found_however_it_is_dressed_and_no_longer_once_it_reads_otherwise() {
        let (folder, coverage) = coverage();
        coverage.reads(&id("a:1"), &listing("云雀 气垫跑鞋 男女同款", TEXT)).unwrap();
        let dressed = TEXT.replace('，', "🔥").replace("橡胶", "橡\u{200b}膠");
        coverage.reads(&id("b:7"), &listing("【云雀】气垫跑鞋★男女同款", &dressed)).unwrap();
        let cup = "食品级内胆，倒置不漏，送清洁刷与杯套一只，保温十二小时，学生上班两用。";
        coverage.reads(&id("b:8"), &listing("云雀 保温杯 大容量", cup)).unwrap();
        let near = coverage.near_copies(&id("a:1")).unwrap();
        assert_eq!(near.listings, [Alike { listing: id("b:7"), bits: 0 }]);
        assert_eq!(names(&coverage.near_copies(&id("b:7")).unwrap()), ["a:1"]);
        assert_eq!(coverage.near_copies(&id("b:8")).unwrap(), NearCopies::default());
        assert_eq!(coverage.near_copies(&id("nobody")).unwrap(), NearCopies::default());
        drop(coverage);
        let coverage = Coverage::open(&folder.path().join("coverage")).unwrap();
        assert_eq!(names(&coverage.near_copies(&id("a:1")).unwrap()), ["b:7"], "after a restart too");
        coverage.reads(&id("b:7"), &listing("云雀 保温杯 大容量", cup)).unwrap();
        assert_eq!(coverage.near_copies(&id("a:1")).unwrap(), NearCopies::default());
        assert_eq!(names(&coverage.near_copies(&id("b:7")).unwrap()), ["b:8"]);
        coverage.reads(&id("b:8"), &listing("云雀", "")).unwrap();
        assert_eq!(coverage.near_copies(&id("b:7")).unwrap(), NearCopies::default(), "it says too little now");
        assert_eq!(coverage.table.scan_prefix([TURNED]).count(), 2 * usize::from(TURNS));
    }

    #[test]
    fn of_many_copies_the_first_are_named_and_it_is_said_that_there_are_more() {
        let (_folder, coverage) = coverage();
        for n in 0..=MAX_ALIKE {
            coverage.reads(&id(&format!("a:{n:03}")), &listing("云雀 气垫跑鞋", TEXT)).unwrap();
        }
        let near = coverage.near_copies(&id("a:000")).unwrap();
        assert_eq!((near.listings.len(), near.more), (MAX_ALIKE, false));
        coverage.reads(&id("a:999"), &listing("云雀 气垫跑鞋", TEXT)).unwrap();
        let near = coverage.near_copies(&id("a:000")).unwrap();
        assert_eq!((near.listings.len(), near.more), (MAX_ALIKE, true));
    }

    #[test]
    fn a_stretch_that_is_too_long_is_looked_at_in_part() {
        let (_folder, coverage) = coverage();
        coverage.reads(&id("a:1"), &listing("云雀 气垫跑鞋", TEXT)).unwrap();
        let own = fingerprint(&listing("云雀 气垫跑鞋", TEXT)).unwrap();
        // Far from it in all blocks but the first.
        let far = Fingerprint(own.0 ^ 0xff_ffff);
        let mut batch = sled::Batch::default();
        for n in 0..=MAX_LOOKED_AT as u128 {
            batch.insert(turned(0, far, n.to_be_bytes()), NOTHING);
        }
        coverage.table.apply_batch(batch).unwrap();
        assert_eq!(coverage.near_copies(&id("a:1")).unwrap(), NearCopies { listings: Vec::new(), more: true });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn all_that_differ_in_three_bits_or_fewer_are_found_and_nothing_else(
            own in any::<u64>(),
            flips in prop::collection::vec(prop::collection::vec(0_u32..64, 0..6), 0..24),
        ) {
            let (_folder, coverage) = coverage();
            let put = |name: &str, bits: u64| {
                let mut batch = sled::Batch::default();
                let hash = hash_of(&id(name));
                (0..TURNS).for_each(|turn| batch.insert(turned(turn, Fingerprint(bits), hash), NOTHING));
                batch.insert(own_key(hash), [&bits.to_be_bytes(), name.as_bytes()].concat());
                coverage.table.apply_batch(batch).unwrap();
            };
            put("own", own);
            let mut expected = Vec::new();
            for (n, flips) in flips.iter().enumerate() {
                let bits = flips.iter().fold(own, |bits, flip| bits ^ 1 << flip);
                put(&format!("{n:02}"), bits);
                if (own ^ bits).count_ones() <= NEAR_BITS {
                    expected.push(((own ^ bits).count_ones(), format!("{n:02}")));
                }
            }
            expected.sort();
            let near = coverage.near_copies(&id("own")).unwrap();
            let found: Vec<(u32, String)> =
                near.listings.into_iter().map(|alike| (alike.bits, alike.listing.to_string())).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_text_has_a_fingerprint_or_says_too_little(title in "\\PC{0,60}", description in "\\PC{0,200}") {
            let one = listing(&title, &description);
            prop_assert_eq!(fingerprint(&one), fingerprint(&one.clone()));
        }
    }
}
