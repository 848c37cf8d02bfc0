//! From a rule file to a rule: every part is read, bounded and fitted, every mistake is kept.
//!
//! Main type: [`Compiler`]. Words of a list are shared by all who name it; mistakes are diagnostics with a
//! place. Rules about a whole set (such as two files with one id) are `lint`'s matter.

use std::{collections::HashMap, ops::Range, sync::Arc};

use jiff::civil::Date;
use regex::RegexBuilder;
use toml::{Spanned, value::Datetime};

use crate::{
    model::{Channel, Diagnostic, Fix, Handling, SurfaceKind},
    text::fold,
};

use super::{
    RuleSource,
    category::Sectors,
    deep,
    expression::{Expression, Mistake, Token},
    file::{
        ClauseFile, Edges, ExceptFile, FoldStep, NearFile, NumberFile, RegexText, ReviewFile, RuleFile, SideFile,
        TestFile, day,
    },
    guard, life,
    limits::{
        MAX_ALL_WORDS, MAX_CITES, MAX_CLAUSES, MAX_REGEX_BYTES, MAX_REGEX_COMPILED, MAX_TESTS, MAX_TOLD, MAX_WITHIN,
        MAX_WORD_CHARS, MAX_WORDS,
    },
    lint,
    lists::Lists,
    nearest::nearest,
    number::{Number, Unit},
    rule::{Cite, Clause, Exception, Look, Near, Rule, Sector, SectorGate, Sides, Test, Yield},
    sentence,
    statutes::Statutes,
    words::Words,
};

/// What compiling many rules shares.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    pub lists: &'a Lists,
    pub statutes: &'a Statutes,
    pub sectors: &'a Sectors,
    /// The folded words of the lists that were named so far.
    pub shared: HashMap<String, Arc<Words>>,
    pub problems: Vec<Diagnostic>,
}

/// A clause or an exception, whichever was written: how it looks.
struct LookFile<'a> {
    words: Option<&'a [Spanned<String>]>,
    words_from: Option<&'a Spanned<String>>,
    regex: Option<&'a Spanned<String>>,
    atoms: &'a [Spanned<String>],
    on: RegexText,
    near: Option<&'a NearFile>,
    number: Option<&'a NumberFile>,
    when: Option<&'a Spanned<String>>,
    span: Range<usize>,
}

impl Compiler<'_> {
    /// Reads and compiles one file; `None` when nothing can be made of it.
    pub fn rule(&mut self, source: &RuleSource) -> Option<Rule> {
        let file: RuleFile = match toml::from_str(&source.text) {
            Ok(file) => file,
            Err(error) => {
                self.problems.push(syntax(source, &error));
                return None;
            }
        };
        let before = self.problems.len();
        let mut one = One { compiler: self, source, told: 0, names: Vec::new(), clauses: Vec::new() };
        let made = one.rule(&file);
        // What cannot be made into a rule is not looked at more closely.
        if made.is_some() {
            self.problems.extend(lint::file(&file, source));
        }
        let clean = !self.problems.iter().skip(before).any(|problem| !problem.warning);
        made.filter(|_| clean)
    }
}

fn syntax(source: &RuleSource, error: &toml::de::Error) -> Diagnostic {
    let message = error.message();
    if message.starts_with("unknown field") {
        let help = "correct the key or remove it; rules/README.md lists every key";
        let problem = Diagnostic::toml(&source.path, &source.text, error, "rule.unknown-key", help);
        // unknown field `a`, expected one of `b`, `c`
        let mut names = message.split('`').skip(1).step_by(2);
        let meant = names.next().and_then(|written| nearest(written, names));
        return match (meant, error.span()) {
            (Some(meant), Some(span)) => problem.with_fix(Fix::replace(span, meant)),
            _ => problem,
        };
    }
    Diagnostic::toml(&source.path, &source.text, error, "rule.syntax", "rules/README.md shows the form of a rule")
}

