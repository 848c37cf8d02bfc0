//! The compiled set of rules and what it says of a listing.
//!
//! Main type: [`RuleSet`].

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::{
    model::{Diagnostic, Finding, Listing, SurfaceKind},
    text::{FoldedSurface, fold},
};

use super::{
    category::{SectorSet, Sectors},
    compile::Compiler,
    deep::{Deep, Seen},
    evaluate::{self, Facts, Hit, Outcome},
    file::Status,
    finding::{self, Place},
    folder::{RuleSource, Shelves},
    guard::Given,
    lint,
    lists::Lists,
    plan::Plans,
    rows::Rows,
    rule::{Fit, Rule},
    statutes::Statutes,
    words::{Text, Words},
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
        let known: HashMap<&RuleSource, &Arc<Rule>> =
            before.sources.iter().zip(&before.written).filter(|_| same).collect();
        let shared = if same { before.shared.clone() } else { HashMap::new() };
        let mut compiler = Compiler { lists: &words, statutes: &law, sectors: &sectors, shared, problems };
        let (mut compiled, mut changed): (Vec<Arc<Rule>>, _) = (Vec::new(), Vec::new());
        for source in &rules {
            if let Some(&rule) = known.get(source) {
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
        let hash = hash(&[&lists, &rules, &laws]);
        let mut by_id: Vec<u32> = (0..compiled.len() as u32).collect();
        by_id.sort_by_key(|&number| compiled.get(number as usize).map(|rule| &rule.id));
        let yielding = yielding(&compiled);
        let plans = Plans::new(&compiled);
        Ok(Self {
            yielding,
            deep: Deep::new(&compiled, &plans),
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
        let mut found: Vec<(u32, Finding)> = Vec::new();
        let given = on.into();
        let reading = Reading::new(self, listing, surfaces, given);
        // Those to which a wanted rule gives way are run too, and not shown.
        let wins = |number| self.yielding.row(number).iter().filter_map(|&other| self.number(other)).any(&wanted);
        // Looking deep costs what a look for marks does: only for a rule that is asked.
        let asked = |number: &u32| self.number(*number).is_some_and(|rule| wanted(rule) || wins(*number));
        let deep = self.deep.looking().iter().any(asked);
        for (index, surface) in surfaces.iter().enumerate() {
            let mut called = self.plans.called(&surface.folded);
            if deep {
                called.extend(self.deep.rules(reading.seen(index)));
                called.sort_unstable();
                called.dedup();
            }
            for number in called {
                let Some(rule) = self.number(number).filter(|rule| wanted(rule) || wins(number)) else { continue };
                if !self.plans.reads(number, surface.surface.kind) {
                    continue;
                }
                reading.work(number, rule, index, Only::WhatMayHold, |work| {
                    let Work { rule, surface, fit, outcome, .. } = work;
                    let (plans, deep) = (&self.plans, (&self.deep, reading.seen(index)));
                    let place = Place { rule, surface, plans, deep, fit, day: given.day };
                    found.extend(place.findings(&outcome).into_iter().map(|finding| (number, finding)));
                });
            }
        }
        self.give_way(&mut found);
        let shown = found.into_iter().filter(|(number, _)| self.number(*number).is_some_and(&wanted));
        shown.map(|(_, finding)| finding).collect()
    }

    /// Sets aside what stands where a rule that counts instead has found something too.
    fn give_way(&self, found: &mut [(u32, Finding)]) {
        for index in 0..found.len() {
            let Some((number, finding)) = found.get(index) else { continue };
            let Some(rule) = self.number(*number).filter(|rule| !rule.yields_to.is_empty()) else { continue };
            let wins = |(other, of_other): &&(u32, Finding)| {
                let there =
                    of_other.surface == finding.surface && of_other.start < finding.end && finding.start < of_other.end;
                there
                    && of_other.suppressed.is_none()
                    && self.number(*other).is_some_and(|other| rule.gives_way_to(other))
            };
            let winner = found.iter().find(wins).map(|(_, winner)| winner.reference.clone());
            let winner = winner.filter(|_| finding.suppressed.is_none());
            if let (Some(winner), Some((_, finding))) = (winner, found.get_mut(index)) {
                finding::set_aside(finding, &winner);
            }
        }
    }

    fn number(&self, number: u32) -> Option<&Rule> {
        self.rules.get(number as usize).map(AsRef::as_ref)
    }

    /// Runs the rule `wanted` over every surface that it reads and that holds one of its words, whatever comes of it.
    pub(super) fn each(
        &self,
        listing: &Listing,
        surfaces: &[FoldedSurface<'_>],
        on: impl Into<Given>,
        wanted: &Rule,
        mut act: impl FnMut(Work<'_>),
    ) {
        let reading = Reading::new(self, listing, surfaces, on.into());
        let numbers = (0..).zip(&self.rules).filter(|(_, rule)| rule.id == wanted.id);
        for (number, rule) in numbers {
            for index in 0..surfaces.len() {
                reading.work(number, rule, index, Only::WhatHasWords, &mut act);
            }
        }
    }

    pub(super) fn has_sector(&self, sector: &str) -> bool {
        self.sectors.knows(sector)
    }

    #[cfg(test)]
    pub(super) fn plans(&self) -> &Plans {
        &self.plans
    }

    #[cfg(test)]
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

/// Which rules are run on a surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    /// Those of which a word stands there.
    WhatHasWords,
    /// Those whose condition may hold there.
    WhatMayHold,
}

/// A listing while the set reads it.
struct Reading<'a> {
    set: &'a RuleSet,
    listing: &'a Listing,
    surfaces: &'a [FoldedSurface<'a>],
    /// Where words stand on each surface; made when a rule first asks.
    texts: Vec<OnceCell<Text>>,
    /// Which words are meant there and do not stand; looked for when it is first asked.
    seen: Vec<OnceCell<Vec<Seen>>>,
    sectors: OnceCell<SectorSet>,
    given: Given,
}

impl<'a> Reading<'a> {
    fn new(set: &'a RuleSet, listing: &'a Listing, surfaces: &'a [FoldedSurface<'a>], given: Given) -> Self {
        let texts = surfaces.iter().map(|_| OnceCell::new()).collect();
        let seen = surfaces.iter().map(|_| OnceCell::new()).collect();
        Self { set, listing, surfaces, texts, seen, sectors: OnceCell::new(), given }
    }

    /// The surface number `index` and where words stand in it.
    fn text(&self, index: usize) -> Option<(&FoldedSurface<'a>, &Text)> {
        let (surface, text) = (self.surfaces.get(index)?, self.texts.get(index)?);
        Some((surface, text.get_or_init(|| Text::new(&surface.folded))))
    }

    /// The words of rules that are meant on the surface number `index` and do not stand there.
    fn seen(&self, index: usize) -> &[Seen] {
        let Some((surface, seen)) = self.surfaces.get(index).zip(self.seen.get(index)) else { return &[] };
        seen.get_or_init(|| self.set.deep.see(surface))
    }

    /// What stands or is meant on the surface number `index` for `clauses` of a rule, and whether anything is only meant.
    fn hits(&self, number: u32, rule: &Rule, clauses: Range<usize>, index: usize) -> (Vec<Hit>, bool) {
        let Some((_, text)) = self.text(index) else { return (Vec::new(), false) };
        let mut hits = self.set.plans.hits(number, clauses.clone(), text);
        if !rule.looks_deep() {
            return (hits, false);
        }
        hits.retain(|hit| rule.clauses.get(hit.clause).is_some_and(|clause| clause.written));
        let meant = self.set.deep.hits(number, rule, clauses, self.seen(index));
        let deeper = !meant.is_empty();
        if deeper {
            hits.extend(meant);
            hits.sort_by_key(|hit| (hit.clause, hit.side, hit.units.end, hit.units.start));
        }
        (hits, deeper)
    }

    /// Runs one rule on one surface that it reads; `act` gets what comes of it.
    fn work(&self, number: u32, rule: &Rule, index: usize, only: Only, act: impl FnOnce(Work<'_>)) {
        let sectors = self.sectors.get_or_init(|| self.set.sectors.of(self.listing));
        let fit = rule.sectors.fit(sectors);
        if fit == Fit::No {
            return;
        }
        let Some((surface, text)) = self.text(index) else { return };
        if !rule.reads(surface.surface.kind, attribute_of(surface).as_deref()) {
            return;
        }
        let plans = &self.set.plans;
        let all = 0..rule.clauses.len();
        let may_hold = only == Only::WhatHasWords || plans.may_hold(number, rule, text);
        if !may_hold && !rule.looks_deep() {
            return;
        }
        let (hits, deeper) = self.hits(number, rule, all, index);
        if hits.is_empty() || !may_hold && !deeper {
            return;
        }
        let anywhere = self.anywhere(number, rule);
        let facts = Facts { listing: self.listing, sectors, given: self.given, anywhere: &anywhere };
        let outcome = evaluate::run(rule, surface, &hits, facts);
        act(Work { rule, surface, fit, facts, hits: &hits, outcome });
    }

    /// Clauses of `rule` that ask the whole listing and are answered; buyers and viewers are not asked.
    fn anywhere(&self, number: u32, rule: &Rule) -> Vec<usize> {
        let asked = rule.clauses.iter().enumerate().filter(|(_, clause)| clause.anywhere);
        let count = |clause: usize| -> usize {
            self.surfaces
                .iter()
                .enumerate()
                .filter(|(_, surface)| !matches!(surface.surface.kind, SurfaceKind::Review | SurfaceKind::Danmaku))
                .map(|(index, surface)| {
                    let (hits, _) = self.hits(number, rule, clause..clause + 1, index);
                    evaluate::direct(rule, clause, surface, &hits.iter().collect::<Vec<_>>()).len()
                })
                .sum()
        };
        asked.filter(|(index, clause)| count(*index) >= clause.min_count).map(|(index, _)| index).collect()
    }
}

/// The folded name of the attribute a surface is.
fn attribute_of(surface: &FoldedSurface<'_>) -> Option<String> {
    surface.surface.path.strip_prefix("attributes.").map(fold)
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
