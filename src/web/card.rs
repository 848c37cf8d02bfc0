//! One hit as a card: the listing with its findings marked, the reasons, the evidence, the decisions.
//!
//! The same card is a page's body and what the island fetches ahead.

use askama::Template;
use jiff::tz::TimeZone;

use super::{
    evidence::Verification,
    frame::Frame,
    gathered::Gathered,
    query::Query,
    spans::{self, MarkedSpan, Piece, Run, severity_code},
    timeline::TimelineView,
    words::{Language, Words},
};
use crate::{
    model::{
        Account, Capture, Decision, Finding, FindingKind, Hit, HitState, Listing, Reason, Severity, Step, Surface,
        SurfaceKind, Timestamp, Verdict,
    },
    review,
};

/// Most surfaces without findings printed besides title and attributes.
const MAX_SURFACES: usize = 40;
/// Most attributes without findings printed.
const MAX_ATTRIBUTES: usize = 100;
/// Most pictures shown large.
const MAX_PICTURES: usize = 12;
/// Most findings printed.
const MAX_FINDINGS: usize = 50;

/// Everything a card is made of.
pub(super) struct Material<'a> {
    pub frame: &'a Frame,
    pub words: Words,
    pub zone: &'a TimeZone,
    pub now: Timestamp,
    pub who: &'a Account,
    pub hit: &'a Hit,
    /// The lease's fence, when the visitor holds one.
    pub fence: Option<u64>,
    pub evidence: Option<(Capture, Option<Verification>)>,
    pub around: Gathered,
    pub query: &'a Query,
    /// Where the form goes of who settles a disagreement about it; it is neither skipped nor passed on then.
    pub settles_at: Option<String>,
}

#[derive(Template)]
#[template(path = "desk/card.html")]
struct Card<'a> {
    f: &'a Frame,
    g: &'a Gathered,
    on_confirm: &'static str,
    on_dismiss: &'static str,
    escalates: bool,
    confirm_title: String,
    dismiss_title: String,
    golden: bool,
    id: u64,
    decides_at: String,
    settles: bool,
    number: String,
    heading: String,
    fence: u64,
    seen: usize,
    open: bool,
    decides: bool,
    undoable: bool,
    state: String,
    state_code: &'static str,
    held_by: Option<String>,
    severity_code: &'static str,
    priority: u32,
    meter: u32,
    back: String,
    filter: String,
    title: Vec<Run>,
    facts: Vec<Fact>,
    /// `live`, `picture` or `text`.
    layout: &'static str,
    timeline: Option<TimelineView>,
    pictures: Vec<PictureView>,
    surfaces: Vec<SurfaceView>,
    attributes: Vec<SurfaceView>,
    left_out_words: String,
    finding_count: usize,
    findings: Vec<FindingView>,
    evidence: Option<EvidenceView>,
    history: Vec<HistoryView>,
    decided_words: String,
    confirm: Vec<Choice>,
    dismiss: Vec<Choice>,
}

/// Something known, with its name.
pub(super) struct Fact {
    pub name: String,
    pub value: String,
    pub href: Option<String>,
}

/// A text of a listing.
pub(super) struct SurfaceView {
    pub name: String,
    pub note: String,
    pub runs: Vec<Run>,
}

/// A picture with something found in it, and the text read from it.
struct PictureView {
    name: String,
    href: Option<String>,
    runs: Vec<Run>,
}

struct FindingView {
    kind: String,
    word: String,
    family: String,
    reference: String,
    reference_href: String,
    surface: String,
    severity: String,
    severity_code: &'static str,
    severity_sign: &'static str,
    score: String,
    channels: Vec<ChannelView>,
    suppressed: Option<String>,
    steps: Vec<StepView>,
    citation: String,
    /// Other places of the same, in words.
    also: Vec<String>,
}

struct ChannelView {
    words: String,
    meaning: String,
    disguise: bool,
}

struct StepView {
    changes: bool,
    before: Run,
    after: String,
    words: String,
    score: String,
    is_last: bool,
}

struct EvidenceView {
    verdict: String,
    verdict_code: &'static str,
    sign: &'static str,
    facts: Vec<Fact>,
}

struct HistoryView {
    verdict: String,
    reason: String,
    by: String,
    at: String,
    note: String,
}

/// A reason to choose.
pub(super) struct Choice {
    pub code: &'static str,
    pub key: usize,
    pub words: String,
}