/// One file being compiled.
struct One<'a, 'b> {
    compiler: &'a mut Compiler<'b>,
    source: &'a RuleSource,
    /// Mistakes told so far.
    told: usize,
    names: Vec<String>,
    clauses: Vec<Clause>,
}

impl One<'_, '_> {
    fn wrong(&mut self, span: Range<usize>, code: &'static str, message: impl Into<String>, help: &str) {
        if self.tells() {
            let problem = Diagnostic::error(&self.source.path, &self.source.text, span, code, message, help);
            self.compiler.problems.push(problem);
        }
    }

    /// Whether one more mistake is told: each keeps the text of its file.
    fn tells(&mut self) -> bool {
        self.told += 1;
        self.told <= MAX_TOLD
    }

    fn rule(&mut self, file: &RuleFile) -> Option<Rule> {
        self.check_head(file);
        if file.clause.len() + file.except.len() > MAX_CLAUSES {
            return None;
        }
        let sectors = self.sectors(&file.sectors);
        let cites = self.cites(file);
        self.clauses(file);
        let exceptions = self.exceptions(&file.except);
        let condition = self.condition(&file.matching.as_ref().condition)?;
        self.mark_reported(file, &condition, &exceptions);
        let skip_attributes = self.names_from(&file.matching.as_ref().skip_attributes);
        let yields_to = file.matching.as_ref().yields_to.iter();
        let yields_to = yields_to.map(|name| Yield { to: name.as_ref().clone(), place: name.span() }).collect();
        let tests = self.tests(&file.test);
        Some(Rule {
            id: file.id.as_ref().clone(),
            version: *file.version.as_ref(),
            family: file.family.as_ref().clone(),
            kind: *file.kind.as_ref(),
            status: file.status,
            severity: file.severity,
            score: (*file.score.as_ref()).min(100),
            title: file.title.clone(),
            owner: file.owner.clone(),
            note: file.basis.as_ref().note.clone(),
            reason: file.review.as_ref().reason.clone(),
            guidance: file.review.as_ref().guidance.as_ref().map(|text| text.as_ref().clone()).unwrap_or_default(),
            tests,
            path: self.source.path.clone(),
            cites,
            gate: file.gate.as_ref().map(|gate| gate.as_ref().into()),
            quality: file.quality.as_ref().map(Into::into).unwrap_or_default(),
            handling: self.handling(file.review.as_ref()),
            sectors,
            fields: file.matching.as_ref().fields.clone(),
            skip_attributes,
            yields_to,
            channels: channels(&file.matching.as_ref().fold),
            condition,
            clauses: std::mem::take(&mut self.clauses),
            exceptions,
        })
    }

    fn handling(&mut self, file: &ReviewFile) -> Handling {
        let sla = file.sla.as_ref();
        let sla_minutes = sla.and_then(|written| life::sla_minutes(written.as_ref()));
        if let Some(written) = sla.filter(|_| sla_minutes.is_none()) {
            let message = format!("`{:.40}` is no time within which to decide", written.as_ref());
            let help = "write hours or days, such as \"48h\" or \"2d\": an hour at least, a year at most";
            self.wrong(written.span(), "rule.sla", message, help);
        }
        Handling { sla_minutes, second_approval: file.second_approval }
    }

