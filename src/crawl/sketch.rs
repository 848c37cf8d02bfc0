//! A profile drafted from one page: what was found is written down, what was not is said in comments.

use std::fmt::Write as _;

use url::Url;

use super::{
    facts::{Sketch, shape_of},
    fetch::host_of,
};

/// Longest name of a profile, in bytes.
const MAX_ID_BYTES: usize = 60;
/// Sitemaps that are written down.
const MAX_SITEMAPS: usize = 20;

/// What a profile is drafted from.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// The profile's name.
    pub id: &'a str,
    /// Where the page stands, after redirects.
    pub url: &'a Url,
    /// What the page offers.
    pub sketch: &'a Sketch,
    /// Sitemaps that the host's robots.txt names.
    pub sitemaps: &'a [Url],
    /// Whether addresses of this machine are allowed.
    pub allow_loopback: bool,
}

/// A name for the profile of a host: the part of it that names the site.
pub fn id_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let mut parts: Vec<&str> = host.split('.').filter(|part| !matches!(*part, "www" | "m" | "item" | "shop")).collect();
    if parts.len() > 1 && !parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
        parts.pop();
    }
    let id: String = parts.join("-").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let id: String = id.to_ascii_lowercase().chars().take(MAX_ID_BYTES).collect();
    if id.is_empty() { "site".into() } else { id }
}

/// The smallest profile that may ask for one page of a host.
pub fn bare_profile(url: &Url, allow_loopback: bool) -> String {
    format!(
        "format = 1\nid = \"draft\"\nname = \"draft\"\nplatform = \"draft\"\nstart = [{}]\nallow_loopback = {allow_loopback}\n\
         [listing]\nmatch = [\"/\"]\n",
        quoted(url.as_str())
    )
}

/// The text of a profile for the site that a page belongs to.
pub fn draft_profile(grounds: &Grounds<'_>) -> String {
    let Grounds { id, url, sketch, sitemaps, allow_loopback } = *grounds;
    let is_listing = sketch.listing.as_ref().is_some_and(|listing| listing.price.is_some() || listing.sku.is_some());
    let own = shape_of(url);
    // On a list, the numbered links that stand there most often are the listings.
    let numbered = || sketch.shapes.iter().find(|shape| shape.shape.contains('*') && shape.shape != own);
    let listing = if is_listing {
        Some((own.clone(), url.clone()))
    } else {
        numbered().map(|s| (s.shape.clone(), s.example.clone()))
    };
    let mut text = String::new();
    // Writing to a text cannot fail.
    let mut line = |words: &str| {
        let _ = writeln!(text, "{words}");
    };
    line(&format!("# {}: drafted from {}", host_of(url), one_line(url.as_str())));
    line("# Look at every line: a draft is a guess. `crawl profile check` and `crawl ID --dry-run` tell how it does.");
    line("format = 1");
    line(&format!("id = {}", quoted(id)));
    line(&format!("name = {}   # the site's name for people", quoted(id)));
    line(&format!("platform = {}", quoted(id)));
    let lists = lists(sketch, listing.as_ref().map(|(shape, _)| shape.as_str()), &own);
    let start = match (&lists.first(), is_listing) {
        (_, false) => url.clone(),
        (Some(list), true) => list.1.clone(),
        (None, true) => url.join("/").unwrap_or_else(|_| url.clone()),
    };
    line(&format!(
        "start = [{}]{}",
        quoted(start.as_str()),
        if is_listing { "   # a guess: where its lists begin" } else { "" }
    ));
    if sitemaps.is_empty() {
        line("# robots.txt names no sitemap; sitemaps = [\"https://…\"] where there is one all the same");
    } else {
        line("sitemaps_from_robots = true   # its robots.txt names:");
        sitemaps.iter().take(MAX_SITEMAPS).for_each(|sitemap| line(&format!("#   {}", one_line(sitemap.as_str()))));
    }
    if allow_loopback {
        line("allow_loopback = true");
    }
    line("# schedule = { cron = \"0 */6 * * *\", jitter = \"10m\" }   # when `serve` runs it");
    line(
        "\n[pace]\ndelay = \"1s\"        # a longer crawl-delay of robots.txt wins\nmax_pages = 20      # while it is tried",
    );
    for (pattern, _) in &lists {
        line("\n[[list]]");
        line(&format!("match = {}", quoted(pattern)));
        match &listing {
            Some((shape, _)) => {
                line(&format!("items = {}", quoted(&format!("a[href*=\"{}\"]", attribute(prefix(shape))))))
            }
            None => line("# items = \"a.item\"   # no numbered links stand on the page: which are the listings?"),
        }
        match &sketch.next {
            Some(css) => line(&format!("next = {}", quoted(css))),
            None => line("# next = \"a[rel=next]\"   # no link to a next page was seen on this page"),
        }
    }
    if lists.is_empty() {
        line(
            "\n# No list was found among the links of the page; one looks so:\n# [[list]]\n# match = \"/list\"\n# items = \"a.item\"\n# next = \"a[rel=next]\"",
        );
    }
    line("\n# Links of the page, digits as *:");
    for shape in &sketch.shapes {
        line(&format!("#   {:>4}  {}   {}", shape.count, one_line(&shape.shape), one_line(shape.example.as_str())));
    }
    line("\n[listing]");
    match &listing {
        Some((shape, example)) => {
            line(&format!("match = [{}]", quoted(prefix(shape))));
            match id_pattern(shape) {
                Some(pattern) => line(&format!("id = {}   # from {}", quoted(&pattern), one_line(example.as_str()))),
                None => line("# id = '/p/(\\d+)'   # no number stands in the address: what is a listing known by?"),
            }
        }
        None => line("match = [\"/\"]   # nothing on the page tells which addresses are listings"),
    }
    facts(&mut line, sketch, is_listing);
    text
}

