//! The queue's filter as it stands in an address.

use serde::Deserialize;

use super::WebError;
use crate::{
    model::{HitId, HitState, Severity},
    store::{Cursor, Filter},
};

/// Longest text of one filter field, in characters.
const MAX_FIELD_CHARS: usize = 200;

/// Filter fields of an address, and where the page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    pub state: String,
    pub severity: String,
    pub platform: String,
    pub family: String,
    pub text: String,
    /// `priority-id` of the last row before.
    pub after: String,
    /// The hit decided just now.
    pub done: String,
}

impl Query {
    /// Reads an address's query.
    pub(super) fn parse(query: &str) -> Self {
        let mut fields = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(32) {
            let value: String = value.trim().chars().take(MAX_FIELD_CHARS).collect();
            match name.as_ref() {
                "state" => fields.state = value,
                "severity" => fields.severity = value,
                "platform" => fields.platform = value,
                "family" => fields.family = value,
                "text" => fields.text = value,
                "after" => fields.after = value,
                "done" => fields.done = value,
                _ => {}
            }
        }
        fields
    }

    /// The state asked for; open where none is.
    pub(super) fn hit_state(&self) -> Result<HitState, WebError> {
        match self.state.as_str() {
            "" | "open" => Ok(HitState::Open),
            "confirmed" => Ok(HitState::Confirmed),
            "dismissed" => Ok(HitState::Dismissed),
            _ => Err(WebError::Field("state")),
        }
    }

    /// What the store is asked for.
    pub(super) fn filter(&self) -> Result<Filter, WebError> {
        let severity = match self.severity.as_str() {
            "" => None,
            "low" => Some(Severity::Low),
            "medium" => Some(Severity::Medium),
            "high" => Some(Severity::High),
            "critical" => Some(Severity::Critical),
            _ => return Err(WebError::Field("severity")),
        };
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        Ok(Filter {
            state: Some(self.hit_state()?),
            family: given(&self.family),
            platform: given(&self.platform),
            severity,
            text: given(&self.text),
            ..Filter::default()
        })
    }

    /// Where the page begins.
    pub(super) fn cursor(&self) -> Result<Option<Cursor>, WebError> {
        if self.after.is_empty() {
            return Ok(None);
        }
        let parts = self.after.split_once('-').ok_or(WebError::Field("after"))?;
        match (parts.0.parse(), parts.1.parse()) {
            (Ok(priority), Ok(id)) => Ok(Some(Cursor { priority, id: HitId(id) })),
            _ => Err(WebError::Field("after")),
        }
    }

    /// The filter without state and place: what a review run keeps.
    pub(super) fn kept(&self) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in
            [("severity", &self.severity), ("platform", &self.platform), ("family", &self.family), ("text", &self.text)]
        {
            if !value.is_empty() {
                out.append_pair(name, value);
            }
        }
        out.finish()
    }

    /// Whether anything but the state is asked for.
    pub(super) fn narrows(&self) -> bool {
        !self.kept().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_the_store_is_asked_for() {
        let query = Query::parse("state=dismissed&severity=high&text=%E4%BA%91%E9%9B%80&after=200-7&junk=1");
        let filter = query.filter().unwrap();
        assert_eq!(filter.state, Some(HitState::Dismissed));
        assert_eq!(filter.severity, Some(Severity::High));
        assert_eq!(filter.text.as_deref(), Some("云雀"));
        assert_eq!(query.cursor().unwrap(), Some(Cursor { priority: 200, id: HitId(7) }));
        assert_eq!(Query::parse(&query.kept()).text, "云雀");
    }

    #[test]
    fn values_the_desk_never_sends_are_refused_and_long_ones_cut() {
        assert!(Query::parse("state=all").filter().is_err());
        assert!(Query::parse("severity=bad").filter().is_err());
        for after in ["7", "300-1", "1-x", "-"] {
            assert!(Query::parse(&format!("after={after}")).cursor().is_err(), "{after}");
        }
        let long = Query::parse(&format!("text={}", "a".repeat(MAX_FIELD_CHARS + 1)));
        assert_eq!(long.text.len(), MAX_FIELD_CHARS);
    }
}