    fn check_head(&mut self, file: &RuleFile) {
        if *file.format.as_ref() != 1 {
            self.wrong(file.format.span(), "rule.format", "this program reads rules of format 1", "write format = 1");
        }
        if *file.score.as_ref() == 0 || *file.score.as_ref() > 100 {
            self.wrong(file.score.span(), "rule.score", "a score is 1 to 100", "say how sure a plain match is");
        }
        let id = file.id.as_ref();
        if self.source.stem() != id {
            let message = format!("the file `{}` holds the rule `{id}`", self.source.path);
            self.wrong(file.id.span(), "rule.file-name", message, "give file and rule the same name");
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if id.is_empty() || id.len() > 80 || !id.chars().all(fits) {
            let help = "use small Latin letters, digits, `-` and `.`, at most 80";
            self.wrong(file.id.span(), "rule.id", format!("`{id}` is no rule id"), help);
        }
        if file.family.as_ref().trim().is_empty() {
            self.wrong(file.family.span(), "rule.family", "a rule needs a family", "name it, such as AD-ABS");
        }
        if file.clause.len() + file.except.len() > MAX_CLAUSES {
            let message = format!("more than {MAX_CLAUSES} clauses and exceptions");
            self.wrong(file.id.span(), "rule.clauses", message, "make two rules of it");
        }
    }

    fn sectors(&mut self, written: &[Spanned<String>]) -> SectorGate {
        let mut gate = SectorGate::default();
        for sector in written {
            let text = sector.as_ref();
            let (never, name) = text.strip_prefix('!').map_or((false, text.as_str()), |name| (true, name));
            if name == "*" && !never {
                gate.all = true;
            } else if let Some(number) = self.compiler.sectors.number(name) {
                let sectors = if never { &mut gate.never } else { &mut gate.only };
                sectors.push(Sector { name: name.to_owned(), number });
            } else {
                let help = "use a sector of lists/sectors.toml, or add it there";
                let mark = if never { "!" } else { "" };
                let meant = self.compiler.sectors.nearest(name).map(|meant| format!("{mark}{meant}"));
                let message = format!("there is no sector `{name}`");
                self.unknown(sector.span(), "rule.unknown-sector", message, help, meant.as_deref());
            }
        }
        gate
    }

    fn cites(&mut self, file: &RuleFile) -> Vec<Cite> {
        let written = &file.basis.as_ref().cites;
        if written.is_empty() || written.len() > MAX_CITES {
            let message = match written.len() {
                0 => "the rule rests on no law".to_owned(),
                count => format!("the rule cites {count} laws, more than {MAX_CITES}"),
            };
            let help = "add cites = [\"statute.topic\"] to [basis]; `markwarden rules law` shows the topics";
            self.wrong(file.basis.span(), "rule.missing-law", message, help);
            return Vec::new();
        }
        written.iter().map(|name| self.cite(name)).collect()
    }

    fn cite(&mut self, written: &Spanned<String>) -> Cite {
        let statutes = self.compiler.statutes;
        let (name, place) = (written.as_ref().clone(), written.span());
        let articles = statutes.cited(&name);
        if articles.is_empty() {
            let message = format!("no statute has the topic or article `{name}`");
            let help = "`markwarden rules law` shows what can be cited; a new article goes into statutes/";
            self.unknown(place.clone(), "rule.unknown-law", message, help, statutes.nearest(&name));
        }
        Cite { name, articles, place }
    }

    /// A name that nothing has, and the one that was probably meant.
    fn unknown(&mut self, span: Range<usize>, code: &'static str, message: String, help: &str, meant: Option<&str>) {
        if !self.tells() {
            return;
        }
        let problem = Diagnostic::error(&self.source.path, &self.source.text, span.clone(), code, message, help);
        // A name inside a longer value is no place to write into.
        let written = self.source.text.get(span.clone()).unwrap_or("");
        self.compiler.problems.push(match meant.filter(|_| written.starts_with('"')) {
            Some(meant) => problem.with_fix(Fix::replace(span, format!("\"{meant}\""))),
            None => problem,
        });
    }

    fn date(&mut self, written: &Spanned<Datetime>) -> Option<Date> {
        let date = day(written.as_ref());
        if date.is_none() {
            self.wrong(written.span(), "rule.date", "this is no day", "write a date such as 2027-01-01");
        }
        date
    }

    fn clauses(&mut self, file: &RuleFile) {
        self.names = file.clause.keys().map(|name| name.as_ref().clone()).collect();
        for (name, clause) in &file.clause {
            let (look, words) = self.look(&LookFile::of_clause(clause.as_ref(), name.span()));
            let ClauseFile { edges, cover, anywhere, report, min_count, written, .. } = clause.as_ref();
            let deep = channels(&file.matching.as_ref().fold).iter().any(|channel| deep::CHANNELS.contains(channel));
            if !written && (!deep || *cover || clause.as_ref().regex.is_some() || clause.as_ref().when.is_some()) {
                let message =
                    format!("the clause `{}` counts only what is meant, and nothing looks so deep", name.as_ref());
                let help =
                    "add sound, shape, split, pinyin or digit to fold, or take written = false away; it is for words";
                self.wrong(name.span(), "rule.clause", message, help);
            }
            let fields = self.fields_of(clause.as_ref(), file);
            self.clauses.push(Clause {
                name: name.as_ref().clone(),
                look,
                words,
                fields,
                edges: *edges,
                cover: *cover,
                min_count: min_count.as_ref().map_or(1, |count| (*count.as_ref()).max(1)),
                anywhere: *anywhere,
                written: *written,
                report: *report,
            });
        }
    }

    /// The kinds of surface a clause is kept to, each of which its rule reads.
    fn fields_of(&mut self, clause: &ClauseFile, file: &RuleFile) -> Vec<SurfaceKind> {
        let Some(written) = &clause.fields else { return Vec::new() };
        let read = &file.matching.as_ref().fields;
        if written.as_ref().is_empty() || written.as_ref().iter().any(|kind| !read.contains(kind)) {
            let message = "a clause is kept to surfaces that the rule does not read";
            let help = "name some of the fields of [match], or leave fields out";
            self.wrong(written.span(), "rule.clause-fields", message, help);
        } else if clause.when.is_some() {
            let message = "a `when` asks the listing, not its surfaces";
            self.wrong(written.span(), "rule.clause-fields", message, "leave fields out");
        }
        written.as_ref().clone()
    }

    fn exceptions(&mut self, written: &[Spanned<ExceptFile>]) -> Vec<Exception> {
        let mut exceptions = Vec::new();
        for exception in written {
            let clause = self.clauses.len();
            let file = exception.as_ref();
            let (look, words) = self.look(&LookFile::of_exception(file));
            let name = file.name.as_ref().clone();
            if file.why.zh.trim().is_empty() || file.why.en.trim().is_empty() {
                let message = format!("the exception `{name}` gives no reason");
                self.wrong(file.name.span(), "rule.no-reason", message, "say why, in zh and en");
            }
            self.clauses.push(Clause {
                name: format!("except {name}"),
                look,
                words,
                fields: Vec::new(),
                edges: Edges::Latin,
                cover: true,
                min_count: 1,
                anywhere: false,
                written: true,
                report: false,
            });
            let until = file.until.as_ref().and_then(|date| self.date(date));
            let place = file.until.as_ref().map_or(file.name.span(), Spanned::span);
            exceptions.push(Exception { name, why: file.why.clone(), until, clause, place });
        }
        exceptions
    }

    fn look(&mut self, file: &LookFile<'_>) -> (Look, Sides) {
        let ways = [
            file.words.is_some(),
            file.words_from.is_some(),
            file.regex.is_some(),
            file.near.is_some(),
            file.number.is_some(),
            file.when.is_some(),
        ];
        if ways.iter().filter(|&&used| used).count() != 1 {
            let message = "a clause has exactly one of words, words_from, regex, near, number and when";
            self.wrong(file.span.clone(), "rule.clause", message, "keep one; name the others as clauses");
            return (Look::Words, Sides::default());
        }
        if let Some(words) = file.words {
            return (Look::Words, [self.words(words), Vec::new()]);
        } else if let Some(list) = file.words_from {
            return (Look::Words, [self.list(list.as_ref(), &list.span()), Vec::new()]);
        } else if let Some(regex) = file.regex {
            return self.regex(regex, file);
        } else if let Some(near) = file.near {
            return self.near(near, file);
        } else if let Some(number) = file.number {
            return self.number(number);
        } else if let Some(when) = file.when {
            return (self.when(when), Sides::default());
        }
        (Look::Words, Sides::default())
    }

    fn number(&mut self, file: &NumberFile) -> (Look, Sides) {
        let unit = Unit::named(file.unit.as_ref());
        if unit.is_none() {
            let names: Vec<&str> = Unit::NAMES.iter().map(|(name, _)| *name).collect();
            let message = format!("numbers are counted in no `{}`", file.unit.as_ref());
            let help = format!("use one of {}", names.join(", "));
            let meant = nearest(file.unit.as_ref(), names.iter().copied());
            self.unknown(file.unit.span(), "rule.number", message, &help, meant);
        }
        let (least, most) = (file.at_least.unwrap_or(0.0), file.at_most.unwrap_or(f64::MAX));
        if file.at_least.is_none() && file.at_most.is_none() || least.is_nan() || most.is_nan() || least > most {
            let message = "no number lies between these bounds, or every one";
            self.wrong(file.unit.span(), "rule.number", message, "write at_least, at_most or both, the smaller first");
        }
        if *file.within.as_ref() > MAX_WITHIN {
            let message = format!("within reaches at most {MAX_WITHIN} characters");
            self.wrong(file.within.span(), "rule.within", message, "what stands further apart is not near");
        }
        let (unit, within) = (unit.unwrap_or(Unit::None), (*file.within.as_ref()).min(MAX_WITHIN));
        (Look::Number(Number { unit, least, most, within, order: file.order }), [self.words(&file.of), Vec::new()])
    }

    fn when(&mut self, when: &Spanned<String>) -> Look {
        let sectors = self.compiler.sectors;
        match guard::parse(when.as_ref(), |sector| sectors.knows(sector)) {
            Ok(guard) => Look::When(guard),
            Err(mistake) => {
                self.mistake(when, "rule.guard", &mistake);
                Look::Words
            }
        }
    }

    fn regex(&mut self, regex: &Spanned<String>, file: &LookFile<'_>) -> (Look, Sides) {
        let mut sides = Sides::default();
        if regex.as_ref().len() > MAX_REGEX_BYTES {
            let message = format!("the regex has {} bytes, more than {MAX_REGEX_BYTES}", regex.as_ref().len());
            self.wrong(regex.span(), "rule.regex-size", message, "use words and near instead");
            return (Look::Words, sides);
        }
        if file.atoms.iter().all(|atom| fold(atom.as_ref()).is_empty()) {
            let help = "add atoms = [\"…\"]: words one of which stands in every text the regex matches";
            self.wrong(regex.span(), "rule.no-literal", "a regex only confirms, and nothing calls it", help);
        }
        // An atom only calls the regex, so a single character will do.
        let atoms = file.atoms.iter().map(|atom| (atom.as_ref().clone(), fold(atom.as_ref())));
        let atoms: Vec<_> = atoms.filter(|(_, folded)| !folded.is_empty()).collect();
        sides[0] = self.bounded(vec![Words::new(atoms)]);
        let look = match RegexBuilder::new(regex.as_ref()).size_limit(MAX_REGEX_COMPILED).build() {
            Ok(built) => Look::Regex { regex: built, on: file.on },
            Err(regex::Error::CompiledTooBig(limit)) => {
                let message = format!("the regex compiles to more than {limit} bytes");
                self.wrong(regex.span(), "rule.regex-size", message, "repeat less, or use words and near");
                Look::Words
            }
            Err(error) => {
                let text = error.to_string();
                let message = text.lines().last().unwrap_or("the regex cannot be read").trim_start_matches("error: ");
                self.wrong(regex.span(), "rule.regex", format!("the regex cannot be read: {message}"), "correct it");
                Look::Words
            }
        };
        (look, sides)
    }

    fn near(&mut self, near: &NearFile, file: &LookFile<'_>) -> (Look, Sides) {
        if *near.within.as_ref() > MAX_WITHIN {
            let message = format!("within reaches at most {MAX_WITHIN} characters");
            self.wrong(near.within.span(), "rule.within", message, "what stands further apart is not near");
        }
        let ((a, first), (b, second)) = (self.side(&near.a, file), self.side(&near.b, file));
        let look = Look::Near(Near { a, b, within: *near.within.as_ref(), order: near.order, stop: near.stop });
        (look, [first, second])
    }

    /// The clause a side refers to, or its own words.
    fn side(&mut self, side: &SideFile, file: &LookFile<'_>) -> (Option<usize>, Vec<Arc<Words>>) {
        match side {
            SideFile::Words(words) => {
                let words = words.iter().map(|word| (word.as_str(), file.span.clone())).collect();
                (None, self.side_words(words))
            }
            SideFile::Clause(list) if list.starts_with('@') => (None, self.list(list, &file.span)),
            SideFile::Clause(name) => {
                let found = self.names.iter().position(|known| known == name);
                if found.is_none() {
                    let message = format!("near refers to the clause `{name}`, which does not exist");
                    let help = "name a [clause.…] of this file, or write the words as a list";
                    self.wrong(file.span.clone(), "rule.undefined-clause", message, help);
                }
                (found, Vec::new())
            }
        }
    }

    fn condition(&mut self, written: &Spanned<String>) -> Option<Expression<usize>> {
        let names = self.names.clone();
        let parsed = Expression::parse(written.as_ref(), |tokens| {
            let span = tokens.span();
            match tokens.peek().cloned() {
                Some(Token::Word(name)) => {
                    tokens.next();
                    names.iter().position(|known| *known == name).ok_or_else(|| {
                        let message = format!("the condition names the clause `{name}`, which does not exist");
                        Mistake::new(span, message, format!("add [clause.{name}] or use {}", names.join(", ")))
                    })
                }
                _ => Err(tokens.unexpected("the name of a clause")),
            }
        });
        match parsed {
            Ok(condition) => Some(condition),
            Err(mistake) => {
                let undefined = mistake.message.starts_with("the condition names");
                let code = if undefined { "rule.undefined-clause" } else { "rule.condition" };
                self.mistake(written, code, &mistake);
                None
            }
        }
    }

    /// Decides whose matches become findings, and finds clauses nobody asks.
    fn mark_reported(&mut self, file: &RuleFile, condition: &Expression<usize>, exceptions: &[Exception]) {
        let mut asked = vec![false; self.clauses.len()];
        let mut positive = asked.clone();
        condition.leaves(true, &mut |&index, stands| {
            if let (Some(asked), Some(positive)) = (asked.get_mut(index), positive.get_mut(index)) {
                *asked = true;
                *positive |= stands;
            }
        });
        for index in 0..self.clauses.len() {
            let Some(Clause { look: Look::Near(near), .. }) = self.clauses.get(index) else { continue };
            for reference in [near.a, near.b].into_iter().flatten() {
                self.check_reference(file, index, reference);
                if let Some(asked) = asked.get_mut(reference) {
                    *asked = true;
                }
            }
        }
        for (index, (name, _)) in file.clause.iter().enumerate() {
            let cover = self.clauses.get(index).is_some_and(|clause| clause.cover);
            if !cover && !asked.get(index).copied().unwrap_or(true) {
                let message = format!("nothing asks the clause `{}`", name.as_ref());
                self.wrong(name.span(), "rule.unused-clause", message, "use it in the condition or remove it");
            }
        }
        for (index, clause) in self.clauses.iter_mut().enumerate() {
            let text = !matches!(clause.look, Look::When(_));
            clause.report &= text && !clause.cover && !clause.anywhere && positive.get(index) == Some(&true);
        }
        if !self.clauses.iter().any(|clause| clause.report) {
            debug_assert!(exceptions.iter().all(|exception| exception.clause < self.clauses.len()));
            let span = file.matching.as_ref().condition.span();
            let help = "ask for at least one clause of words, regex, near or number without `not`";
            self.wrong(span, "rule.no-wording", "the condition looks for no wording, so nothing can be shown", help);
        }
    }

    /// A near may refer to a clause that refers to none itself: no circles, one order of work.
    fn check_reference(&mut self, file: &RuleFile, index: usize, reference: usize) {
        let refers = |clause: Option<&Clause>| match clause.map(|clause| &clause.look) {
            Some(Look::Near(near)) => near.refers(),
            Some(Look::When(_)) | None => true,
            Some(_) => false,
        };
        if refers(self.clauses.get(reference)) {
            let span = file.clause.keys().nth(index).map_or(file.id.span(), Spanned::span);
            let message = "near refers to a clause that is no wording of its own";
            self.wrong(span, "rule.reference", message, "refer to a clause of words, a regex, or a near of words");
        }
    }

    fn tests(&mut self, written: &[Spanned<TestFile>]) -> Vec<Test> {
        if written.len() > MAX_TESTS {
            let span = written.get(MAX_TESTS).map_or(0..0, Spanned::span);
            self.wrong(span, "rule.tests", format!("more than {MAX_TESTS} tests"), "keep those that show something");
            return Vec::new();
        }
        let mut tests = Vec::new();
        for test in written {
            let file = test.as_ref();
            let on = file.on.as_ref().and_then(|date| self.date(date));
            let line = self.source.text.get(..test.span().start).unwrap_or("").matches('\n').count() + 1;
            match sentence::listing(file.listing.as_ref()) {
                Ok(listing) => tests.push(Test {
                    name: file.name.clone(),
                    listing,
                    expect: *file.expect.as_ref(),
                    spans: file.spans.clone(),
                    on,
                    usual_price: file.usual_price,
                    line,
                    place: file.expect.span(),
                }),
                Err(message) => {
                    let help = "write listing = { title = \"…\" }; rules/README.md lists the fields";
                    self.wrong(file.listing.span(), "rule.test", message, help);
                }
            }
        }
        tests
    }

    fn names_from(&mut self, written: &[Spanned<String>]) -> Vec<String> {
        self.words(written).iter().flat_map(|words| words.folded()).map(str::to_owned).collect()
    }

    fn words(&mut self, written: &[Spanned<String>]) -> Vec<Arc<Words>> {
        self.side_words(written.iter().map(|word| (word.as_ref().as_str(), word.span())).collect())
    }

    /// The words of a side: those written there, then each list that is named there.
    fn side_words(&mut self, written: Vec<(&str, Range<usize>)>) -> Vec<Arc<Words>> {
        let (lists, plain): (Vec<_>, Vec<_>) = written.into_iter().partition(|(word, _)| word.starts_with('@'));
        let own: Vec<_> = plain.into_iter().filter_map(|(word, span)| self.word(word, span)).collect();
        let mut all = if own.is_empty() { Vec::new() } else { vec![Words::new(own)] };
        for (list, span) in lists {
            all.extend(self.list(list, &span));
        }
        self.bounded(all)
    }

    /// A word with its fold.
    fn word(&mut self, word: &str, span: Range<usize>) -> Option<(String, String)> {
        let folded = fold(word);
        let count = folded.chars().count();
        if folded.is_empty() {
            let message = format!("`{word}` is nothing but separators and can never match");
            self.wrong(span, "rule.dead-word", message, "remove it, or use a regex with on = \"original\"");
        } else if count == 1 && !folded.is_ascii() {
            let message = format!("`{word}` is a single character: it stands inside countless words");
            self.wrong(span, "rule.single-character", message, "write the words that are meant");
        } else if count > MAX_WORD_CHARS {
            let message = format!("a word of {count} characters; at most {MAX_WORD_CHARS}");
            self.wrong(span, "rule.long-word", message, "shorten it");
        } else {
            return Some((word.to_owned(), folded));
        }
        None
    }

    fn list(&mut self, name: &str, span: &Range<usize>) -> Vec<Arc<Words>> {
        let name = name.trim_start_matches('@');
        if let Some(words) = self.compiler.shared.get(name) {
            let words = vec![Arc::clone(words)];
            return self.bounded(words);
        }
        let lists = self.compiler.lists;
        let Some(words) = lists.words(name) else {
            let meant = lists.nearest(name);
            let message = format!("there is no word list `{name}`");
            let help = "add lists/NAME.txt beside the rules";
            self.unknown(span.clone(), "rule.list-missing", message, help, meant.as_deref());
            return Vec::new();
        };
        let words = Words::new(words.iter().map(|word| (word.clone(), fold(word))).collect());
        self.compiler.shared.insert(name.to_owned(), Arc::clone(&words));
        self.bounded(vec![words])
    }

    /// `words` of one side, unless they are too many.
    fn bounded(&mut self, words: Vec<Arc<Words>>) -> Vec<Arc<Words>> {
        if words.iter().map(|words| words.len()).sum::<usize>() > MAX_WORDS {
            self.wrong(0..0, "rule.words", too_many_words(), "a list this long belongs to the register of marks");
            return Vec::new();
        }
        words
    }

    /// A mistake inside a text of the file, underlined there when it is written without escapes.
    fn mistake(&mut self, written: &Spanned<String>, code: &'static str, mistake: &Mistake) {
        let span = written.span();
        let inside = span.start + 1..span.end.saturating_sub(1);
        let plain = self.source.text.get(inside.clone()) == Some(written.as_ref().as_str());
        let place = if plain {
            let start = inside.start + mistake.span.start;
            start..(inside.start + mistake.span.end).max(start + 1)
        } else {
            span
        };
        self.wrong(place, code, mistake.message.clone(), &mistake.help);
    }
}

impl<'a> LookFile<'a> {
    fn of_clause(file: &'a ClauseFile, span: Range<usize>) -> Self {
        Self {
            words: file.words.as_deref(),
            words_from: file.words_from.as_ref(),
            regex: file.regex.as_ref(),
            atoms: &file.atoms,
            on: file.on,
            near: file.near.as_ref(),
            number: file.number.as_ref(),
            when: file.when.as_ref(),
            span,
        }
    }

