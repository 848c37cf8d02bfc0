//! How commands note something in the journal, and learn what is noted, whether or not the server runs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};

use super::Context;
use crate::{
    app::STANDING,
    config::Config,
    model::{Clock, SystemClock},
    monitor::{self, Follower, Standing},
    store::{Batch, SledStore, Store, StoreError, Write},
};

/// The journal of a data folder: opened, or reached through the server that has it open.
pub struct Notes {
    data: PathBuf,
    runtime: tokio::runtime::Runtime,
    store: Option<Arc<SledStore>>,
}

impl Notes {
    /// Opens the store of `data`; when a server has it open, notes are handed to that.
    ///
    /// # Errors
    /// When the folder cannot be opened for another reason.
    pub fn open(config: &Config, data: Option<PathBuf>) -> Result<Self> {
        let data = data.unwrap_or_else(|| config.data.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = match SledStore::open(&data, &config.store, clock) {
            Ok(store) => Some(Arc::new(store)),
            Err(StoreError::InUse { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { data, runtime, store })
    }

    /// The store, unless a server has it.
    pub fn store(&self) -> Option<&Arc<SledStore>> {
        self.store.as_ref()
    }

    /// The data folder.
    pub fn data(&self) -> &PathBuf {
        &self.data
    }

    /// Waits for `work` on the store.
    pub fn wait<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    /// What is noted of rules, what waits for the server taken in.
    ///
    /// # Errors
    /// When the journal or the file of what is known cannot be read.
    pub fn standing(&self) -> Result<Standing> {
        let path = self.data.join(STANDING);
        let standing = Standing::remembered(&path).with_context(|| format!("reading {}", path.display()))?;
        self.caught_up(standing, &path)
    }

    /// `known`, which `path` remembered, with what was noted since, what waits for the server taken in.
    ///
    /// # Errors
    /// When the journal cannot be read, or the file not be written.
    pub fn caught_up<F: Follower>(&self, mut known: F, path: &Path) -> Result<F> {
        if let Some(store) = &self.store {
            self.wait(known.follow(&**store))?;
            known.remember(path).with_context(|| format!("writing {}", path.display()))?;
        }
        for (_, handed) in monitor::waiting(&self.data)? {
            let Ok(handed) = handed else { continue };
            for (what, details) in handed.notes() {
                known.take(what, details, (handed.at, &handed.actor));
            }
        }
        Ok(known)
    }

    /// Notes `writes`, which are notes; says where they went. `by` is the person who answers for it.
    ///
    /// # Errors
    /// When neither the store nor the server can take them.
    pub fn note(&self, by: &str, writes: Vec<Write>, context: &Context) -> Result<()> {
        let actor = if by.is_empty() { "cli".to_owned() } else { format!("cli:{by}") };
        let batch = Batch { actor, writes };
        if let Some(store) = &self.store {
            self.wait(store.apply(batch))?;
            return Ok(());
        }
        monitor::hand_over(&self.data, batch, SystemClock.now()).context("handing notes to the server")?;
        context.say("the server has the store open: it takes the note into the journal within a second");
        Ok(())
    }
}

/// A person's name as it is recorded: neither empty nor endless, without control characters.
pub fn person(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        bail!("say who decides: a name of 1 to 80 characters");
    }
    Ok(name.to_owned())
}
