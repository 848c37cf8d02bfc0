//! The compiled set of rules and what it says of a listing.
//!
//! Main type: [`RuleSet`].

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    panic::resume_unwind,
    sync::Arc,
};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::{
    model::{Diagnostic, Finding, Listing},
    text::FoldedSurface,
};

use super::{
    category::{SectorSet, Sectors},
    compile::Compiler,
    deep::Deep,
    file::Status,
    folder::{RuleSource, Shelves},
    guard::Given,
    lint,
    lists::Lists,
    plan::Plans,
    reading::{Reading, Sighting, Sightings, Work},
    rows::Rows,
    rule::Rule,
    statutes::Statutes,
    words::Words,
};

/// Compiled rules. Matching is pure: the same listing, day and set give the same findings.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// Those in use.
    rules: Vec<Arc<Rule>>,
    /// The same as their files have them: some may be held in shadow.
    written: Vec<Arc<Rule>>,
    /// The places of rules, by id.
    by_id: Vec<u32>,
    /// By rule, those that give way to it.
    yielding: Rows,
    plans: Plans,
    deep: Deep,
    sectors: Sectors,
    statutes: Statutes,
    /// The folded words of lists that rules name.
    shared: HashMap<String, Arc<Words>>,
    sources: Vec<RuleSource>,
    lists: Vec<RuleSource>,
    laws: Vec<RuleSource>,
    lock: Option<RuleSource>,
    /// Those of single files, and all of them.
    warnings_of_files: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    hash: String,
}

impl RuleSet {
    /// Compiles rule files, word lists (`lists/NAME.txt`), sectors (`lists/sectors.toml`) and `statutes/`.
    ///
    /// Lists, sectors and statutes that are not among `files` are the built-in ones.
    ///
    /// # Errors
    /// Every mistake, each with file, line and column.
    pub fn parse(files: Vec<RuleSource>) -> Result<Self, Vec<Diagnostic>> {
        Self::parse_after(files, &Self::default())
    }

