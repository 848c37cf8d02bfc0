//! One address for one listing: what a site means by its hosts and parameters, as its profile says.
//!
//! [`CompiledProfile::home`] is the address that is asked for, [`CompiledProfile::key`] the one under which a page is known.
//! What every site does alike is [`canonical`]'s business.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::{CompiledProfile, canonical};

/// Most hosts and parameters that a profile names.
pub(super) const MAX_NAMES: usize = 200;
/// What stands for the item's number in the address of a listing.
const ITEM: &str = "{id}";

/// How a site writes its addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Addresses {
    /// Parameters that say what a page shows; all others are left away. All count when empty.
    pub keep: Vec<String>,
    /// Parameters that say nothing about what a page shows.
    pub drop: Vec<String>,
    /// Hosts that show the same under another name, as a site for telephones does: `{ "m.shop.example" = "shop.example" }`.
    pub hosts: BTreeMap<String, String>,
    /// The one address of a listing: `{id}` stands for the item's number, which `[listing] id` finds in any other.
    pub listing: Option<String>,
}

impl Addresses {
    /// What is wrong with it, and how to mend it; `finds_items` says whether there is a `[listing] id`.
    pub(super) fn mistake(&self, finds_items: bool) -> Option<(String, &'static str)> {
        if self.keep.len() + self.drop.len() + self.hosts.len() > MAX_NAMES {
            return Some((format!("more than {MAX_NAMES} hosts and parameters"), "name those that matter"));
        }
        if !self.keep.is_empty() && !self.drop.is_empty() {
            return Some(("`keep` and `drop` together".into(), "what is not kept is dropped: write one of them"));
        }
        for host in self.hosts.values() {
            if !Url::parse(&format!("https://{host}/")).is_ok_and(|url| url.path() == "/" && url.query().is_none()) {
                return Some((
                    format!("`{host}` is no host"),
                    "write a name without scheme and path, as in shop.example",
                ));
            }
        }
        let template = self.listing.as_ref()?;
        if !finds_items {
            return Some(("an address of listings without [listing] id".into(), "say how the item's number is found"));
        }
        let filled = template.replace(ITEM, "1");
        let works = template.contains(ITEM) && Url::parse(&filled).is_ok_and(|url| url.scheme().starts_with("http"));
        let help = "write it whole, as in https://shop.example/item?id={id}";
        (!works).then(|| (format!("`{template}` is no address with {ITEM} in it"), help))
    }
}

impl CompiledProfile {
    /// The address that is asked for where `url` is named: on the host it is of, and for a listing its one address.
    #[must_use]
    pub fn home(&self, url: &Url) -> Url {
        let rules = &self.profile().address;
        let mut home = url.clone();
        if let Some(host) = url.host_str().and_then(|host| rules.hosts.get(host)) {
            let (name, port) =
                host.rsplit_once(':').map_or((host.as_str(), None), |(name, port)| (name, port.parse().ok()));
            if home.set_host(Some(name)).is_err() || (port.is_some() && home.set_port(port).is_err()) {
                return url.clone();
            }
        }
        let listing = rules.listing.as_ref().zip(self.item(&home)).and_then(|(template, item)| {
            let item: String = url::form_urlencoded::byte_serialize(item.as_bytes()).collect();
            Url::parse(&template.replace(ITEM, &item)).ok()
        });
        listing.unwrap_or(home)
    }

    /// The address under which the page at `url` is known.
    #[must_use]
    pub fn key(&self, url: &Url) -> Url {
        let rules = &self.profile().address;
        let mut key = canonical(&self.home(url));
        if rules.keep.is_empty() && rules.drop.is_empty() {
            return key;
        }
        let Some(query) = key.query() else { return key };
        let is_kept = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or("");
            let among = |names: &[String]| names.iter().any(|known| known == name);
            if rules.keep.is_empty() { !among(&rules.drop) } else { among(&rules.keep) }
        };
        let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
        let kept = kept.join("&");
        key.set_query((!kept.is_empty()).then_some(&kept));
        key
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crawl::Profile;

    fn profile(address: &str) -> Result<CompiledProfile, String> {
        let text = format!(
            "format = 1\nid = \"s\"\nname = \"s\"\nplatform = \"s\"\nstart = [\"https://s.example/\"]\n[address]\n{address}\n\
             [listing]\nmatch = [\"/p/\", \"/item\"]\nid = '(?:/p/|[?&]id=)(\\w+)'\n"
        );
        Profile::parse("s.toml", &text).map(|profile| CompiledProfile::new(&profile)).map_err(|error| error.to_string())
    }

    fn key(profile: &CompiledProfile, url: &str) -> String {
        profile.key(&Url::parse(url).unwrap()).to_string()
    }

    #[test]
    fn every_address_of_a_listing_leads_to_one() {
        let rules = "hosts = { \"m.s.example\" = \"s.example\" }\nlisting = \"https://s.example/item?id={id}\"\ndrop = [\"share\"]";
        let profile = profile(rules).unwrap();
        for url in [
            "https://m.s.example/p/42?share=x",
            "https://s.example/p/42#top",
            "https://s.example/item?utm_source=a&id=42",
        ] {
            assert_eq!(key(&profile, url), "https://s.example/item?id=42", "{url}");
        }
        assert_eq!(key(&profile, "https://m.s.example/list?page=2&share=x"), "https://s.example/list?page=2");
        assert_eq!(
            profile.home(&Url::parse("https://m.s.example/list?a=1").unwrap()).as_str(),
            "https://s.example/list?a=1"
        );
    }

    #[test]
    fn what_is_not_kept_goes() {
        let profile = profile("keep = [\"id\", \"sku\"]").unwrap();
        assert_eq!(key(&profile, "https://s.example/item?x=1&sku=2&id=3&y"), "https://s.example/item?id=3&sku=2");
        assert_eq!(key(&profile, "https://s.example/item?x=1"), "https://s.example/item");
    }

    #[test]
    fn rules_that_cannot_work_are_refused() {
        for (rules, words) in [
            ("keep = [\"a\"]\ndrop = [\"b\"]", "together"),
            ("hosts = { \"m.s.example\" = \"https://s.example/x\" }", "no host"),
            ("listing = \"https://s.example/item\"", "no address with {id}"),
            ("listing = \"/item?id={id}\"", "no address with {id}"),
        ] {
            let refused = profile(rules).map(|_| ()).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
        let many: Vec<String> = (0..=MAX_NAMES).map(|n| format!("\"p{n}\"")).collect();
        assert!(profile(&format!("drop = [{}]", many.join(","))).is_err());
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(path in "[a-z0-9/%&=?.-]{0,40}", query in "[a-z0-9%&=?;+]{0,40}") {
            let profile = profile("drop = [\"a\"]\nlisting = \"https://s.example/item?id={id}\"").unwrap();
            let Ok(url) = Url::parse(&format!("https://m.s.example/{path}?{query}")) else { return Ok(()) };
            let once = profile.key(&url);
            prop_assert_eq!(profile.key(&once), once);
        }
    }
}
