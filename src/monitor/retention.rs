//! Letting old evidence of live rooms go, but for what open and confirmed hits stand on.

use std::{collections::BTreeSet, path::Path};

use super::Monitor;
use crate::{
    evidence::{EvidenceError, LIVE, Retired, old_live_files, retire},
    model::HitState,
    store::{Batch, Filter, Write},
};

/// Hits read at a time.
const PAGE: usize = 200;

impl Monitor {
    /// Lets evidence files of rooms in `folder` go that are older than `days`; the journal notes each. 0 days keep all.
    ///
    /// # Errors
    /// When store or disk say no.
    pub async fn retire_live_evidence(&self, folder: &Path, days: u32) -> Result<Vec<Retired>, EvidenceError> {
        let now = self.clock.now();
        let age = std::time::Duration::from_secs(u64::from(days) * 24 * 3600);
        let Ok(before) = now.saturating_sub(age) else { return Ok(Vec::new()) };
        let old = if days == 0 { Vec::new() } else { old_live_files(folder, before)? };
        if old.is_empty() {
            return Ok(Vec::new());
        }
        let cited = self.cited_files().await?;
        let at_disk = (folder.to_owned(), old, now);
        // Hashing files takes a while, which no request should wait for.
        let retired = tokio::task::spawn_blocking(move || retire(&at_disk.0, &at_disk.1, &cited, at_disk.2)).await;
        let retired = retired.map_err(|error| EvidenceError::NoRecord(error.to_string()))??;
        let note = |one: &Retired| {
            let details = match serde_json::to_value(one) {
                Ok(serde_json::Value::Object(details)) => details,
                _ => serde_json::Map::new(),
            };
            Write::Note { what: "evidence-retired".into(), details }
        };
        if !retired.is_empty() {
            let writes = retired.iter().map(note).collect();
            self.store.apply(Batch { actor: "monitor".into(), writes }).await?;
        }
        Ok(retired)
    }

    /// Evidence files of rooms that open and confirmed hits stand on.
    async fn cited_files(&self) -> Result<BTreeSet<String>, EvidenceError> {
        let mut files = BTreeSet::new();
        for state in HitState::ALL.into_iter().filter(|state| *state != HitState::Dismissed) {
            let filter = Filter { state: Some(state), ..Filter::default() };
            let mut cursor = None;
            loop {
                let page = self.store.page(&filter, cursor, PAGE).await?;
                for capture in page.rows.iter().filter_map(|row| row.hit.what.capture.as_ref()) {
                    let file = self.store.capture(capture).await?.map(|capture| capture.file);
                    files.extend(file.filter(|file| file.starts_with(LIVE)));
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(files)
    }
}