/// The card's HTML.
pub(super) fn render(material: &Material<'_>) -> Result<String, askama::Error> {
    let Material { words, hit, who, .. } = *material;
    let listing = &hit.what.listing;
    let shown = Shown::of(listing, &hit.what.findings, words);
    let open = hit.state.waits();
    let proposed = hit.state == HitState::Proposed;
    let held = open && who.decides() && material.fence.is_none();
    let kept = material.query.kept();
    let (yes, no) = if proposed { (Verdict::Approve, Verdict::Return) } else { (Verdict::Confirm, Verdict::Dismiss) };
    Card {
        f: material.frame,
        g: &material.around,
        on_confirm: if proposed { "approve" } else { "confirm" },
        on_dismiss: if proposed { "return" } else { "dismiss" },
        escalates: hit.state == HitState::Open && material.settles_at.is_none(),
        confirm_title: words.say(if proposed { "approve" } else { "confirm" }),
        dismiss_title: words.say(if proposed { "return-it" } else { "dismiss" }),
        golden: !open && who.may(crate::model::Permission::DecideMany),
        id: hit.id.0,
        decides_at: material.settles_at.clone().unwrap_or_else(|| format!("/hits/{}/decide", hit.id)),
        settles: material.settles_at.is_some(),
        number: words.count("hit-number", hit.id.0),
        heading: heading(hit),
        fence: material.fence.unwrap_or(0),
        seen: hit.decisions.len(),
        open,
        decides: material.fence.is_some(),
        undoable: hit.state != HitState::Open
            && material.fence.is_none()
            && review::undo(who, material.now, hit).is_ok(),
        state: words.say(state_key(hit.state)),
        state_code: state_code(hit.state),
        held_by: held.then(|| words.say("held-by-other")),
        severity_code: severity_code(hit.what.severity),
        priority: material.around.points,
        meter: material.around.points.min(255),
        back: if material.settles_at.is_some() {
            "/disputes".into()
        } else if kept.is_empty() {
            "/queue".into()
        } else {
            format!("/queue?{kept}")
        },
        filter: material.query.run(),
        title: shown.title,
        facts: listing_facts(listing, words, material.zone),
        layout: if shown.timeline.is_some() {
            "live"
        } else if shown.pictures.is_empty() {
            "text"
        } else {
            "picture"
        },
        timeline: shown.timeline,
        pictures: shown.pictures,
        surfaces: shown.surfaces,
        attributes: shown.attributes,
        left_out_words: if shown.left_out > 0 {
            words.count("surfaces-left-out", shown.left_out)
        } else {
            String::new()
        },
        finding_count: hit.what.findings.len(),
        findings: finding_views(&hit.what.findings, listing, words),
        evidence: material
            .evidence
            .as_ref()
            .map(|(capture, found)| evidence_view(capture, found.as_ref(), words, material.zone)),
        history: hit.decisions.iter().rev().map(|made| history_view(made, words, material.zone)).collect(),
        decided_words: decided_words(hit, who, held, words),
        confirm: choices(yes, words),
        dismiss: choices(no, words),
    }
    .render()
}

/// A hit's name in titles and lists.
pub(super) fn heading(hit: &Hit) -> String {
    let title: String = hit.what.listing.title.chars().take(60).collect();
    format!("#{} {}", hit.id, visible(&title))
}

/// The listing's texts, marked.
pub(super) struct Shown {
    pub title: Vec<Run>,
    timeline: Option<TimelineView>,
    pictures: Vec<PictureView>,
    pub surfaces: Vec<SurfaceView>,
    pub attributes: Vec<SurfaceView>,
    pub left_out: u64,
}

