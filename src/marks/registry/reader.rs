//! A registry that another process may change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    error::{RegistryError, Result},
    folder::{Content, Current, Files},
    log::Log,
    view::View,
};

/// How often a folder is read again when it changed meanwhile.
const MAX_ATTEMPTS: usize = 8;

/// A registry, open for reading: nobody is kept out, and [`refresh`](Self::refresh) takes up what others changed.
///
/// This is what a desk holds: `view()` for each listing, `refresh()` now and then.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    view: Current,
    /// What was there when it was last read.
    seen: Mutex<Files>,
}

impl Reader {
    /// Opens the registry in `folder`. That takes milliseconds and the time to read the changes since its base.
    ///
    /// # Errors
    /// When there is none, it is damaged, of a newer format, or never stands still.
    pub fn open(folder: &Path) -> Result<Self> {
        let (content, files) = steady(folder)?;
        let view = Current::new(View::over(content.base, &content.changes)?);
        Ok(Self { folder: folder.to_owned(), view, seen: Mutex::new(files) })
    }

    /// What the registry says as of the last [`refresh`](Self::refresh). It goes on saying so for whoever holds it.
    pub fn view(&self) -> Arc<View> {
        self.view.get()
    }

    /// Takes up what was changed since; says whether anything was. It costs the listing of a folder when nothing was.
    ///
    /// # Errors
    /// As [`open`](Self::open); then the view stays as it was.
    pub fn refresh(&self) -> Result<bool> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.same(&Files::list(&self.folder)?) {
            return Ok(false);
        }
        let (content, files) = steady(&self.folder)?;
        self.view.set(View::over(content.base, &content.changes)?);
        *seen = files;
        Ok(true)
    }
}

/// What a folder says, read while no base or log came or went.
fn steady(folder: &Path) -> Result<(Content<()>, Files)> {
    let mut files = Files::list(folder)?;
    for _ in 0..MAX_ATTEMPTS {
        let content = Content::load(folder, &files, Log::read);
        let after = Files::list(folder)?;
        if files.numbers() == after.numbers() {
            return Ok((content?, files));
        }
        files = after;
    }
    Err(RegistryError::InUse { path: folder.display().to_string() })
}
