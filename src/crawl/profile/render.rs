//! Whether pages are shown to a browser before they are read, and how long that may take.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::duration;

/// Longest time one page may be given.
const MAX_TIME: Duration = Duration::from_secs(120);
/// Most requests one page may be allowed.
const MAX_REQUESTS: u32 = 500;

/// How pages are rendered.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Render {
    /// CSS selector of what must stand before the page is read; without one it is read when it has loaded and asks for nothing
    /// any more.
    pub wait: Option<String>,
    /// Longest time for one page, its requests in their pace included.
    #[serde(deserialize_with = "duration")]
    pub time: Duration,
    /// Most requests of one page, besides the page itself.
    pub max_requests: u32,
    /// Most bytes of bodies those bring, decoded; of the rendered document too.
    pub max_bytes: u64,
    /// Whether lists are rendered too.
    pub lists: bool,
}

impl Default for Render {
    fn default() -> Self {
        Self { wait: None, time: Duration::from_secs(20), max_requests: 60, max_bytes: 16 * 1024 * 1024, lists: false }
    }
}

impl Render {
    /// What is wrong with it: the text that is wrong, and why.
    pub(super) fn mistake(&self) -> Option<(String, String)> {
        if let Some(css) = &self.wait
            && let Err(error) = scraper::Selector::parse(css)
        {
            return Some((css.clone(), format!("`{css}` is no CSS selector: {error}")));
        }
        if self.time.is_zero() || self.time > MAX_TIME {
            return Some(("time".into(), format!("a page is given more than nothing and {MAX_TIME:?} at most")));
        }
        (self.max_requests > MAX_REQUESTS)
            .then(|| ("max_requests".into(), format!("a page may make {MAX_REQUESTS} requests at most")))
    }
}

/// Reads `render = true`, or a table `[render]`.
pub(super) fn render<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Render>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Plain(bool),
        Table(Render),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Plain(asked) => asked.then(Render::default),
        Either::Table(render) => Some(render),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Profile;

    fn parse(render: &str) -> Result<Profile, String> {
        let text = format!(
            "format = 1\nid = \"s\"\nname = \"s\"\nplatform = \"s\"\nstart = [\"https://s.example/\"]\n{render}\n\
             [listing]\nmatch = [\"/p/\"]\n"
        );
        Profile::parse("s.toml", &text).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn a_browser_is_asked_for_by_a_word_or_a_table() {
        assert!(parse("").unwrap().render.is_none() && parse("render = false").unwrap().render.is_none());
        assert_eq!(parse("render = true").unwrap().render.unwrap().time.as_secs(), 20);
        let render = parse("[render]\nwait = \".price\"\ntime = \"5s\"\nlists = true").unwrap().render.unwrap();
        assert_eq!((render.wait.as_deref(), render.time.as_secs(), render.lists), (Some(".price"), 5, true));
        for (wrong, words) in [
            ("[render]\nwait = \"a[\"", "no CSS selector"),
            ("[render]\ntime = 0", "a page is given"),
            ("[render]\ntime = \"3m\"", "a page is given"),
            ("[render]\nmax_requests = 501", "500 requests at most"),
            ("render = 7", "render"),
        ] {
            let said = parse(wrong).unwrap_err();
            assert!(said.contains(words), "{wrong}: {said}");
        }
    }
}