impl Shown {
    /// The texts of `listing`, with what was found in them marked.
    pub(super) fn of(listing: &Listing, findings: &[Finding], words: Words) -> Self {
        // Around nothing there is no timeline: who looks for what was missed reads all of it.
        let timeline = if findings.is_empty() { None } else { TimelineView::of(listing, findings, words) };
        let (title, pictures, surfaces, attributes) = Default::default();
        let mut shown = Self { title, timeline, pictures, surfaces, attributes, left_out: 0 };
        let surfaces = listing.surfaces();
        let found = |surface: &Surface<'_>| !marks_on(&surface.path, findings).is_empty();
        let runs = |surface: &Surface<'_>| {
            let fold = surface.kind != SurfaceKind::Title;
            spans::runs(surface.text, &marks_on(&surface.path, findings), fold, words)
        };
        let (mut room, mut attribute_room) = (MAX_SURFACES, MAX_ATTRIBUTES);
        for surface in &surfaces {
            match surface.kind {
                SurfaceKind::Title => shown.title = runs(surface),
                SurfaceKind::Brand | SurfaceKind::SellerName if !found(surface) => {}
                SurfaceKind::Spoken | SurfaceKind::Danmaku | SurfaceKind::Shelf if shown.timeline.is_some() => {}
                SurfaceKind::PictureText if found(surface) && shown.pictures.len() < MAX_PICTURES => {
                    let (name, note) = surface_name(surface, listing, words);
                    let href =
                        index_of(&surface.path).and_then(|at| listing.images.get(at)).map(|image| image.url.as_str());
                    let href = href.and_then(|address| url::Url::parse(address).ok());
                    let href = href.filter(|url| matches!(url.scheme(), "http" | "https")).map(String::from);
                    shown.pictures.push(PictureView { name: format!("{name} {note}"), href, runs: runs(surface) });
                }
                SurfaceKind::Attribute if attribute_room > 0 || found(surface) => {
                    attribute_room = attribute_room.saturating_sub(1);
                    let name = visible(surface.path.strip_prefix("attributes.").unwrap_or(&surface.path));
                    shown.attributes.push(SurfaceView { name, note: String::new(), runs: runs(surface) });
                }
                SurfaceKind::Attribute => shown.left_out += 1,
                _ if room > 0 || found(surface) => {
                    room = room.saturating_sub(1);
                    let (name, note) = surface_name(surface, listing, words);
                    shown.surfaces.push(SurfaceView { name, note, runs: runs(surface) });
                }
                _ => shown.left_out += 1,
            }
        }
        shown
    }
}

/// Where on the surface at `path` findings stand.
pub(super) fn marks_on(path: &str, findings: &[Finding]) -> Vec<MarkedSpan> {
    let mut marks = Vec::new();
    for finding in findings {
        let severity = finding.severity;
        let mut mark =
            |start, end| marks.push(MarkedSpan { start, end, severity, quiet: finding.suppressed.is_some() });
        if finding.surface == path {
            mark(finding.start, finding.end);
        }
        finding.continues.iter().filter(|span| span.surface == path).for_each(|span| mark(span.start, span.end));
    }
    marks
}

fn surface_name(surface: &Surface<'_>, listing: &Listing, words: Words) -> (String, String) {
    let name = words.say(match surface.kind {
        SurfaceKind::Title => "surface-title",
        SurfaceKind::Subtitle => "surface-subtitle",
        SurfaceKind::Description => "surface-description",
        SurfaceKind::Attribute => "surface-attribute",
        SurfaceKind::Brand => "surface-brand",
        SurfaceKind::SellerName => "surface-seller",
        SurfaceKind::PictureText => "surface-picture",
        SurfaceKind::Review => "surface-review",
        SurfaceKind::Spoken => "surface-spoken",
        SurfaceKind::Danmaku => "surface-danmaku",
        SurfaceKind::Shelf => "surface-shelf",
    });
    let index = index_of(&surface.path);
    let entry = index.filter(|_| surface.path.starts_with("timeline[")).and_then(|at| listing.timeline.get(at));
    let note = match (entry, index) {
        (Some(entry), _) => {
            let second = entry.at_ms / 1000;
            let speaker = visible(entry.speaker.as_deref().unwrap_or(""));
            format!("{:02}:{:02}:{:02} {speaker}", second / 3600, second / 60 % 60, second % 60)
        }
        (None, Some(index)) => format!("{}", index + 1),
        _ => String::new(),
    };
    (name, note)
}

/// The number in a path such as `images[2].text`.
fn index_of(path: &str) -> Option<usize> {
    path.split(['[', ']']).nth(1)?.parse().ok()
}

/// A surface path in words, such as `attribute 品牌`.
pub(super) fn place_words(path: &str, listing: &Listing, words: Words) -> String {
    let known = listing.surfaces().into_iter().find(|surface| surface.path == path);
    let Some(surface) = known else { return visible(path) };
    let (name, note) = surface_name(&surface, listing, words);
    let note = path.strip_prefix("attributes.").map_or(note, visible);
    if note.is_empty() { name } else { format!("{name} {note}") }
}

