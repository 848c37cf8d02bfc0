//! What people read, from `locales/*.ftl`, in Chinese or English.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use serde::{Deserialize, Serialize};
use unic_langid::LanguageIdentifier;

const CHINESE: &str = include_str!("locales/zh-CN.ftl");
const ENGLISH: &str = include_str!("locales/en.ftl");

/// A language of the desk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    #[serde(rename = "zh-CN")]
    Chinese,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// The language `tag` names, if the desk speaks it.
    pub(super) fn from_tag(tag: &str) -> Option<Self> {
        match tag.trim().split('-').next().map(str::to_ascii_lowercase).as_deref() {
            Some("zh") => Some(Self::Chinese),
            Some("en") => Some(Self::English),
            _ => None,
        }
    }

    /// Its BCP 47 tag.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Chinese => Self::English,
            Self::English => Self::Chinese,
        }
    }

    /// The best language of an `Accept-Language` header.
    pub(super) fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for part in header.split(',').take(32) {
            let (tag, quality) = part.split_once(';').unwrap_or((part, "q=1"));
            let quality = quality.trim().strip_prefix("q=").and_then(|text| text.parse().ok()).unwrap_or(1.0);
            if let Some(language) = Self::from_tag(tag)
                && quality > best.map_or(0.0, |(known, _)| known)
            {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 2]> =
    LazyLock::new(|| [bundle(Language::Chinese, CHINESE), bundle(Language::English, ENGLISH)]);

fn bundle(language: Language, source: &str) -> Bundle {
    let identifier: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![identifier]);
    // Values stand in <bdi>; isolation characters would end up in attributes and tests.
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, errors)| {
        tracing::error!(?errors, "a locale file has mistakes");
        resource
    });
    bundle.add_resource_overriding(resource);
    bundle
}

/// The sentences of one language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words(pub Language);

impl Words {
    /// The sentence `key`. A key nobody wrote shows as `⟦key⟧`, which a test looks for.
    pub(super) fn say(self, key: &str) -> String {
        self.fill(key, &FluentArgs::new())
    }

    /// The sentence `key` with the number `n`.
    pub(super) fn count(self, key: &str, n: u64) -> String {
        let mut args = FluentArgs::new();
        args.set("n", FluentValue::from(n));
        self.fill(key, &args)
    }

    /// The sentence `key` with named texts.
    pub(super) fn with(self, key: &str, texts: &[(&'static str, &str)]) -> String {
        let mut args = FluentArgs::new();
        for &(name, text) in texts {
            args.set(name, FluentValue::from(text.to_owned()));
        }
        self.fill(key, &args)
    }

    fn fill(self, key: &str, args: &FluentArgs<'_>) -> String {
        let [chinese, english] = &*BUNDLES;
        let bundle = match self.0 {
            Language::Chinese => chinese,
            Language::English => english,
        };
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            tracing::error!(key, "a sentence is missing in the locale file");
            return format!("⟦{key}⟧");
        };
        let mut errors = Vec::new();
        bundle.format_pattern(pattern, Some(args), &mut errors).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(source: &str) -> BTreeSet<&str> {
        source
            .lines()
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" ="))
            .map(|(key, _)| key)
            .collect()
    }

    #[test]
    fn both_locale_files_are_without_mistakes_and_have_the_same_keys() {
        for source in [CHINESE, ENGLISH] {
            if let Err((_, errors)) = FluentResource::try_new(source.to_owned()) {
                panic!("{errors:?}");
            }
        }
        assert!(keys(CHINESE).len() > 100);
        assert_eq!(keys(CHINESE), keys(ENGLISH));
    }

    #[test]
    fn every_key_a_template_or_a_page_asks_for_is_written() {
        let mut asked = Vec::new();
        for folder in ["src/web", "src/web/templates/desk"] {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && !path.ends_with("words.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    for call in [".t(\"", ".say(\"", ".count(\"", ".with(\"", ".n(\""] {
                        asked.extend(
                            text.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned),
                        );
                    }
                }
            }
        }
        assert!(asked.len() > 80, "{}", asked.len());
        for key in asked {
            assert!(keys(ENGLISH).contains(key.as_str()), "{key} is asked for and not written");
        }
    }

    #[test]
    fn the_browsers_best_language_wins() {
        assert_eq!(Language::accepted("fr, en;q=0.8, zh;q=0.9"), Some(Language::Chinese));
        assert_eq!(Language::accepted("en-GB"), Some(Language::English));
        assert_eq!(Language::accepted("fr;q=x,de"), None);
        assert_eq!(Language::accepted(&"fr,".repeat(100_000)), None);
    }

    #[test]
    fn a_sentence_is_filled_in() {
        assert_eq!(Words(Language::English).count("age-minutes", 5), "5 min");
        assert_eq!(Words(Language::English).count("import-save", 1), "Save 1 mark as a draft");
        assert_eq!(Words(Language::English).count("import-save", 2), "Save 2 marks as drafts");
        assert_eq!(Words(Language::English).say("no-such-key"), "⟦no-such-key⟧");
    }
}
