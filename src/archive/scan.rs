//! Shows the listings of an archive, on all cores, those that cannot matter left out.

use std::{
    panic::resume_unwind,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    Archive, ArchiveError,
    candidates::{Bits, candidates},
    segment::{BLOCK, Unpacker},
};
use crate::{model::Listing, rules::Needles};

/// Blocks that one thread takes at once.
const ROW: usize = 64;

/// Whether a category, from its widest part to its narrowest, can matter.
pub type Reaches<'a> = dyn Fn(&[&str]) -> bool + Sync + 'a;

/// How an archive is looked at.
#[derive(Clone, Copy)]
pub struct Scan<'a> {
    /// What listings must have to be shown; none to show all.
    pub needles: Option<&'a Needles>,
    /// Which categories, part by part, can matter; none when all can. One that no word is known of is asked too.
    pub reaches: Option<&'a Reaches<'a>>,
    /// Becomes true when the looking is to end.
    pub stop: &'a AtomicBool,
    /// Told of listings that are done with, shown or left out.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Threads at most; 0 for one a core.
    pub threads: usize,
}

/// How far a look came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Covered {
    /// Listings that are done with.
    pub listings: u64,
    /// Those of them that were shown.
    pub shown: u64,
    /// Whether it was stopped before the end.
    pub partial: bool,
}

impl Archive {
    /// Shows listings to looks made by `make`, one a thread, and gives those back.
    ///
    /// # Errors
    /// When a block is damaged or the disk says no.
    pub fn scan<L: Send>(
        &self,
        scan: Scan<'_>,
        make: impl Fn() -> L + Sync,
        see: impl Fn(&mut L, &Listing) + Sync,
    ) -> Result<(Vec<L>, Covered), ArchiveError> {
        let rows: Vec<(usize, usize)> = self
            .segments
            .iter()
            .enumerate()
            .flat_map(|(at, part)| (0..part.segment.blocks()).step_by(ROW).map(move |block| (at, block)))
            .collect();
        let chosen: Vec<OnceLock<Result<Bits, String>>> = self.segments.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let threads =
            if scan.threads == 0 { thread::available_parallelism().map_or(1, usize::from) } else { scan.threads };
        let work = || -> Result<(L, Covered), ArchiveError> {
            let (mut look, mut covered) = (make(), Covered::default());
            let mut unpacker = Unpacker::new().map_err(unpacking)?;
            while let Some(&(at, block)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                if scan.stop.load(Ordering::Relaxed) {
                    covered.partial = true;
                    break;
                }
                let before = covered.listings;
                let (chosen, state) = (chosen.get(at), (&mut covered, &mut unpacker));
                self.row((at, block), &scan, chosen, state, |listing| see(&mut look, listing))?;
                (scan.progress)(covered.listings - before);
            }
            Ok((look, covered))
        };
        let done: Vec<Result<(L, Covered), ArchiveError>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|wrong| resume_unwind(wrong))).collect()
        });
        let (mut looks, mut all) = (Vec::new(), Covered::default());
        for one in done {
            let (look, covered) = one?;
            looks.push(look);
            all.listings += covered.listings;
            all.shown += covered.shown;
            all.partial |= covered.partial;
        }
        Ok((looks, all))
    }

    /// Shows what is wanted of the blocks from `block`.
    fn row(
        &self,
        (at, block): (usize, usize),
        scan: &Scan<'_>,
        chosen: Option<&OnceLock<Result<Bits, String>>>,
        (covered, unpacker): (&mut Covered, &mut Unpacker),
        mut see: impl FnMut(&Listing),
    ) -> Result<(), ArchiveError> {
        let Some((part, chosen)) = self.segments.get(at).zip(chosen) else { return Ok(()) };
        let listings = part.segment.ids.len();
        let bits = chosen.get_or_init(|| {
            let mut bits = match scan.needles {
                None => Bits::all(listings),
                Some(needles) => candidates(&part.segment, needles).map_err(|error| error.to_string())?,
            };
            if let Some(reaches) = scan.reaches {
                bits.and(&Bits::of(part.segment.of_categories(reaches)));
            }
            Ok(bits)
        });
        let bits =
            bits.as_ref().map_err(|what| ArchiveError::Damaged { file: "its index".into(), what: what.clone() })?;
        for block in block..(block + ROW).min(part.segment.blocks()) {
            if scan.stop.load(Ordering::Relaxed) {
                covered.partial = true;
                return Ok(());
            }
            let numbers = block * BLOCK..((block + 1) * BLOCK).min(listings);
            let (mut counting, mut wanted) = (0, false);
            for number in numbers.filter(|&number| part.counts(number)) {
                counting += 1;
                wanted |= bits.has(number);
            }
            if wanted {
                let shown = part.segment.listings(block, |number| bits.has(number) && part.counts(number), unpacker)?;
                covered.shown += shown.len() as u64;
                shown.iter().for_each(&mut see);
            }
            covered.listings += counting;
        }
        Ok(())
    }
}

pub(super) fn unpacking(source: std::io::Error) -> ArchiveError {
    ArchiveError::Io { file: "unpacking".into(), source }
}
