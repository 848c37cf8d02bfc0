//! The form of a campaign's file.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use toml::{Spanned, value::Datetime};
use toml_edit::{DocumentMut, Value};

use crate::{
    model::Diagnostic,
    rules::{Bilingual, RuleSource},
};

/// Names of one list: rules, sectors, platforms, regions.
const MAX_NAMES: usize = 1_000;

/// Where a campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Being prepared: its rules find nothing.
    Draft,
    /// A person has set it live: it runs between its days.
    On,
    /// Over: its rules find nothing any more.
    Ended,
}

impl Stage {
    /// As files write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::On => "on",
            Self::Ended => "ended",
        }
    }
}

/// A dated pack of rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Campaign {
    /// Its name, and that of its file without `.toml`.
    pub id: String,
    /// What people call it.
    pub title: Bilingual,
    /// Who answers for it.
    pub owner: String,
    /// Where it stands.
    #[serde(rename = "status")]
    pub stage: Stage,
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
    /// Sectors it is about; all where empty.
    pub sectors: Vec<String>,
    /// Platforms it is about; all where empty.
    pub platforms: Vec<String>,
    /// Words for regions it is about, such as `湖北`; all where empty.
    pub regions: Vec<String>,
    /// Its own rules, which find nothing outside it.
    pub rules: Vec<String>,
    /// Standing rules: what they find inside carries its id.
    pub also: Vec<String>,
    /// Path of its file.
    pub path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CampaignFile {
    format: Spanned<u32>,
    id: Spanned<String>,
    title: Bilingual,
    owner: String,
    status: Stage,
    from: Spanned<Datetime>,
    to: Spanned<Datetime>,
    #[serde(default)]
    sectors: Vec<String>,
    #[serde(default)]
    platforms: Vec<String>,
    #[serde(default)]
    regions: Vec<String>,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    also: Vec<String>,
}

impl Campaign {
    /// Reads one file.
    ///
    /// # Errors
    /// Its mistakes, with line and column.
    pub fn parse(source: &RuleSource) -> Result<Self, Vec<Diagnostic>> {
        let file: CampaignFile = toml::from_str(&source.text).map_err(|error| {
            let help = "rules/README.md shows the form of a campaign";
            vec![Diagnostic::toml(&source.path, &source.text, &error, "campaign.syntax", help)]
        })?;
        let mut problems = Vec::new();
        let mut wrong = |span, code, message: String, help: &str| {
            problems.push(Diagnostic::error(&source.path, &source.text, span, code, message, help));
        };
        if *file.format.as_ref() != 1 {
            let message = "this program reads campaigns of format 1".into();
            wrong(file.format.span(), "campaign.format", message, "write format = 1");
        }
        let id = file.id.as_ref();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || id.len() > 60 || !id.chars().all(fits) {
            let message = format!("`{id:.80}` is no name of a campaign");
            wrong(file.id.span(), "campaign.id", message, "use small Latin letters, digits and `-`, at most 60");
        }
        if source.name() != id {
            let message = format!("the file `{}` holds the campaign `{id:.80}`", source.path);
            wrong(file.id.span(), "campaign.file-name", message, "give file and campaign the same name");
        }
        let (from, to) = (day(file.from.as_ref()), day(file.to.as_ref()));
        for (day, written) in [(from, &file.from), (to, &file.to)] {
            if day.is_none() {
                wrong(written.span(), "campaign.days", "this is no day".into(), "write a date such as 2026-12-01");
            }
        }
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            let message = "its last day is before its first".into();
            wrong(file.to.span(), "campaign.days", message, "a campaign of one day has that day twice");
        }
        if file.rules.is_empty() && file.also.is_empty() {
            let help = "name its own rules in `rules`, standing rules in `also`";
            wrong(file.id.span(), "campaign.rules", "the campaign has no rules".into(), help);
        }
        let lists = [&file.sectors, &file.platforms, &file.regions, &file.rules, &file.also];
        if lists.into_iter().any(|names| names.len() > MAX_NAMES) {
            let message = format!("a list of more than {MAX_NAMES} names");
            wrong(file.id.span(), "campaign.names", message, "make several campaigns of it");
        }
        match from.zip(to) {
            Some((from, to)) if problems.is_empty() => Ok(Self {
                id: id.clone(),
                title: file.title,
                owner: file.owner,
                stage: file.status,
                from,
                to,
                sectors: file.sectors,
                platforms: file.platforms,
                regions: file.regions,
                rules: file.rules,
                also: file.also,
                path: source.path.clone(),
            }),
            _ => Err(problems),
        }
    }

    /// The campaign as a file.
    pub fn write(&self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let list = |texts: &[String]| format!("[{}]", texts.iter().map(|one| text(one)).collect::<Vec<_>>().join(", "));
        let mut file = format!(
            "format = 1\nid = {}\ntitle = {{ zh = {}, en = {} }}\nowner = {}\nstatus = \"{}\"\nfrom = {}\nto = {}\n",
            text(&self.id),
            text(&self.title.zh),
            text(&self.title.en),
            text(&self.owner),
            self.stage.word(),
            self.from,
            self.to
        );
        let lists = [
            ("sectors", &self.sectors),
            ("platforms", &self.platforms),
            ("regions", &self.regions),
            ("rules", &self.rules),
            ("also", &self.also),
        ];
        for (key, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
            file.push_str(&format!("{key} = {}\n", list(names)));
        }
        file
    }
}

/// The text of a campaign's file with another status; comments stay.
///
/// # Errors
/// When it is no TOML.
pub fn with_stage(text: &str, stage: Stage) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if let Some(value) = document.get_mut("status").and_then(toml_edit::Item::as_value_mut) {
        let decor = value.decor().clone();
        *value = Value::from(stage.word());
        *value.decor_mut() = decor;
    }
    Ok(document.to_string())
}

fn day(written: &Datetime) -> Option<Date> {
    let date = written.date?;
    let (year, month, day) =
        (i16::try_from(date.year).ok()?, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
    (written.time.is_none()).then(|| Date::new(year, month, day).ok()).flatten()
}
