//! robots.txt after RFC 9309: may this agent fetch this address, and which line says so.
//!
//! [`Robots`] is a parsed file; [`AgentRules`] is what of it concerns one agent. Fetching the file,
//! and what its absence means, is the engine's business: [`Robots::allow_all`], [`Robots::deny_all`].

mod line;
mod pattern;

use std::time::Duration;

use line::{Key, lines};
use pattern::Pattern;

/// Bytes of a file that are read; RFC 9309 asks for at least this much. What follows is ignored.
pub const MAX_ROBOTS_BYTES: usize = 500 * 1024;
/// Bytes of a line that are read; what follows is ignored.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// Sitemaps that are kept.
const MAX_SITEMAPS: usize = 1000;
/// Longest crawl-delay that is kept; longer ones mean this.
const MAX_CRAWL_DELAY: Duration = Duration::from_secs(24 * 3600);
/// Characters of a deciding line that are shown.
const MAX_SHOWN_CHARS: usize = 200;

/// A robots.txt, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Robots {
    groups: Vec<Group>,
    sitemaps: Vec<String>,
    /// Why the file could not be had, where everything waits for it.
    missing: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Group {
    /// Product tokens in lower case; `*` for everyone.
    agents: Vec<String>,
    rules: Vec<Rule>,
    delay: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    allow: bool,
    pattern: Pattern,
    number: usize,
    text: String,
}

/// What a robots.txt says about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Whether it may be fetched.
    pub allowed: bool,
    /// The deciding line's number, from 1, and its text; number 0 where the whole file decided by its absence.
    pub line: Option<(usize, String)>,
}

impl Ruling {
    /// The deciding line as `3: Disallow: /x`, or that there is none.
    pub fn reason(&self) -> String {
        match &self.line {
            Some((0, text)) => text.clone(),
            Some((number, text)) => format!("{number}: {text}"),
            None => "-: no rule matches".into(),
        }
    }
}

impl Robots {
    /// Reads a file; every file can be read, mistakes in it are skipped.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut robots = Self::default();
        let mut in_agents = false;
        for line in lines(bytes.get(..MAX_ROBOTS_BYTES).unwrap_or(bytes), MAX_LINE_BYTES) {
            match line.key {
                Key::UserAgent => {
                    if !in_agents {
                        robots.groups.push(Group::default());
                    }
                    in_agents = true;
                    if let (Some(group), Some(agent)) = (robots.groups.last_mut(), agent_of_line(&line.value)) {
                        group.agents.push(agent);
                    }
                }
                Key::Allow | Key::Disallow => {
                    in_agents = false;
                    robots.add_rule(line.key == Key::Allow, &line);
                }
                Key::CrawlDelay => robots.add_delay(&line.value),
                Key::Sitemap => robots.add_sitemap(&line.value),
                Key::Other => {}
            }
        }
        robots
    }

    /// No file: everything may be fetched.
    pub fn allow_all() -> Self {
        Self::default()
    }

    /// The file could not be had: nothing may be fetched for now, because of `why`.
    pub fn deny_all(why: &str) -> Self {
        Self { missing: Some(why.to_owned()), ..Self::default() }
    }

    fn add_rule(&mut self, allow: bool, line: &line::Line) {
        let Some(group) = self.groups.last_mut() else { return };
        if let Some(pattern) = Pattern::new(&line.value, allow) {
            group.rules.push(Rule { allow, pattern, number: line.number, text: shown(&line.text) });
        }
    }

    fn add_delay(&mut self, value: &[u8]) {
        let seconds = std::str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok());
        let Some(seconds) = seconds.filter(|seconds| *seconds >= 0.0) else { return };
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(MAX_CRAWL_DELAY).min(MAX_CRAWL_DELAY);
        if let Some(group) = self.groups.last_mut() {
            group.delay = Some(group.delay.map_or(delay, |known| known.max(delay)));
        }
    }

    fn add_sitemap(&mut self, value: &[u8]) {
        if self.sitemaps.len() < MAX_SITEMAPS
            && let Ok(text) = std::str::from_utf8(value)
            && !text.is_empty()
        {
            self.sitemaps.push(text.to_owned());
        }
    }

    /// Addresses of sitemaps the file names, in its order.
    pub fn sitemaps(&self) -> &[String] {
        &self.sitemaps
    }

    /// What concerns `agent`: the groups that name its product token, else those for `*`.
    pub fn rules_for(&self, agent: &str) -> AgentRules {
        let token = product_token(agent.as_bytes()).to_ascii_lowercase();
        let own = if token.is_empty() { Vec::new() } else { self.groups_of(&token) };
        let groups = if own.is_empty() { self.groups_of("*") } else { own };
        AgentRules {
            rules: groups.iter().flat_map(|group| group.rules.iter().cloned()).collect(),
            delay: groups.iter().filter_map(|group| group.delay).max(),
            missing: self.missing.clone(),
        }
    }

    fn groups_of(&self, name: &str) -> Vec<&Group> {
        self.groups.iter().filter(|group| group.agents.iter().any(|agent| agent == name)).collect()
    }

    /// May `agent` fetch `url`?
    ///
    /// `url` is taken as it is written; the crawl hands over addresses already percent-encoded.
    pub fn check(&self, agent: &str, url: &str) -> Ruling {
        self.rules_for(agent).check(url)
    }

    /// The delay between requests the file asks `agent` for.
    pub fn crawl_delay(&self, agent: &str) -> Option<Duration> {
        self.rules_for(agent).delay
    }
}

