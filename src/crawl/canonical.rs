//! One address for one page: what differs only in spelling or in tracking becomes the same text.
//!
//! RFC 3986 §6.2.2 and §6.2.3, and the parameters that shops and advertisers add to follow a
//! visitor. What a site means by its own parameters belongs to its profile.

use url::Url;

/// Parameters that say how a visitor came, never what the page shows.
const TRACKING: &[&str] = &[
    "_branch_match_id",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "_openstat",
    "_pos",
    "_psq",
    "_sid",
    "_ss",
    "_trkparms",
    "_trksid",
    "aff_fcid",
    "aff_fsk",
    "aff_platform",
    "aff_trace_key",
    "algo_expid",
    "algo_pvid",
    "bxsign",
    "dclid",
    "fbclid",
    "from",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igshid",
    "irclickid",
    "mc_cid",
    "mc_eid",
    "mkcid",
    "mkevt",
    "mkrid",
    "msclkid",
    "obclid",
    "pvid",
    "s_kwcid",
    "scm",
    "scm_id",
    "share_crt_v",
    "shareurl",
    "sourcetype",
    "spm",
    "spreadtype",
    "srsltid",
    "suid",
    "tbsocialpopkey",
    "terminal_id",
    "trk",
    "ttclid",
    "twclid",
    "un",
    "ut_sk",
    "wbraid",
    "yclid",
    "ysclid",
];

/// Beginnings of such parameters.
const TRACKING_PREFIXES: &[&str] = &["utm_", "hsa_", "pk_", "mtm_", "matomo_", "piwik_", "aff_short"];

/// The address under which a page is known: two addresses with the same canonical form are the same page.
#[must_use]
pub fn canonical(url: &Url) -> Url {
    let mut out = url.clone();
    out.set_fragment(None);
    let path = normal_escapes(url.path());
    out.set_path(&path);
    let query = url.query().map(canonical_query).filter(|query| !query.is_empty());
    out.set_query(query.as_deref());
    if let Some(host) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned)
        && !host.is_empty()
        && out.set_host(Some(&host)).is_err()
    {
        return out;
    }
    out
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<String> =
        query.split('&').map(normal_escapes).filter(|pair| !pair.is_empty() && !is_tracking(name(pair))).collect();
    // By name only: the order of equal names may mean something.
    pairs.sort_by(|left, right| name(left).cmp(name(right)));
    pairs.join("&")
}

fn name(pair: &str) -> &str {
    pair.split('=').next().unwrap_or("")
}

fn is_tracking(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TRACKING.binary_search(&name.as_str()).is_ok() || TRACKING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Percent-encoded unreserved characters are written plainly, the other escapes in capitals.
fn normal_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let value = escape.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (taken, known) = match value {
            Some(byte) if escape.as_bytes().get(1).is_some_and(u8::is_ascii_hexdigit) => (3, Some(byte)),
            _ => (1, None),
        };
        match known {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(char::from(byte)),
            Some(byte) => out.push_str(&format!("%{byte:02X}")),
            // A bare percent sign is itself, and would otherwise swallow what is decoded after it.
            None => out.push_str("%25"),
        }
        rest = escape.get(taken..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        canonical(&Url::parse(text).unwrap()).to_string()
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(TRACKING.is_sorted());
    }

    #[test]
    fn what_differs_only_in_spelling_is_the_same_page() {
        for (written, expected) in [
            ("HTTP://Shop.Example.:80/a/../p/%7euser/%e4%ba%91#top", "http://shop.example/p/~user/%E4%BA%91"),
            ("https://shop.example:443?b=2&a=1", "https://shop.example/?a=1&b=2"),
            ("https://shop.example:8443/p?", "https://shop.example:8443/p"),
            ("https://shop.example/p?x=2&x=1&&", "https://shop.example/p?x=2&x=1"),
            ("https://shop.example/a%2Fb?q=%2f", "https://shop.example/a%2Fb?q=%2F"),
            ("https://shop.example/100%?q=%zz", "https://shop.example/100%?q=%zz"),
            ("https://云雀.example/", "https://xn--9kqt37o.example/"),
        ] {
            assert_eq!(of(written), of(expected), "{written}");
        }
        assert_eq!(of("http://Shop.Example.:80/a/../p/%7euser#x"), "http://shop.example/p/~user");
    }

    #[test]
    fn tracking_is_removed_and_the_item_stays() {
        assert_eq!(
            of("https://item.example/item.htm?spm=a1z.2&id=42&utm_source=x&scm=1007&fbclid=q&from=share&skuId=7"),
            "https://item.example/item.htm?id=42&skuId=7"
        );
        assert_eq!(of("https://item.example/p?UTM_Source=x"), "https://item.example/p");
    }

    #[test]
    fn the_canonical_form_of_a_canonical_form_is_itself() {
        for text in
            ["https://a.example/%25%37%4%31?b=%26&a=%3D#f", "http://a.example./?%75tm_source=1", "data:text/plain,x"]
        {
            let once = of(text);
            assert_eq!(of(&once), once);
        }
    }
}