/// What is known of a listing beside its texts.
pub(super) fn listing_facts(listing: &Listing, words: Words, zone: &TimeZone) -> Vec<Fact> {
    let seller = listing.seller.as_ref();
    let price = listing.price.as_ref().map(price_words);
    let captured = listing.captured_at.map(|at| time_words(at, zone));
    let rows = [
        ("fact-price", price),
        ("fact-seller", seller.and_then(|seller| seller.name.clone())),
        ("fact-license", seller.and_then(|seller| seller.license.clone())),
        ("fact-platform", listing.platform.clone()),
        ("fact-category", (!listing.category.is_empty()).then(|| listing.category.join(" › "))),
        ("fact-brand", listing.brand.clone()),
        ("fact-sku", listing.sku.clone()),
        ("fact-captured", captured),
    ];
    let mut facts: Vec<Fact> = rows
        .into_iter()
        .filter_map(|(key, value)| {
            let value = visible(&value.filter(|value| !value.is_empty())?);
            Some(Fact { name: words.say(key), value, href: None })
        })
        .collect();
    if let Some(address) = &listing.url {
        let href = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let value = visible(address);
        facts.push(Fact { name: words.say("fact-link"), value, href: href.map(String::from) });
    }
    facts
}

/// A short text with everything invisible written out, at most 300 characters.
pub(super) fn visible(text: &str) -> String {
    visible_up_to(text, 300)
}

pub(super) fn visible_up_to(text: &str, characters: usize) -> String {
    let short: String = text.chars().take(characters).collect();
    let shown = spans::plain(&short).pieces.into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Hidden(sign) => format!("[{}]", sign.glyph),
        Piece::Odd(sign) => sign.glyph,
        Piece::Break => " ".to_owned(),
        Piece::More(_) => String::new(),
    });
    shown.collect()
}

/// A price as people write it.
pub(super) fn price_words(price: &crate::model::Money) -> String {
    match price.currency.as_str() {
        "CNY" => format!("¥{}", price.amount),
        "" => price.amount.to_string(),
        currency => format!("{currency} {}", price.amount),
    }
}

/// The page of a mark or rule.
pub(super) fn reference_href(reference: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(reference.as_bytes()).collect();
    format!("/references/{}", name.replace('+', "%20"))
}

/// The page of a listing's seller; empty where nothing names one.
pub(super) fn seller_href(listing: &Listing) -> String {
    match review::seller_key(listing) {
        0 => String::new(),
        key => format!("/sellers/{key:016x}"),
    }
}

/// What is registered of a mark, in words.
pub(super) fn mark_facts(mark: &crate::model::Mark, words: Words) -> Vec<(String, String)> {
    let classes: Vec<String> = mark.nice_classes.iter().map(ToString::to_string).collect();
    let status = match mark.status {
        crate::model::MarkStatus::Registered => "mark-registered",
        crate::model::MarkStatus::Pending => "mark-pending",
        crate::model::MarkStatus::Dead => "mark-dead",
    };
    let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let rows = [
        ("mark-holder", mark.holder.clone()),
        ("mark-number", format!("{} {}", mark.jurisdiction, mark.number).trim().to_owned()),
        ("mark-classes", classes.join("、")),
        ("mark-goods", mark.goods.join("；")),
        ("mark-status", words.say(status)),
        ("mark-expires", day(mark.expires_on)),
        ("mark-licensed", mark.authorised_sellers.join("；")),
    ];
    let given = rows.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(key, value)| (words.say(key), visible(&value))).collect()
}

/// A time in the desk's zone.
pub(super) fn time_words(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
}

/// How long ago, in the largest unit that fits.
pub(super) fn age_words(minutes: i64, words: Words) -> String {
    let minutes = u64::try_from(minutes).unwrap_or(0);
    match minutes {
        0..60 => words.count("age-minutes", minutes),
        60..2880 => words.count("age-hours", minutes / 60),
        _ => words.count("age-days", minutes / 1440),
    }
}

fn percent(score: f64) -> String {
    format!("{:.0}%", score.clamp(0.0, 1.0) * 100.0)
}

/// A severity in words.
pub(super) fn severity_words(severity: Severity, words: Words) -> String {
    words.say(match severity {
        Severity::Low => "severity-low",
        Severity::Medium => "severity-medium",
        Severity::High => "severity-high",
        Severity::Critical => "severity-critical",
    })
}

/// A severity's shape: nothing is told by color alone.
pub(super) fn severity_sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "○",
        Severity::Medium => "◐",
        Severity::High => "●",
        Severity::Critical => "▲",
    }
}