/// Lists: the page itself where it is one, else shapes of links that speak of lists.
fn lists(sketch: &Sketch, listing: Option<&str>, own: &str) -> Vec<(String, Url)> {
    let speaks = |shape: &str| {
        let shape = shape.to_ascii_lowercase();
        ["list", "categor", "/cat", "search", "page", "collection", "/c/"].iter().any(|word| shape.contains(word))
    };
    let mut lists: Vec<(String, Url)> = Vec::new();
    for shape in &sketch.shapes {
        let pattern = prefix(&shape.shape).to_owned();
        let is_listing = listing.is_some_and(|listing| prefix(listing) == pattern);
        if !is_listing && pattern.len() > 1 && speaks(&shape.shape) && !lists.iter().any(|(known, _)| *known == pattern)
        {
            lists.push((pattern, shape.example.clone()));
        }
    }
    let own = prefix(own).to_owned();
    if listing.is_none_or(|listing| prefix(listing) != own)
        && !lists.iter().any(|(known, _)| own.starts_with(known.as_str()))
        && let Some(shape) = sketch.shapes.first()
    {
        lists.insert(0, (own, shape.example.clone()));
    }
    lists.truncate(3);
    lists
}

fn facts(line: &mut dyn FnMut(&str), sketch: &Sketch, is_listing: bool) {
    if !is_listing {
        line("# This page is no listing: run `crawl profile new` on one to have its facts looked for.");
        return;
    }
    line("# What is found without selectors:");
    for (fact, source, value) in &sketch.found {
        line(&format!("#   {fact:<13} {source:<17} {}", one_line(value)));
    }
    if !sketch.missing.is_empty() {
        line(&format!("# Not found: {}. Selectors for what the page has of it:", sketch.missing.join(", ")));
    }
    line("[listing.select]");
    for (fact, css, attr) in &sketch.places {
        match attr {
            Some(attr) => line(&format!("{fact} = {{ css = {}, attr = {} }}", quoted(css), quoted(attr))),
            None => line(&format!("{fact} = {}", quoted(css))),
        }
    }
    if let Some([rows, name, value]) = &sketch.rows {
        line(&format!(
            "attributes = {{ rows = {}, name = {}, value = {} }}",
            quoted(rows),
            quoted(name),
            quoted(value)
        ));
    }
    let placed = |fact: &str| {
        sketch.places.iter().any(|(name, _, _)| name == fact) || fact == "attributes" && sketch.rows.is_some()
    };
    for fact in sketch.missing.iter().filter(|fact| !placed(fact)) {
        let example = match fact.as_str() {
            "attributes" => "{ rows = \"table.spec tr\", name = \"th\", value = \"td\" }".to_owned(),
            "price" => "{ css = \".price\", attr = \"data-fen\", fen = true }".to_owned(),
            other => format!("\".{other}\""),
        };
        line(&format!("# {fact} = {example}"));
    }
}

/// What an address of a shape begins with: all before its last number, or its folder.
fn prefix(shape: &str) -> &str {
    match shape.rfind('*') {
        Some(at) if at > 1 => shape.get(..at).unwrap_or(shape),
        _ => shape.rfind('/').and_then(|at| shape.get(..=at)).unwrap_or(shape),
    }
}

