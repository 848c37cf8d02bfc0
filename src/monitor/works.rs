//! What runs behind the desk: the profiles of this process, what is known of them, and what somebody must look after.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{Alarm, Cost, Disk, Gold, Halting, Looked, Operating, Risk, alarms, cost};
use crate::{
    crawl::{Coverage, CoverageError, Meters, Profile},
    live::{OnAir, Room},
    model::{Clock, Timestamp},
    store::{Store, StoreError},
};

/// How long what was gathered is good for: anybody may ask whether the program is ready.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// Why something cannot be told of what runs.
#[derive(Debug, thiserror::Error)]
pub enum WorksError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What became of addresses.
    #[error(transparent)]
    Coverage(#[from] CoverageError),
}

/// Profiles by id.
pub type Profiles = Arc<BTreeMap<String, Arc<Profile>>>;

/// What runs behind the desk.
pub struct Works {
    /// The profiles that this process knows, by id: a running server takes changed ones over.
    pub known: RwLock<Profiles>,
    /// The live rooms that it listens to.
    pub rooms: Vec<Room>,
    /// What became of every address, where that is kept.
    pub coverage: Option<Arc<Coverage>>,
    /// What crawls count.
    pub meters: Arc<Meters>,
    /// The rooms that are heard.
    pub air: Arc<OnAir>,
    /// Which profiles rest and which alarms were seen.
    pub operating: Arc<Operating>,
    /// Which hosts are stopped.
    pub halting: Arc<Halting>,
    /// What hits say of listings and platforms.
    pub risk: Arc<Mutex<Risk>>,
    /// The data folder.
    pub data: PathBuf,
    /// Free bytes below which its disk is nearly full.
    pub least_free: u64,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What was gathered a moment ago.
    pub gathered: Mutex<Option<(Instant, Vec<Alarm>)>>,
}

impl Works {
    /// The profiles that this process knows now.
    pub fn profiles(&self) -> Profiles {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other profiles over.
    pub fn take_over(&self, profiles: BTreeMap<String, Arc<Profile>>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(profiles);
    }

    /// When the profiles that have a schedule run next.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due(&self, store: &dyn Store) -> Result<BTreeMap<String, Option<Timestamp>>, StoreError> {
        let mut due = BTreeMap::new();
        for (id, profile) in &*self.profiles() {
            let next = if profile.schedule.is_some() { store.next_due(id).await? } else { None };
            due.insert(id.clone(), next);
        }
        Ok(due)
    }

    /// How full the disk is; none where it cannot be asked.
    pub fn disk(&self) -> Option<Disk> {
        let found = rustix::fs::statvfs(&self.data).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Some(Disk { free: bytes(found.f_bavail), all: bytes(found.f_blocks), least: self.least_free })
    }

    /// What stands now; `gold` is what the desk knows of answers.
    ///
    /// # Errors
    /// When store or coverage cannot be read.
    pub async fn alarms(&self, store: &dyn Store, gold: Option<Gold>) -> Result<Vec<Alarm>, WorksError> {
        let mut gathered = self.gathered.lock().await;
        if let Some((at, alarms)) = &*gathered
            && at.elapsed() < FRESH_FOR
        {
            return Ok(alarms.clone());
        }
        let profiles = self.due(store).await?;
        let (operations, halted) = (self.operating.known(), self.halting.known());
        let found = alarms(&Looked {
            now: self.clock.now(),
            profiles: &profiles,
            coverage: self.coverage.as_deref(),
            operations: &operations,
            halted: &halted,
            disk: self.disk(),
            gold,
        })?;
        *gathered = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    /// Takes over what somebody said just now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn heed(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.operating.follow(store).await?;
        *self.gathered.lock().await = None;
        Ok(())
    }

    /// What confirmed hits cost, by profile; profiles of one platform share its hits and its cost.
    ///
    /// # Errors
    /// When store or coverage cannot be read.
    pub async fn costs(&self, store: &dyn Store) -> Result<BTreeMap<String, Cost>, WorksError> {
        let Some(coverage) = &self.coverage else { return Ok(BTreeMap::new()) };
        let mut risk = self.risk.lock().await;
        risk.catch_up(store).await?;
        Ok(costs(self.profiles().values().map(AsRef::as_ref), coverage, &risk)?)
    }
}

/// What confirmed hits cost, by profile.
///
/// # Errors
/// When coverage cannot be read.
pub fn costs<'a>(
    profiles: impl Iterator<Item = &'a Profile>,
    coverage: &Coverage,
    risk: &Risk,
) -> Result<BTreeMap<String, Cost>, CoverageError> {
    let mut platforms: BTreeMap<&str, Vec<(&str, crate::crawl::Spent)>> = BTreeMap::new();
    for profile in profiles {
        let spent = coverage.spent(&profile.id)?;
        platforms.entry(&profile.platform).or_default().push((&profile.id, spent));
    }
    let mut found = BTreeMap::new();
    for (platform, members) in platforms {
        let cost = cost(members.iter().map(|(_, spent)| *spent), risk.of_platform(platform));
        found.extend(members.into_iter().map(|(id, _)| (id.to_owned(), cost)));
    }
    Ok(found)
}
