//! The compiled set of rules and what it says of a listing.
//!
//! Main type: [`RuleSet`].

use std::collections::BTreeMap;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::{
    model::{Diagnostic, Finding, Listing, SurfaceKind},
    text::{FoldedSurface, fold},
};

use super::{
    atoms::{Atoms, AtomsBuilder},
    category::{SectorSet, Sectors},
    compile::Compiler,
    evaluate::{self, Facts, Hit, Outcome},
    file::Status,
    finding::Place,
    folder::{RuleSource, Shelves},
    lint,
    lists::Lists,
    rule::{Fit, Rule},
    statutes::Statutes,
};

/// Compiled rules. Matching is pure: the same listing, day and set give the same findings.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    atoms: Option<Atoms>,
    sectors: Sectors,
    statutes: Statutes,
    sources: Vec<RuleSource>,
    warnings: Vec<Diagnostic>,
    hash: String,
}

/// One rule at work on one surface.
pub(super) struct Work<'a> {
    pub rule: &'a Rule,
    pub surface: &'a FoldedSurface<'a>,
    pub fit: Fit,
    pub facts: Facts<'a>,
    pub hits: &'a [Hit],
    pub outcome: Outcome,
}

impl RuleSet {
    /// Compiles rule files, word lists (`lists/NAME.txt`), sectors (`lists/sectors.toml`) and `statutes/`.
    ///
    /// Lists, sectors and statutes that are not among `files` are the built-in ones.
    ///
    /// # Errors
    /// Every mistake, each with file, line and column.
    pub fn parse(files: Vec<RuleSource>) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = lint::sizes(&files);
        if !problems.is_empty() {
            return Err(problems);
        }
        let Shelves { rules, lists, statutes, lock } = Shelves::sort(files);
        let sectors = read_sectors(&lists, &mut problems);
        let words = Lists::read(&lists, &mut problems);
        let (law, mistakes) = Statutes::read(&statutes);
        problems.extend(mistakes);
        let atoms = AtomsBuilder::default();
        let mut compiler = Compiler { lists: &words, statutes: &law, sectors: &sectors, atoms, problems };
        let mut compiled: Vec<Rule> = Vec::new();
        for source in &rules {
            // A rule that failed leaves its number to the next; its words then do no harm, for the set is refused.
            compiled.extend(compiler.rule(source, compiled.len()));
        }
        let Compiler { atoms, mut problems, .. } = compiler;
        problems.extend(lint::set(&compiled, &rules));
        problems.extend(lock.iter().flat_map(|lock| lint::versions(&rules, lock)));
        if problems.iter().any(|problem| !problem.warning) {
            problems.sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
            return Err(problems);
        }
        let atoms = atoms.build().map_err(|error| vec![too_many_words(&error)])?;
        let hash = hash(&[&lists, &rules, &statutes]);
        Ok(Self {
            rules: compiled,
            atoms: Some(atoms),
            sectors,
            statutes: law,
            sources: rules,
            warnings: problems,
            hash,
        })
    }

    /// A set without rules, which finds nothing.
    pub fn empty() -> Self {
        Self::parse(Vec::new()).unwrap_or_else(|_| Self {
            rules: Vec::new(),
            atoms: None,
            sectors: Sectors::default(),
            statutes: Statutes::default(),
            sources: Vec::new(),
            warnings: Vec::new(),
            hash: String::new(),
        })
    }

    /// The rules, by id.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule named `id`.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Puts the active rules that `held` names into shadow.
    pub fn hold(&mut self, held: impl Fn(&str) -> bool) {
        for rule in self.rules.iter_mut().filter(|rule| rule.status == Status::Active && held(&rule.id)) {
            rule.status = Status::Shadow;
        }
    }

    /// SHA-256 (hex) of everything that decides what the set finds.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The folded words of the rule with this number, by clause and side.
    pub(super) fn words_of(&self, rule: usize) -> BTreeMap<(usize, u8), Vec<String>> {
        self.atoms.as_ref().map(|atoms| atoms.of_rule(rule)).unwrap_or_default()
    }

    pub(super) fn source(&self, path: &str) -> Option<&RuleSource> {
        self.sources.iter().find(|source| source.path == path)
    }

    /// The statutes its rules cite.
    pub fn statutes(&self) -> &Statutes {
        &self.statutes
    }

    /// What the lints warn of; mistakes would have refused the set.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// What the calendar says of the rules on `day`: expired exceptions, articles that lapse.
    pub fn calendar(&self, day: Date) -> Vec<Diagnostic> {
        lint::calendar(&self.rules, &self.sources, day)
    }

    /// What the active rules find in `listing`, whose folded surfaces are `surfaces`, captured on `on`.
    ///
    /// Matches that an exception covers are among them with `suppressed` set.
    pub fn findings(&self, listing: &Listing, surfaces: &[FoldedSurface<'_>], on: Date) -> Vec<Finding> {
        self.findings_of(listing, surfaces, on, |rule| rule.status == Status::Active)
    }

    /// What the active rules and those in shadow find, together.
    pub fn all_findings(&self, listing: &Listing, surfaces: &[FoldedSurface<'_>], on: Date) -> Vec<Finding> {
        self.findings_of(listing, surfaces, on, |rule| matches!(rule.status, Status::Active | Status::Shadow))
    }

    /// What the rules in shadow would find: to be counted, never queued.
    pub fn shadow_findings(&self, listing: &Listing, surfaces: &[FoldedSurface<'_>], on: Date) -> Vec<Finding> {
        self.findings_of(listing, surfaces, on, |rule| rule.status == Status::Shadow)
    }

    pub(super) fn findings_of(
        &self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        day: Date,
        wanted: impl Fn(&Rule) -> bool,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Some(atoms) = &self.atoms else { return findings };
        self.each(listing, surfaces, day, wanted, |work| {
            let Work { rule, surface, fit, outcome, .. } = work;
            findings.extend(Place { rule, surface, atoms, fit, day }.findings(&outcome));
        });
        findings
    }

    /// Runs the wanted rules over the surfaces they read and that hold one of their words.
    pub(super) fn each(
        &self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        day: Date,
        wanted: impl Fn(&Rule) -> bool,
        mut act: impl FnMut(Work<'_>),
    ) {
        let Some(atoms) = &self.atoms else { return };
        let hits: Vec<_> = surfaces.iter().map(|surface| atoms.hits(&surface.folded)).collect();
        if hits.iter().all(BTreeMap::is_empty) {
            return;
        }
        let sectors = self.sectors.of(listing);
        let mut seen: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (surface, here) in surfaces.iter().zip(&hits) {
            let attribute = attribute_of(surface);
            for (&number, of_rule) in here {
                let Some(rule) = self.rules.get(number).filter(|rule| wanted(rule)) else { continue };
                let fit = rule.sectors.fit(&sectors);
                if fit == Fit::No || !rule.reads(surface.surface.kind, attribute.as_deref()) {
                    continue;
                }
                let anywhere = seen.entry(number).or_insert_with(|| anywhere(rule, number, surfaces, &hits));
                let facts = Facts { listing, sectors: &sectors, day, anywhere };
                let outcome = evaluate::run(rule, surface, of_rule, facts);
                act(Work { rule, surface, fit, facts, hits: of_rule, outcome });
            }
        }
    }

    pub(super) fn has_sector(&self, sector: &str) -> bool {
        self.sectors.knows(sector)
    }

    /// The sectors `listing` is in, as rules see it.
    pub(super) fn sectors_of(&self, listing: &Listing) -> SectorSet {
        self.sectors.of(listing)
    }
}

/// The folded name of the attribute a surface is.
fn attribute_of(surface: &FoldedSurface<'_>) -> Option<String> {
    surface.surface.path.strip_prefix("attributes.").map(fold)
}

/// Clauses of `rule` that ask the whole listing and are answered; buyers and viewers are not asked.
fn anywhere(
    rule: &Rule,
    number: usize,
    surfaces: &[FoldedSurface<'_>],
    hits: &[BTreeMap<usize, Vec<Hit>>],
) -> Vec<usize> {
    let asked = rule.clauses.iter().enumerate().filter(|(_, clause)| clause.anywhere);
    let count = |index: usize| -> usize {
        surfaces
            .iter()
            .zip(hits)
            .filter(|(surface, _)| !matches!(surface.surface.kind, SurfaceKind::Review | SurfaceKind::Danmaku))
            .filter_map(|(surface, hits)| Some((surface, hits.get(&number)?)))
            .map(|(surface, hits)| evaluate::direct(rule, index, surface, &hits.iter().collect::<Vec<_>>()).len())
            .sum()
    };
    asked.filter(|(index, clause)| count(*index) >= clause.min_count).map(|(index, _)| index).collect()
}

fn read_sectors(shelf: &[RuleSource], problems: &mut Vec<Diagnostic>) -> Sectors {
    let Some(source) = shelf.iter().rfind(|source| source.stem() == "sectors" && source.is_toml()) else {
        return Sectors::default();
    };
    Sectors::parse(&source.text).unwrap_or_else(|error| {
        let help = "a sector is [name] with category = [words] and title = [words]";
        problems.push(Diagnostic::toml(&source.path, &source.text, &error, "rule.sectors", help));
        Sectors::default()
    })
}

fn too_many_words(error: &aho_corasick::BuildError) -> Diagnostic {
    let message = format!("the words of the rules fit into no automaton: {error}");
    Diagnostic::error("rules", "", 0..0, "rule.words", message, "use fewer words")
}

/// Files by shelf and name, line ends alike, so that the hash changes only with what the set finds.
fn hash(shelves: &[&[RuleSource]]) -> String {
    let mut parts: BTreeMap<(usize, &str), String> = BTreeMap::new();
    for (shelf, sources) in shelves.iter().enumerate() {
        for source in *sources {
            parts.insert((shelf, source.stem()), source.text.replace("\r\n", "\n"));
        }
    }
    let mut hasher = Sha256::new();
    for ((shelf, name), text) in parts {
        hasher.update(format!("{shelf} {name} {}\n", text.len()));
        hasher.update(text);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
