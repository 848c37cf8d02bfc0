//! The form of a statute file, as people write it, and what is wrong within one article.
//!
//! Main type: [`Written`], an article with its places in the file.

use std::{ops::Range, sync::Arc};

use jiff::civil::Date;
use serde::Deserialize;
use toml::{Spanned, value::Datetime};

use super::{Article, Penalty, Statute, Verified};
use crate::{
    model::{Diagnostic, Fix},
    rules::{
        RuleSource,
        file::{Bilingual, day},
        limits::MAX_ARTICLES,
        nearest::nearest,
    },
};

/// The words that say how far an article was checked.
const VERIFIED: [(&str, Verified); 3] =
    [("text", Verified::Text), ("secondary", Verified::Secondary), ("memory", Verified::Memory)];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatuteFile {
    format: Spanned<u32>,
    id: Spanned<String>,
    name: Spanned<Bilingual>,
    issuer: String,
    #[serde(default)]
    article: Vec<Spanned<ArticleFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArticleFile {
    id: Spanned<String>,
    topic: Spanned<String>,
    version: String,
    article: String,
    #[serde(default)]
    paragraph: String,
    summary: Spanned<Bilingual>,
    #[serde(default)]
    penalty: Option<Spanned<PenaltyFile>>,
    #[serde(default)]
    valid_from: Option<Spanned<Datetime>>,
    #[serde(default)]
    valid_to: Option<Spanned<Datetime>>,
    verified: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PenaltyFile {
    article: String,
    #[serde(default)]
    min: Option<u64>,
    #[serde(default)]
    max: Option<u64>,
    #[serde(default)]
    note: Option<Bilingual>,
}

/// An article, its file and where its parts stand there.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub article: Article,
    pub source: &'a RuleSource,
    pub id: Range<usize>,
    pub dates: Range<usize>,
}

/// Reads one file; mistakes go to `problems`.
pub(super) fn read<'a>(source: &'a RuleSource, problems: &mut Vec<Diagnostic>) -> Vec<Written<'a>> {
    let file: StatuteFile = match toml::from_str(&source.text) {
        Ok(file) => file,
        Err(error) => {
            let help = "rules/statutes/README.md shows the form of a statute";
            problems.push(Diagnostic::toml(&source.path, &source.text, &error, "statute.syntax", help));
            return Vec::new();
        }
    };
    let mut reader = Reader { source, problems };
    reader.head(&file);
    let statute = Arc::new(Statute {
        id: file.id.as_ref().clone(),
        name: file.name.as_ref().clone(),
        issuer: file.issuer.clone(),
    });
    file.article.iter().map(|article| reader.article(article.as_ref(), &statute)).collect()
}

struct Reader<'a, 'b> {
    source: &'a RuleSource,
    problems: &'b mut Vec<Diagnostic>,
}

impl<'a> Reader<'a, '_> {
    fn wrong(&mut self, span: Range<usize>, code: &'static str, message: impl Into<String>, help: &str) {
        self.problems.push(Diagnostic::error(&self.source.path, &self.source.text, span, code, message, help));
    }

    fn head(&mut self, file: &StatuteFile) {
        if *file.format.as_ref() != 1 {
            let message = "this program reads statutes of format 1";
            self.wrong(file.format.span(), "statute.format", message, "write format = 1");
        }
        if self.source.stem() != file.id.as_ref() {
            let message = format!("the file `{}` holds the statute `{}`", self.source.path, file.id.as_ref());
            self.wrong(file.id.span(), "statute.file-name", message, "give file and statute the same name");
        }
        self.both_languages(&file.name, "name");
        if file.article.len() > MAX_ARTICLES {
            let message = format!("{} articles, more than {MAX_ARTICLES}", file.article.len());
            self.wrong(file.id.span(), "statute.too-many", message, "keep the articles that rules rest on");
        }
    }

    fn both_languages(&mut self, text: &Spanned<Bilingual>, what: &str) {
        if text.as_ref().zh.trim().is_empty() || text.as_ref().en.trim().is_empty() {
            let message = format!("the {what} is not given in both languages");
            self.wrong(text.span(), "statute.language", message, "write zh and en");
        }
    }

    fn article(&mut self, file: &ArticleFile, statute: &Arc<Statute>) -> Written<'a> {
        self.both_languages(&file.summary, "summary");
        let prefix = format!("{}.", statute.id);
        for (name, what) in [(&file.id, "an article's id"), (&file.topic, "a topic")] {
            if !name.as_ref().starts_with(&prefix) {
                let message = format!("{what} begins with the statute's: `{prefix}…`, not `{}`", name.as_ref());
                self.wrong(name.span(), "statute.id", message, "begin it with the name of the file");
            }
        }
        let (valid_from, valid_to) = (self.day(file.valid_from.as_ref()), self.day(file.valid_to.as_ref()));
        let place = file.valid_to.as_ref().or(file.valid_from.as_ref());
        let dates = place.map_or(file.id.span(), Spanned::span);
        if let (Some(from), Some(to)) = (valid_from, valid_to)
            && to <= from
        {
            let message = format!("the article ends on {to}, before it begins on {from}");
            self.wrong(dates.clone(), "statute.dates", message, "valid_to is the first day it is no longer in force");
        }
        let article = Article {
            id: file.id.as_ref().clone(),
            topic: file.topic.as_ref().clone(),
            statute: Arc::clone(statute),
            version: file.version.clone(),
            article: file.article.clone(),
            paragraph: file.paragraph.clone(),
            summary: file.summary.as_ref().clone(),
            penalty: file.penalty.as_ref().map(|penalty| self.penalty(penalty)),
            valid_from,
            valid_to,
            verified: self.verified(&file.verified),
            path: self.source.path.clone(),
        };
        Written { article, source: self.source, id: file.id.span(), dates }
    }

    fn day(&mut self, written: Option<&Spanned<Datetime>>) -> Option<Date> {
        let written = written?;
        let date = day(written.as_ref());
        if date.is_none() {
            self.wrong(written.span(), "statute.date", "this is no day", "write a date such as 2027-01-01");
        }
        date
    }

    fn penalty(&mut self, written: &Spanned<PenaltyFile>) -> Penalty {
        let PenaltyFile { article, min, max, note } = written.as_ref();
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            let message = format!("the penalty is at least {min} and at most {max} yuan");
            self.wrong(written.span(), "statute.penalty", message, "the smaller amount is min");
        }
        Penalty { article: article.clone(), min: *min, max: *max, note: note.clone() }
    }

    fn verified(&mut self, written: &Spanned<String>) -> Verified {
        let word = written.as_ref();
        if let Some((_, verified)) = VERIFIED.iter().find(|(name, _)| name == word) {
            return *verified;
        }
        let message = format!("`{word}` does not say how the article was checked");
        let help = "write text (it was read), secondary (a page about it was) or memory";
        let problem =
            Diagnostic::error(&self.source.path, &self.source.text, written.span(), "statute.verified", message, help);
        let meant = nearest(word, VERIFIED.map(|(name, _)| name));
        self.problems.push(match meant {
            Some(meant) => problem.with_fix(Fix::replace(written.span(), format!("\"{meant}\""))),
            None => problem,
        });
        Verified::Memory
    }
}