/// A state's name in the locale files.
pub(super) fn state_key(state: HitState) -> &'static str {
    match state {
        HitState::Open => "state-open",
        HitState::Confirmed => "state-confirmed",
        HitState::Dismissed => "state-dismissed",
        HitState::Proposed => "state-proposed",
        HitState::Escalated => "state-escalated",
    }
}

/// A state's name in classes and addresses.
pub(super) fn state_code(state: HitState) -> &'static str {
    match state {
        HitState::Open => "open",
        HitState::Confirmed => "confirmed",
        HitState::Dismissed => "dismissed",
        HitState::Proposed => "proposed",
        HitState::Escalated => "escalated",
    }
}

/// Findings as they came, strongest first; the same mark or rule written the same way is told once, with its places.
fn finding_views(findings: &[Finding], listing: &Listing, words: Words) -> Vec<FindingView> {
    let mut told: Vec<(&Finding, FindingView)> = Vec::new();
    for finding in findings.iter().take(MAX_FINDINGS) {
        match told.iter_mut().find(|(first, _)| same_story(first, finding)) {
            Some((_, view)) => {
                let place = place_words(&finding.surface, listing, words);
                view.also.push(format!("{place} {}", percent(finding.score)));
            }
            None => told.push((finding, finding_view(finding, listing, words))),
        }
    }
    told.into_iter().map(|(_, view)| view).collect()
}

fn same_story(one: &Finding, other: &Finding) -> bool {
    one.kind == other.kind
        && one.reference == other.reference
        && one.word == other.word
        && one.text == other.text
        && one.channels == other.channels
        && one.suppressed == other.suppressed
}

fn finding_view(finding: &Finding, listing: &Listing, words: Words) -> FindingView {
    let kind = match finding.kind {
        FindingKind::Mark => "kind-mark",
        FindingKind::Rule => "kind-rule",
    };
    let last = finding.explanation.len().saturating_sub(1);
    let word = if finding.word.is_empty() { &finding.text } else { &finding.word };
    FindingView {
        kind: words.say(kind),
        word: visible(word),
        family: visible(&finding.family),
        reference: visible(&finding.reference),
        reference_href: reference_href(&finding.reference),
        surface: place_words(&finding.surface, listing, words),
        severity: severity_words(finding.severity, words),
        severity_code: severity_code(finding.severity),
        severity_sign: severity_sign(finding.severity),
        score: percent(finding.score),
        channels: finding.channels.iter().map(|&channel| channel_view(channel, words)).collect(),
        suppressed: finding.suppressed.as_deref().map(visible),
        steps: finding.explanation.iter().enumerate().map(|(at, step)| step_view(step, at == last, words)).collect(),
        citation: visible(&finding.citation),
        also: Vec::new(),
    }
}

/// A disguise in words, and what it means.
fn channel_view(channel: crate::model::Channel, words: Words) -> ChannelView {
    ChannelView {
        words: channel_words(channel, words),
        meaning: words.say(&format!("channel-{channel}-meaning")),
        disguise: channel.is_disguise(),
    }
}

/// A disguise in words.
pub(super) fn channel_words(channel: crate::model::Channel, words: Words) -> String {
    words.say(&format!("channel-{channel}"))
}

fn step_view(step: &Step, is_last: bool, words: Words) -> StepView {
    StepView {
        changes: step.before != step.after && !step.before.is_empty() && !step.after.is_empty(),
        before: spans::plain(&step.before),
        after: visible(&step.after),
        words: match words.0 {
            Language::Chinese => visible(&step.zh),
            Language::English => visible(&step.en),
        },
        score: step.score.map(|score| format!("{:.0}%", score * 100.0)).unwrap_or_default(),
        is_last,
    }
}

fn evidence_view(capture: &Capture, found: Option<&Verification>, words: Words, zone: &TimeZone) -> EvidenceView {
    let (verdict_code, sign, verdict) = match found {
        Some(Verification::Intact) => ("intact", "✓", words.say("evidence-intact")),
        Some(Verification::Damaged(why)) => ("damaged", "✕", words.with("evidence-damaged", &[("why", why)])),
        Some(Verification::Missing(why)) => ("missing", "?", words.with("evidence-missing", &[("why", why)])),
        None => ("unchecked", "–", words.say("evidence-unchecked")),
    };
    let rows = [
        ("evidence-fetched", time_words(capture.fetched_at, zone)),
        ("evidence-status", capture.status.to_string()),
        ("evidence-address", capture.url.clone()),
        ("evidence-file", capture.file.clone()),
        ("evidence-place", format!("{} + {}", capture.offset, capture.length)),
        ("evidence-record-hash", capture.record_sha256.clone()),
        ("evidence-body-hash", capture.payload_sha256.clone()),
        ("evidence-id", capture.id.to_string()),
    ];
    let facts = rows
        .into_iter()
        .map(|(key, value)| Fact { name: words.say(key), value: visible(&value), href: None })
        .collect();
    EvidenceView { verdict, verdict_code, sign, facts }
}

