//! The folder that `serve` watches for files of listings.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::listings::{File, note};
use crate::{
    app::App,
    evidence::WarcWriter,
    intake::{Folder, Options, Origin, Waiting},
    monitor::Monitor,
    store::Store,
};

/// How often it is looked into.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Mistakes that a report lists one by one.
const MAX_TOLD: usize = 1000;

/// The watched folder, and where its listings go.
pub(super) struct Inbox {
    folder: Folder,
    options: Options,
    monitor: Arc<Monitor>,
    store: Arc<dyn Store>,
    warc: Option<Arc<WarcWriter>>,
}

impl Inbox {
    /// Opens the folder of the settings.
    pub(super) fn open(app: &App, monitor: Arc<Monitor>, warc: Option<Arc<WarcWriter>>) -> Result<Self> {
        let settings = &app.config().import;
        let folder = Folder::open(&settings.folder)
            .with_context(|| format!("cannot use the watched folder {}", settings.folder.display()))?;
        Ok(Self { folder, options: settings.options(), monitor, store: Arc::clone(app.store()), warc })
    }

    /// Takes what is put there, until stopped.
    pub(super) async fn watch(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let whole = self.folder.look().unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot look into the watched folder");
                Vec::new()
            });
            for file in whole {
                if *stop.borrow() {
                    return;
                }
                self.take(&file).await;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn take(&mut self, file: &Waiting) {
        let (path, options) = (file.path.clone(), self.options.clone());
        // A large workbook takes a while, which no request should wait for.
        let read = tokio::task::spawn_blocking(move || File::read(&path, &options)).await;
        let report = match read {
            Ok(Ok(read)) => self.deliver(read).await,
            Ok(Err(error)) => Ok(json!({"problem": format!("{error:#}")})),
            Err(error) => Ok(json!({"problem": format!("reading it broke off: {error}")})),
        };
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                // It lies where it is, and is taken again.
                tracing::error!(file = file.name, error = format!("{error:#}"), "a file of listings cannot be kept");
                return;
            }
        };
        let done = report.get("problem").is_none() && report.get("rejected").is_some_and(|count| *count == 0);
        match self.folder.finish(file, done, &report) {
            Ok(_) => tracing::info!(file = file.name, done, "a file of listings was taken"),
            Err(error) => tracing::error!(file = file.name, %error, "a file of listings cannot be moved"),
        }
    }

    async fn deliver(&self, read: File) -> Result<Value> {
        let File { origin, rows, wrong, unread } = read;
        let origin = Origin { kind: "folder", ..origin };
        let delivered = self.monitor.deliver(rows, &origin, self.warc.as_deref()).await?;
        note(&*self.store, &origin, delivered, wrong.len()).await?;
        let told: Vec<Value> =
            wrong.iter().take(MAX_TOLD).map(|error| json!({"row": error.row, "what": error.what})).collect();
        Ok(json!({
            "accepted": delivered.accepted, "unchanged": delivered.unchanged, "new_hits": delivered.new_hits,
            "rejected": wrong.len(), "problems": told, "columns_not_read": unread, "sha256": origin.sha256,
        }))
    }
}
