//! The queue's filter as it stands in an address.

use serde::Deserialize;

use super::WebError;
use crate::{
    model::{HitId, HitState, Scope, Severity},
    review::{BoardAsk, Search, Strategy},
    store::Filter,
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
    pub order: String,
    /// `rows-id`: how many rows came before, and the last of them.
    pub after: String,
    /// The hit decided just now.
    pub done: String,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct After {
    /// How many rows came before.
    pub rows: usize,
    /// The last of them.
    pub id: HitId,
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
                "order" => fields.order = value,
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
            "proposed" => Ok(HitState::Proposed),
            "escalated" => Ok(HitState::Escalated),
            _ => Err(WebError::Field("state")),
        }
    }

    /// What the board is asked for.
    pub(super) fn ask(&self) -> Result<BoardAsk, WebError> {
        let severity = match self.severity.as_str() {
            "" => None,
            "low" => Some(Severity::Low),
            "medium" => Some(Severity::Medium),
            "high" => Some(Severity::High),
            "critical" => Some(Severity::Critical),
            _ => return Err(WebError::Field("severity")),
        };
        let strategy = match self.order.as_str() {
            "" | "priority" => Strategy::Priority,
            "oldest" => Strategy::Oldest,
            "sample" => Strategy::Sample,
            _ => return Err(WebError::Field("order")),
        };
        Ok(BoardAsk {
            state: Some(self.hit_state()?),
            severity,
            platform: self.platform.clone(),
            family: self.family.clone(),
            search: Search::parse(&self.text),
            strategy,
            within: Scope::default(),
        })
    }

    /// What the store itself is asked for; it knows no order but its own, and words as they stand.
    pub(super) fn filter(&self) -> Result<Filter, WebError> {
        let severity = self.ask()?.severity;
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
    pub(super) fn place(&self) -> Result<Option<After>, WebError> {
        if self.after.is_empty() {
            return Ok(None);
        }
        let parts = self.after.split_once('-').ok_or(WebError::Field("after"))?;
        match (parts.0.parse(), parts.1.parse()) {
            (Ok(rows), Ok(id)) => Ok(Some(After { rows, id: HitId(id) })),
            _ => Err(WebError::Field("after")),
        }
    }

    /// The filter without state and place.
    pub(super) fn kept(&self) -> String {
        self.written(false)
    }

    /// What a review run keeps: the filter, and the state where it is not the open ones.
    pub(super) fn run(&self) -> String {
        self.written(true)
    }

    /// All that decides which hits are meant, and their order.
    pub(super) fn written_whole(&self) -> String {
        format!("{}&{}", self.state, self.kept())
    }

    fn written(&self, state: bool) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        let waits = state && matches!(self.state.as_str(), "proposed" | "escalated");
        for (name, value) in [
            ("state", if waits { &self.state } else { "" }),
            ("severity", &self.severity),
            ("platform", &self.platform),
            ("family", &self.family),
            ("text", &self.text),
            ("order", &self.order),
        ] {
            if !value.is_empty() {
                out.append_pair(name, value);
            }
        }
        out.finish()
    }

    /// Whether anything but state and order is asked for.
    pub(super) fn narrows(&self) -> bool {
        !Self { order: String::new(), ..self.clone() }.kept().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_the_board_is_asked_for() {
        let query =
            Query::parse("state=dismissed&severity=high&text=%E4%BA%91%E9%9B%80+-x&order=oldest&after=200-7&junk=1");
        let ask = query.ask().unwrap();
        assert_eq!(ask.state, Some(HitState::Dismissed));
        assert_eq!((ask.severity, ask.strategy), (Some(Severity::High), Strategy::Oldest));
        assert_eq!(ask.search.terms.len(), 2);
        assert_eq!(query.place().unwrap(), Some(After { rows: 200, id: HitId(7) }));
        assert_eq!(Query::parse(&query.kept()).text, "云雀 -x");
        assert_eq!(Query::parse("state=escalated&text=a").run(), "state=escalated&text=a");
    }

    #[test]
    fn values_the_desk_never_sends_are_refused_and_long_ones_cut() {
        assert!(Query::parse("state=all").ask().is_err());
        assert!(Query::parse("severity=bad").ask().is_err());
        assert!(Query::parse("order=best").ask().is_err());
        for after in ["7", "1-x", "-", "-1-2"] {
            assert!(Query::parse(&format!("after={after}")).place().is_err(), "{after}");
        }
        let long = Query::parse(&format!("text={}", "a".repeat(MAX_FIELD_CHARS + 1)));
        assert_eq!(long.text.len(), MAX_FIELD_CHARS);
    }
}