/// What a robots.txt says to one agent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentRules {
    rules: Vec<Rule>,
    delay: Option<Duration>,
    /// Why the file could not be had, where everything waits for it.
    missing: Option<String>,
}

impl AgentRules {
    /// The delay it asks for between requests.
    pub fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// Whether the file could not be had, so that everything waits.
    pub fn unreachable(&self) -> bool {
        self.missing.is_some()
    }

    /// May `url` be fetched, and why. The longest pattern decides; between equals, `Allow`.
    pub fn check(&self, url: &str) -> Ruling {
        let target = target_of(url);
        // RFC 9309 §2.2.2: the file itself is always allowed.
        if target == "/robots.txt" {
            return Ruling { allowed: true, line: None };
        }
        if let Some(why) = &self.missing {
            return Ruling { allowed: false, line: Some((0, why.clone())) };
        }
        if self.rules.is_empty() {
            return Ruling { allowed: true, line: None };
        }
        let target = pattern::Target::new(target);
        let best = self.rules.iter().filter(|rule| rule.pattern.matches(&target)).max_by(|a, b| {
            (a.pattern.length(), a.allow).cmp(&(b.pattern.length(), b.allow)).then(b.number.cmp(&a.number))
        });
        match best {
            Some(rule) => Ruling { allowed: rule.allow, line: Some((rule.number, rule.text.clone())) },
            None => Ruling { allowed: true, line: None },
        }
    }
}

/// Path and query of an address, without its fragment, as written; `/` when there is none.
fn target_of(url: &str) -> &str {
    let url = url.split('#').next().unwrap_or(url);
    let after_scheme = url.find("://").map_or(url, |at| url.get(at + 3..).unwrap_or(""));
    let after_scheme = after_scheme.strip_prefix("//").unwrap_or(after_scheme);
    match after_scheme.find(['/', '?']) {
        Some(at) if after_scheme.as_bytes().get(at) == Some(&b'/') => after_scheme.get(at..).unwrap_or("/"),
        _ => "/",
    }
}

/// The leading product token: letters, `-` and `_`.
fn product_token(agent: &[u8]) -> String {
    let end = agent.iter().position(|byte| !byte.is_ascii_alphabetic() && !b"-_".contains(byte));
    String::from_utf8_lossy(agent.get(..end.unwrap_or(agent.len())).unwrap_or_default()).into_owned()
}