    /// The same, where `before` is in use: rules that have not changed since, and whose lists and laws have not, are taken
    /// from there.
    ///
    /// # Errors
    /// Every mistake, each with file, line and column.
    pub fn parse_after(files: Vec<RuleSource>, before: &Self) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = lint::sizes(&files);
        if !problems.is_empty() {
            return Err(problems);
        }
        let Shelves { rules, lists, statutes: laws, lock } = Shelves::sort(files);
        let sectors = read_sectors(&lists, &mut problems);
        let words = Lists::read(&lists, &mut problems);
        let (law, mistakes) = Statutes::read(&laws);
        problems.extend(mistakes);
        let same = lists == before.lists && laws == before.laws;
        let written = before.sources.iter().zip(&before.written).filter(|_| same);
        let known: HashMap<&str, (&RuleSource, &Arc<Rule>)> =
            written.map(|(source, rule)| (source.path.as_str(), (source, rule))).collect();
        let shared = if same { before.shared.clone() } else { HashMap::new() };
        let mut compiler = Compiler { lists: &words, statutes: &law, sectors: &sectors, shared, problems };
        let (mut compiled, mut changed): (Vec<Arc<Rule>>, _) = (Vec::new(), Vec::new());
        for source in &rules {
            if let Some((_, rule)) = known.get(source.path.as_str()).filter(|(known, _)| *known == source) {
                compiled.push(Arc::clone(rule));
            } else {
                compiled.extend(compiler.rule(source).map(Arc::new));
                changed.push(source.clone());
            }
        }
        let Compiler { mut problems, shared, .. } = compiler;
        // What was said of a rule that is taken over still holds; of its version, as long as the record is the same.
        let same_record = same && lock == before.lock;
        let told = if same_record { &changed } else { &rules };
        problems.extend(lock.iter().flat_map(|lock| lint::versions(told, lock)));
        let taken_over: HashSet<&str> = rules.iter().map(|source| source.path.as_str()).collect();
        let kept = before.warnings_of_files.iter().filter(|warning| {
            let changed = changed.iter().any(|source| source.path == warning.file);
            same && !changed
                && taken_over.contains(warning.file.as_str())
                && (same_record || !lint::is_of_version(warning))
        });
        problems.extend(kept.cloned());
        let warnings_of_files = problems.clone();
        problems.extend(lint::set(&compiled, &rules));
        if problems.iter().any(|problem| !problem.warning) {
            problems.sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
            return Err(problems);
        }
        let mut by_id: Vec<u32> = (0..compiled.len() as u32).collect();
        by_id.sort_by_key(|&number| compiled.get(number as usize).map(|rule| &rule.id));
        let yielding = yielding(&compiled);
        // Neither waits for the other, and a server waits for both.
        let (hash, plans, deep) = std::thread::scope(|scope| {
            let hash = scope.spawn(|| hash(&[&lists, &rules, &laws]));
            let plans = Plans::new(&compiled);
            let deep = Deep::new(&compiled, &plans);
            (hash.join().unwrap_or_else(|wrong| resume_unwind(wrong)), plans, deep)
        });
        Ok(Self {
            yielding,
            deep,
            plans,
            written: compiled.clone(),
            rules: compiled,
            by_id,
            sectors,
            statutes: law,
            shared,
            sources: rules,
            lists,
            laws,
            lock,
            warnings_of_files,
            warnings: problems,
            hash,
        })
    }

    /// A set without rules, which finds nothing.
    pub fn empty() -> Self {
        Self::parse(Vec::new()).unwrap_or_default()
    }

    /// The rules, by id.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rule named `id`.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        let of = |number: &u32| self.rules.get(*number as usize);
        let found =
            self.by_id.binary_search_by(|number| of(number).map(|rule| rule.id.as_str()).cmp(&Some(id))).ok()?;
        self.by_id.get(found).and_then(of).map(AsRef::as_ref)
    }

    /// Puts the active rules that `held` names into shadow.
    pub fn hold(&mut self, held: impl Fn(&str) -> bool) {
        for rule in self.rules.iter_mut().filter(|rule| rule.status == Status::Active && held(&rule.id)) {
            Arc::make_mut(rule).status = Status::Shadow;
        }
        self.yielding = yielding(&self.rules);
    }

    /// SHA-256 (hex) of everything that decides what the set finds.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The folded words of the rule with this number, by clause and side.
    pub(super) fn words_of(&self, rule: usize) -> BTreeMap<(usize, u8), Vec<String>> {
        let clauses = self.rules.get(rule).map_or(0, |rule| rule.clauses.len());
        let sides = (0..clauses).flat_map(|clause| [(clause, 0), (clause, 1)]);
        let words = sides.map(|(clause, side)| {
            let folded = self.plans.words_of(rule as u32, clause, side).map(|(_, codes)| text_of(codes));
            ((clause, side), folded.collect::<Vec<String>>())
        });
        words.filter(|(_, words)| !words.is_empty()).collect()
    }

    pub(super) fn source(&self, path: &str) -> Option<&RuleSource> {
        self.sources.iter().find(|source| source.path == path)
    }

    /// Its word lists and sectors, as they were read.
    pub(super) fn lists(&self) -> &[RuleSource] {
        &self.lists
    }

    /// The text of `rule`'s file, as it was read; empty for a rule of another set.
    pub fn text(&self, rule: &Rule) -> &str {
        self.source(&rule.path).map_or("", |source| source.text.as_str())
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
    pub fn findings(&self, listing: &Listing, surfaces: &[FoldedSurface<'_>], on: impl Into<Given>) -> Vec<Finding> {
        self.findings_of(listing, surfaces, on, |rule| rule.status == Status::Active)
    }

    /// What the active rules and those in shadow find, together.
    pub fn all_findings(
        &self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        on: impl Into<Given>,
    ) -> Vec<Finding> {
        self.findings_of(listing, surfaces, on, |rule| matches!(rule.status, Status::Active | Status::Shadow))
    }

    /// What the rules in shadow would find: to be counted, never queued.
    pub fn shadow_findings(
        &self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        on: impl Into<Given>,
    ) -> Vec<Finding> {
        self.findings_of(listing, surfaces, on, |rule| rule.status == Status::Shadow)
    }

    pub(super) fn findings_of(
        &self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        on: impl Into<Given>,
        wanted: impl Fn(&Rule) -> bool,
    ) -> Vec<Finding> {
        let sightings = self.sightings(listing, surfaces, on, wanted);
        sightings.iter().map(Sighting::finding).collect()
    }

    /// Where the rules that are `wanted` find something; a place is put into words when it is asked.
    pub fn sightings<'a>(
        &'a self,
        listing: &'a Listing,
        surfaces: &'a [FoldedSurface<'a>],
        on: impl Into<Given>,
        wanted: impl Fn(&Rule) -> bool,
    ) -> Sightings<'a> {
        Reading::new(self, listing, surfaces, on.into()).sightings(wanted)
    }

    pub(super) fn number(&self, number: u32) -> Option<&Rule> {
        self.rules.get(number as usize).map(AsRef::as_ref)
    }

    /// Runs the rule `wanted` over every surface that it reads and that holds one of its words, whatever comes of it.
    pub(super) fn each(
        &self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        on: impl Into<Given>,
        wanted: &Rule,
        act: impl FnMut(Work<'_>),
    ) {
        Reading::new(self, listing, surfaces, on.into()).each(wanted, act);
    }

    /// By rule, those that give way to it.
    pub(super) fn yielding(&self) -> &Rows {
        &self.yielding
    }

    pub(super) fn has_sector(&self, sector: &str) -> bool {
        self.sectors.knows(sector)
    }

    pub(super) fn plans(&self) -> &Plans {
        &self.plans
    }

    pub(super) fn deep(&self) -> &Deep {
        &self.deep
    }

    /// The sectors `listing` is in, as rules see it.
    pub(super) fn sectors_of(&self, listing: &Listing) -> SectorSet {
        self.sectors.of(listing)
    }
}

fn text_of(codes: &[u32]) -> String {
    codes.iter().filter_map(|code| char::from_u32(*code)).collect()
}

/// By rule, those that give way to it.
fn yielding(rules: &[Arc<Rule>]) -> Rows {
    let mut pairs = Vec::new();
    for (number, rule) in (0..).zip(rules).filter(|(_, rule)| !rule.yields_to.is_empty()) {
        let winners = (0..).zip(rules).filter(|(_, other)| rule.gives_way_to(other));
        pairs.extend(winners.map(|(winner, _)| (winner, number)));
    }
    Rows::of_pairs(rules.len(), &pairs)
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
