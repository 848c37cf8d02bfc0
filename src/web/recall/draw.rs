//! Drawing a sample: the archive is brought up to the store and looked through, away from every request.

use std::sync::Arc;

use crate::{
    archive::{ArchiveError, Keeper, Scan},
    model::{Account, AccountName, ListingId, Remark, Saying, Timestamp},
    review::{Draw, Drawn, MAX_SAMPLE, MIN_SAMPLE, listing_key},
    store::{Batch, Write},
    web::{Desk, WebError, acts, jobs::Job},
};

/// The name of the work that draws.
pub(in crate::web) const DRAW: &str = "draw";

impl Desk {
    /// Begins to draw `size` listings without hits; without a seed a random one is taken.
    pub(in crate::web) async fn draw(&self, who: &Account, size: usize, seed: Option<u64>) -> Result<(), WebError> {
        let keeper = self.inner.archive.clone().ok_or(WebError::NoArchive)?;
        if !(MIN_SAMPLE..=MAX_SAMPLE).contains(&size) {
            return Err(WebError::Field("size"));
        }
        let seed = match seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| WebError::Random(error.to_string()))?,
        };
        self.follow(true).await?;
        let job = self.inner.draws.begin(DRAW, who.name.clone(), self.inner.clock.now())?;
        tokio::spawn(carry_out(self.clone(), keeper, job, (seed, size)));
        Ok(())
    }
}

async fn carry_out(desk: Desk, keeper: Arc<Keeper>, job: Arc<Job<String>>, (seed, size): (u64, usize)) {
    let (known, looking) = (desk.inner.board.listings_with_hits(), Arc::clone(&job));
    let looked = tokio::task::spawn_blocking(move || {
        let archive = keeper.fresh(1, &looking.stop, &|listings| looking.advance(listings))?;
        looking.count_to(archive.manifest().listings);
        let progress = |listings| looking.advance(listings);
        let scan = Scan { needles: None, reaches: None, stop: &looking.stop, progress: &progress, threads: 1 };
        let (draws, covered) = archive.scan(
            scan,
            || Draw::new(seed, size),
            |draw: &mut Draw, listing| {
                if let Ok(id) = ListingId::new(&listing.id)
                    && !known.contains(&listing_key(listing))
                {
                    draw.see(listing.platform.as_deref().unwrap_or_default(), id);
                }
            },
        )?;
        if covered.partial {
            return Err(ArchiveError::Stopped);
        }
        let mut all = Draw::new(seed, size);
        draws.into_iter().for_each(|draw| all.merge(draw));
        Ok(all.finish())
    });
    let ended = match looked.await {
        Ok(Ok(drawn)) if drawn.listings.is_empty() => Err("no listing without a hit is archived yet".to_owned()),
        Ok(Ok(drawn)) => keep(&desk, &job.by, drawn, (seed, size)).await.map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    job.end(ended);
}

/// Writes a sample down in one act; returns its name.
async fn keep(desk: &Desk, by: &AccountName, drawn: Drawn, (seed, size): (u64, usize)) -> Result<String, WebError> {
    let (sample, at) = (acts::act_name("")?, desk.inner.clock.now());
    let remark = |key: String, says: Saying, at: Timestamp| Write::Remark(Remark { key, by: by.clone(), at, says });
    let head = Saying::Sample { sample: sample.clone(), seed, size, strata: drawn.strata };
    let mut writes = vec![remark(format!("sample:{sample}"), head, at)];
    writes.extend(drawn.listings.into_iter().enumerate().map(|(before, (listing, source))| {
        let number = before + 1;
        let says = Saying::Sampled { sample: sample.clone(), number, listing, source };
        remark(format!("sampled:{sample}:{number:05}"), says, at)
    }));
    desk.inner.store.apply(Batch { actor: by.to_string(), writes }).await?;
    desk.follow(true).await?;
    Ok(sample)
}