fn history_view(made: &Decision, words: Words, zone: &TimeZone) -> HistoryView {
    HistoryView {
        verdict: verdict_words(made.verdict, words),
        reason: reason_words(made.reason, words),
        by: made.by.to_string(),
        at: time_words(made.at, zone),
        note: visible_up_to(&made.note, review::MAX_NOTE_CHARS),
    }
}

/// A verdict in words.
pub(super) fn verdict_words(verdict: Verdict, words: Words) -> String {
    words.say(match verdict {
        Verdict::Confirm => "verdict-confirmed",
        Verdict::Dismiss => "verdict-dismissed",
        Verdict::Reopen => "verdict-reopened",
        Verdict::Escalate => "verdict-escalated",
        Verdict::Approve => "verdict-approved",
        Verdict::Return => "verdict-returned",
    })
}

/// A reason in words.
pub(super) fn reason_words(reason: Reason, words: Words) -> String {
    words.say(&format!("reason-{}", reason.code()))
}

fn decided_words(hit: &Hit, who: &Account, held: bool, words: Words) -> String {
    match hit.decisions.last() {
        Some(made) if !hit.state.waits() => words.with(
            "decided-by",
            &[
                ("who", made.by.as_str()),
                ("verdict", &verdict_words(made.verdict, words)),
                ("reason", &reason_words(made.reason, words)),
            ],
        ),
        _ if held && hit.waits_for(&who.name) => words.say("held-by-other-words"),
        _ if held => words.say("waits-for-another"),
        _ => words.say("read-only"),
    }
}

/// The reasons that a verdict may carry.
pub(super) fn choices(verdict: Verdict, words: Words) -> Vec<Choice> {
    Reason::for_verdict(verdict)
        .iter()
        .enumerate()
        .map(|(at, reason)| Choice { code: reason.code(), key: at + 1, words: reason_words(*reason, words) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(surface: &str, text: &str) -> Finding {
        serde_json::from_value(serde_json::json!({
            "kind": "mark", "ref": "m", "family": "f", "surface": surface, "start": 0, "end": 2, "text": text, "word": "云雀",
            "channels": [], "score": 0.9, "severity": "high", "citation": "", "explanation": []
        }))
        .unwrap()
    }

    #[test]
    fn the_same_finding_in_several_places_is_told_once() {
        let listing: Listing = serde_json::from_str(r#"{"title":"云雀","brand":"云雀","description":"雲雀"}"#).unwrap();
        let findings = [finding("title", "云雀"), finding("brand", "云雀"), finding("description", "雲雀")];
        let views = finding_views(&findings, &listing, Words(Language::English));
        assert_eq!(views.len(), 2);
        assert_eq!(views[0].also, ["Brand 90%"]);
        assert!(views[1].also.is_empty());
    }

    #[test]
    fn an_endless_listing_makes_a_card_of_bounded_length() {
        let reviews: Vec<_> = (0..2_000).map(|_| serde_json::json!({"text": "好"})).collect();
        let attributes: serde_json::Map<String, serde_json::Value> =
            (0..500).map(|number| (number.to_string(), "x".into())).collect();
        let listing: Listing =
            serde_json::from_value(serde_json::json!({"title": "云雀", "reviews": reviews, "attributes": attributes}))
                .unwrap();
        let findings = vec![finding("reviews[1999].text", "好"); 80];
        let shown = Shown::of(&listing, &findings, Words(Language::English));
        assert_eq!((shown.surfaces.len(), shown.attributes.len()), (MAX_SURFACES + 1, MAX_ATTRIBUTES));
        assert_eq!(shown.left_out, 2_500 - (MAX_SURFACES + 1 + MAX_ATTRIBUTES) as u64);
        let told = finding_views(&findings, &listing, Words(Language::English));
        assert_eq!(told[0].also.len(), MAX_FINDINGS - 1);
    }
}