    fn of_exception(file: &'a ExceptFile) -> Self {
        Self {
            words: file.words.as_deref(),
            words_from: file.words_from.as_ref(),
            regex: file.regex.as_ref(),
            atoms: &file.atoms,
            on: file.on,
            near: file.near.as_ref(),
            number: file.number.as_ref(),
            when: file.when.as_ref(),
            span: file.name.span(),
        }
    }
}

/// What is said where a clause, or all rules together, have too many words.
pub(super) fn too_many_words() -> String {
    format!("more than {MAX_WORDS} words in a clause or {MAX_ALL_WORDS} in all")
}

/// The channels that fold steps undo.
pub(super) fn channels(steps: &[FoldStep]) -> Vec<Channel> {
    let mut channels = Vec::new();
    for step in steps {
        match step {
            FoldStep::Nfkc => channels.push(Channel::Width),
            // Case is folded for everyone and is no disguise.
            FoldStep::Case => {}
            FoldStep::T2s => channels.push(Channel::Traditional),
            FoldStep::Sep => channels.extend([Channel::Separator, Channel::Invisible]),
            FoldStep::Emoji => channels.push(Channel::Emoji),
            FoldStep::Glyph => channels.push(Channel::Confusable),
            FoldStep::Sound => channels.push(Channel::Homophone),
            FoldStep::Shape => channels.push(Channel::LookAlike),
            FoldStep::Split => channels.push(Channel::Split),
            FoldStep::Pinyin => channels.push(Channel::Pinyin),
            FoldStep::Digit => channels.push(Channel::Digit),
        }
    }
    channels
}