/// Whom a `User-agent` line names; nothing when it names nobody.
fn agent_of_line(value: &[u8]) -> Option<String> {
    if value.first() == Some(&b'*') && value.get(1).is_none_or(u8::is_ascii_whitespace) {
        return Some("*".into());
    }
    Some(product_token(value).to_ascii_lowercase()).filter(|token| !token.is_empty())
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SHOWN_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowed(robots: &str, agent: &str, url: &str) -> bool {
        Robots::parse(robots.as_bytes()).check(agent, url).allowed
    }

    #[test]
    fn the_longest_pattern_decides_and_allow_wins_between_equals() {
        let robots = "user-agent: *\ndisallow: /a\nallow: /a/b\ndisallow: /a/b/c\nallow: /x\ndisallow: /x\n";
        for (path, expected) in [("/a", false), ("/a/b", true), ("/a/b/c", false), ("/x", true), ("/", true)] {
            assert_eq!(allowed(robots, "bot", &format!("http://h{path}")), expected, "{path}");
        }
    }

    #[test]
    fn the_deciding_line_is_named() {
        let robots = Robots::parse(b"\xEF\xBB\xBFUser-agent: *\r\nAllow: /\r\nDisallow: /x # no\r\n");
        let ruling = robots.check("bot", "http://h/x/1");
        assert_eq!(ruling.line, Some((3, "Disallow: /x # no".into())));
        assert_eq!(ruling.reason(), "3: Disallow: /x # no");
        assert_eq!(robots.check("bot", "http://h/robots.txt").reason(), "-: no rule matches");
    }

    #[test]
    fn stars_and_a_final_dollar_are_understood() {
        let robots = "user-agent: *\ndisallow: /*.php$\ndisallow: /p/*/edit\ndisallow: /q?*session=\n";
        for (path, expected) in [
            ("/a.php", false),
            ("/a.php?x", true),
            ("/p/7/edit/now", false),
            ("/p/edit", true),
            ("/q?a=1&session=2", false),
            ("/q?a=1", true),
        ] {
            assert_eq!(allowed(robots, "bot", &format!("http://h{path}")), expected, "{path}");
        }
    }

    #[test]
    fn a_named_group_hides_the_one_for_everyone_and_groups_of_one_name_are_merged() {
        let robots = "user-agent: *\ndisallow: /\nuser-agent: Mark\ndisallow: /a\nuser-agent: x\ndisallow: /z\nuser-agent: mark/2\ndisallow: /b\ncrawl-delay: 1.5\n";
        assert!(allowed(robots, "Mark/1.0 (+http://c)", "http://h/c"));
        assert!(!allowed(robots, "MARK", "http://h/a") && !allowed(robots, "mark", "http://h/b"));
        assert!(!allowed(robots, "other", "http://h/c"));
        assert_eq!(Robots::parse(robots.as_bytes()).crawl_delay("Mark"), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn another_spelling_of_a_forbidden_path_is_forbidden_too() {
        let robots = "user-agent: *\ndisallow: /private/\ndisallow: /%73ecret\ndisallow: /购物\n";
        for path in ["/%70rivate/x", "/private/", "/secret", "/%73ecret", "/%e8%b4%ad%E7%89%A9车"] {
            assert!(!allowed(robots, "bot", &format!("http://h{path}")), "{path}");
        }
    }

    #[test]
    fn sitemaps_are_collected_and_do_not_end_a_group() {
        let robots = Robots::parse(
            b"user-agent: a\nsitemap: http://h/s.xml\nuser-agent: b\ndisallow: /\nSitemap:http://h/t.xml",
        );
        assert_eq!(robots.sitemaps(), ["http://h/s.xml", "http://h/t.xml"]);
        assert!(!robots.check("a", "http://h/").allowed && !robots.check("b", "http://h/").allowed);
    }

    #[test]
    fn what_lies_beyond_the_bounds_is_ignored() {
        let mut long = b"user-agent: *\n".to_vec();
        long.resize(MAX_ROBOTS_BYTES, b'#');
        long.extend_from_slice(b"\ndisallow: /\n");
        assert!(Robots::parse(&long).check("bot", "http://h/a").allowed);
        let line = format!("user-agent: *\ndisallow: /{}\ndisallow: /b\n", "a".repeat(MAX_LINE_BYTES * 2));
        assert!(!allowed(&line, "bot", "http://h/b"));
        let sitemaps = "sitemap: http://h/s\n".repeat(MAX_SITEMAPS + 5);
        assert_eq!(Robots::parse(sitemaps.as_bytes()).sitemaps().len(), MAX_SITEMAPS);
        let slow = Robots::parse(b"user-agent: *\ncrawl-delay: 1e300");
        assert_eq!(slow.crawl_delay("x"), Some(MAX_CRAWL_DELAY));
    }

    #[test]
    fn a_file_that_cannot_be_had_denies_everything_but_itself() {
        let rules = Robots::deny_all("robots.txt answered 503").rules_for("bot");
        assert!(rules.unreachable());
        assert_eq!(rules.check("http://h/a").reason(), "robots.txt answered 503");
        assert!(rules.check("http://h/robots.txt").allowed);
        assert!(Robots::allow_all().check("bot", "http://h/a").allowed);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), url in ".{0,60}") {
            Robots::parse(&bytes).check("bot", &url);
        }

        #[test]
        fn a_literal_rule_forbids_exactly_its_prefix(path in "/[a-z/]{0,8}", asked in "/[a-z/]{0,10}") {
            let robots = format!("user-agent: *\ndisallow: {path}\n");
            prop_assert_eq!(allowed(&robots, "bot", &format!("http://h{asked}")), !asked.starts_with(&path));
        }
    }
}
