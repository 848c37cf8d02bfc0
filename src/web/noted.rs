//! What the desk notes in the journal of accounts and the like: who did what to whom, never a secret.

use serde_json::{Map, Value};

use super::{Desk, WebError};
use crate::{
    model::AccountName,
    store::{Batch, Write},
};

/// Notes that `who` did `what`.
pub(super) async fn note(
    desk: &Desk,
    who: &AccountName,
    what: &str,
    details: &[(&str, Value)],
) -> Result<(), WebError> {
    let details: Map<String, Value> = details.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let write = Write::Note { what: what.to_owned(), details };
    desk.inner.store.apply(Batch { actor: who.to_string(), writes: vec![write] }).await?;
    Ok(())
}
