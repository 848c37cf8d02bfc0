//! Statutes: the articles that rules rest on, each with the days between which it is in force.
//!
//! Main types: [`Statutes`], read from `statutes/*.toml`, and [`Article`]. A rule cites a topic, which stays
//! when an article moves; the day picks the article. Whether an article was read or remembered is part of it,
//! and is told wherever it is shown.

mod file;
mod lint;

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Date;
use serde::Serialize;

use super::{RuleSource, file::Bilingual, nearest::nearest};
use crate::model::Diagnostic;

/// A law, regulation or guideline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statute {
    /// Its name in this program, and that of its file.
    pub id: String,
    /// Its name as it is cited.
    pub name: Bilingual,
    /// Who made it.
    pub issuer: String,
}

/// One article, in one form, at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Article {
    /// Unique among all statutes, such as `trademark-law.2026.72`.
    pub id: String,
    /// What it is about: the name that stays when the article moves.
    pub topic: String,
    /// Where it stands.
    pub statute: Arc<Statute>,
    /// The year of the form cited.
    pub version: String,
    /// Such as 第九条.
    pub article: String,
    /// Such as 第（三）项; empty where the whole article is meant.
    pub paragraph: String,
    /// What it says, in own words.
    pub summary: Bilingual,
    /// What a breach costs, as far as is known.
    pub penalty: Option<Penalty>,
    /// The first day it is in force; always, as far as is known, without one.
    pub valid_from: Option<Date>,
    /// The first day it is no longer in force.
    pub valid_to: Option<Date>,
    /// How far it was checked.
    pub verified: Verified,
    /// Path of its file.
    #[serde(skip)]
    pub path: String,
}

/// What a breach costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Penalty {
    /// The article that says so.
    pub article: String,
    /// Yuan at least.
    pub min: Option<u64>,
    /// Yuan at most.
    pub max: Option<u64>,
    /// Other limbs, in own words.
    pub note: Option<Bilingual>,
}

/// How far an article was checked before it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// The article itself was read.
    Text,
    /// A page about it was read, or only part of it.
    Secondary,
    /// It was remembered.
    Memory,
}

impl Verified {
    /// What a reader of a citation must know, if anything.
    pub fn caution(self) -> Option<Bilingual> {
        let (zh, en) = match self {
            Self::Text => return None,
            Self::Secondary => ("据二手资料，未核对原文", "from a page about it, the text was not read"),
            Self::Memory => ("凭记忆，未核对原文", "from memory, the text was not read"),
        };
        Some(Bilingual { zh: zh.to_owned(), en: en.to_owned() })
    }
}

impl Article {
    /// Whether it is in force on `day`.
    pub fn in_force(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|first| first <= day) && self.valid_to.is_none_or(|end| day < end)
    }

    /// `《中华人民共和国商标法》（2019）第五十七条`, with what was not checked.
    pub fn citation(&self) -> String {
        citation([self])
    }

    /// Its place within the statute, and how little it was checked.
    fn place(&self) -> String {
        let caution = self.verified.caution().map(|caution| format!("（{}）", caution.zh)).unwrap_or_default();
        format!("{}{}{caution}", self.article, self.paragraph)
    }
}

/// The articles as they are cited in Chinese; those of one statute that follow each other name it once.
pub(super) fn citation<'a>(articles: impl IntoIterator<Item = &'a Article>) -> String {
    let mut text = String::new();
    let mut last: Option<&Article> = None;
    for article in articles {
        let joins = last.is_some_and(|last| last.statute.id == article.statute.id && last.version == article.version);
        if joins {
            text.push('、');
        } else {
            text.push_str(if last.is_some() { "；" } else { "" });
            text.push_str(&format!("《{}》", article.statute.name.zh));
            if article.version.len() == 4 {
                text.push_str(&format!("（{}）", article.version));
            }
        }
        text.push_str(&article.place());
        last = Some(article);
    }
    text
}

/// All articles, by topic and by id. Pure data once read.
#[derive(Debug, Clone, Default)]
pub struct Statutes {
    articles: Vec<Arc<Article>>,
    /// Articles of each topic, the earliest first.
    topics: BTreeMap<String, Vec<Arc<Article>>>,
}

impl Statutes {
    /// Reads statute files and looks for mistakes within and between them.
    pub(super) fn read(sources: &[RuleSource]) -> (Self, Vec<Diagnostic>) {
        let mut problems = Vec::new();
        let mut written = Vec::new();
        for source in sources {
            written.extend(file::read(source, &mut problems));
        }
        problems.extend(lint::statutes(&written));
        let articles: Vec<Arc<Article>> = written.into_iter().map(|one| Arc::new(one.article)).collect();
        let mut topics: BTreeMap<String, Vec<Arc<Article>>> = BTreeMap::new();
        for article in &articles {
            topics.entry(article.topic.clone()).or_default().push(Arc::clone(article));
        }
        for of_topic in topics.values_mut() {
            of_topic.sort_by_key(|article| article.valid_from);
        }
        (Self { articles, topics }, problems)
    }

    /// Every article, by file and in the order of each.
    pub fn articles(&self) -> impl Iterator<Item = &Article> {
        self.articles.iter().map(AsRef::as_ref)
    }

    /// The articles that `name` means: those of a topic, the earliest first, or the one with that id.
    pub fn cited(&self, name: &str) -> Vec<Arc<Article>> {
        if let Some(articles) = self.topics.get(name) {
            return articles.clone();
        }
        self.articles.iter().filter(|article| article.id == name).cloned().collect()
    }

    /// The topic, or else the article's id, that `name` was probably meant to be.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let topics = self.topics.keys().map(String::as_str);
        nearest(name, topics.chain(self.articles.iter().map(|article| article.id.as_str())))
    }

    /// Topics whose summaries share most with `words`, the best first: where to look for a law.
    pub fn about<'a>(&'a self, words: &'a str) -> Vec<&'a Article> {
        let pairs = |text: &str| -> Vec<(char, char)> { text.chars().zip(text.chars().skip(1)).collect() };
        let wanted = pairs(words);
        let mut found: Vec<(usize, &Article)> = self
            .topics
            .values()
            .filter_map(|articles| articles.last())
            .map(|article| {
                let there = pairs(&format!("{} {}", article.summary.zh, article.statute.name.zh));
                (wanted.iter().filter(|pair| there.contains(pair)).count(), article.as_ref())
            })
            .filter(|(shared, _)| *shared > 0)
            .collect();
        found.sort_by_key(|(shared, article)| (usize::MAX - shared, article.topic.clone()));
        found.into_iter().map(|(_, article)| article).collect()
    }
}
