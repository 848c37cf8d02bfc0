//! Assembly: opens the rooms over one data folder and joins them.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};

use crate::{
    config::Config,
    model::{Clock, Diagnostic, SystemClock},
    rules::RuleSet,
    store::{ContentStore, SledStore, Store},
};

/// The rooms over one data folder, and the runtime they wait on.
pub struct App {
    runtime: tokio::runtime::Runtime,
    config: Config,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    content: Arc<ContentStore>,
}

impl App {
    /// Opens the store of `data`, or of the settings' data folder.
    ///
    /// # Errors
    /// When the folder cannot be opened: it is in use, damaged, or written by a newer program.
    pub fn open(mut config: Config, data: Option<PathBuf>) -> Result<Self> {
        if let Some(data) = data {
            config.data = data;
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store: Arc<dyn Store> = Arc::new(SledStore::open(&config.data, &config.store, Arc::clone(&clock))?);
        let content = Arc::new(ContentStore::open(&config.data)?);
        Ok(Self { runtime, config, clock, store, content })
    }

    /// Waits for `work` on the runtime.
    pub fn wait<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clock everything is told the time by.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The content store.
    pub fn content(&self) -> &Arc<ContentStore> {
        &self.content
    }

    /// Where WARC files are written.
    pub fn evidence_folder(&self) -> PathBuf {
        self.config.data.join("evidence")
    }
}

/// The rules of `folder`; the built-in ones when there is no such folder.
///
/// # Errors
/// Every mistake in them, rendered.
pub fn rules_or_builtin(folder: &Path) -> Result<RuleSet> {
    if folder.is_dir() {
        rules(folder)
    } else {
        RuleSet::builtin().map_err(|mistakes| told("the built-in rules", &mistakes))
    }
}

/// The rules of `folder`.
///
/// # Errors
/// Every mistake in them, rendered; or that there is no such folder.
pub fn rules(folder: &Path) -> Result<RuleSet> {
    anyhow::ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    RuleSet::read_folder(folder).map_err(|mistakes| told(&folder.display().to_string(), &mistakes))
}

fn told(place: &str, mistakes: &[Diagnostic]) -> anyhow::Error {
    let shown: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("{} mistakes in {place}\n\n{}", mistakes.len(), shown.join("\n\n"))
}