/// A regular expression whose group is the last number of an address of this shape.
fn id_pattern(shape: &str) -> Option<String> {
    let before = shape.get(..shape.rfind('*')?)?;
    let inner = before.trim_end_matches('/');
    let from = inner.rfind(['/', '?', '&', '*']).unwrap_or(0);
    let mark = before.get(from..).unwrap_or(before).trim_start_matches('*');
    let escaped = regex::escape(mark);
    Some(match escaped.strip_prefix("\\?").or_else(|| escaped.strip_prefix('&')) {
        Some(rest) => format!("[?&]{rest}(\\d+)"),
        None => format!("{escaped}(\\d+)"),
    })
}

/// What can stand between the quotes of an attribute selector.
fn attribute(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect()
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crawl::{CompiledProfile, PageText, Profile, extract, facts::sketch};

    fn drafted(url: &str, text: &str) -> (String, Profile) {
        let url = Url::parse(url).unwrap();
        let sketch = sketch(&PageText { url: &url, text });
        let sitemaps = [Url::parse("https://s.example/sitemap.xml").unwrap()];
        let grounds = Grounds { id: "s", url: &url, sketch: &sketch, sitemaps: &sitemaps, allow_loopback: false };
        let text = draft_profile(&grounds);
        let profile = Profile::parse("s.toml", &text).unwrap_or_else(|mistake| panic!("{mistake}\n{text}"));
        (text, profile)
    }

    #[test]
    fn a_draft_reads_the_page_it_was_made_from() {
        let page = "<html><body><h1>云雀 耳机</h1><div class='price'>￥199.00</div><p>货号：A-100</p>\
                    <table class='spec'><tr><th>品牌</th><td>云雀</td></tr><tr><th>颜色</th><td>白</td></tr><tr><th>产地</th><td>杭州</td></tr></table>\
                    <a href='/goods.php?id=8'>a</a><a href='/list.php?page=2'>next</a></body></html>";
        let url = "https://s.example/goods.php?id=7";
        let (text, profile) = drafted(url, page);
        assert_eq!(profile.listing.id.as_deref(), Some("[?&]id=(\\d+)"), "{text}");
        assert!(profile.sitemaps_from_robots && text.contains("/sitemap.xml"));
        assert_eq!(profile.start, ["https://s.example/list.php?page=2"]);
        assert_eq!(profile.lists[0].pattern.0, "/list.php?page=");
        let url = Url::parse(url).unwrap();
        let listing = extract(&PageText { url: &url, text: page }, Some(&CompiledProfile::new(&profile))).unwrap();
        assert_eq!((listing.id.as_str(), listing.title.as_str()), ("s:7", "云雀 耳机"));
        assert_eq!(listing.attributes["产地"], "杭州");
    }

    #[test]
    fn a_list_leads_to_its_most_frequent_numbered_links() {
        let items: String = (10..30).map(|n| format!("<a class='item' href='/item/{n}.html'>x</a>")).collect();
        let (text, profile) =
            drafted("https://s.example/hot", &format!("<body>{items}<a rel='next' href='/hot?p=2'>2</a></body>"));
        assert_eq!(profile.start, ["https://s.example/hot"]);
        assert!(profile.listing.patterns[0].matches(&Url::parse("https://s.example/item/77.html").unwrap()), "{text}");
        assert_eq!(profile.listing.id.as_deref(), Some("/item/(\\d+)"));
        assert_eq!(profile.lists[0].items.as_deref(), Some("a[href*=\"/item/\"]"), "{text}");
        assert_eq!(profile.lists[0].next.as_deref(), Some("a[rel=next]"));
    }

    #[test]
    fn a_host_gives_its_name() {
        for (url, id) in [
            ("https://www.xinghe.example/p/1", "xinghe"),
            ("https://item.shop.example.com/p/1", "example"),
            ("http://127.0.0.1:8080/p", "127-0-0-1"),
            ("https://例子.测试/", "xn--fsqu00a"),
        ] {
            assert_eq!(id_of(&Url::parse(url).unwrap()), id);
        }
    }

    proptest! {
        #[test]
        fn every_draft_is_a_profile(path in "[a-z0-9/._?=&%\"'*-]{0,40}", html in "[<>a-z0-9=\"'/ #.&;?*-]{0,300}") {
            drafted(&format!("https://s.example/{path}"), &html);
            let price = format!("<h1 class='a'>t{html}</h1><b class=\"p\">￥12.00</b>");
            drafted(&format!("https://s.example/{path}"), &price);
        }
    }
}
