//! A live room matched as it comes: each moment alone, and with what was said just before it.
//!
//! Main type: [`RoomMatcher`]. It keeps what it needs of the past and no more; what is found carries its moment and stands in
//! an excerpt of the timeline, so that a day's broadcast is never copied into a hit.

use std::collections::VecDeque;

use jiff::civil::Date;

use super::{
    Matcher, apart, moment,
    said::{Recent, Said},
};
use crate::model::{Finding, Findings, Goods, Listing, Moment, ShelfState, Span, TimelineEntry};

/// Moments that are remembered.
const REMEMBERED: usize = 256;
/// Changes of the shelf that are remembered.
const SHELF: usize = 512;
/// Longest silence over which speech, and a viewer's messages, go on: as `text/assembled` has it.
const CAPTION_PAUSE: u64 = 15_000;
const MESSAGE_PAUSE: u64 = 10_000;
/// Characters of earlier speech that are read again with what comes; a word is never longer.
const TAIL_CHARACTERS: usize = 64;
/// Captions and changes of the shelf that an excerpt shows around a finding.
const EXCERPT: usize = 16;

/// Matches one live room, moment by moment.
#[derive(Debug)]
pub struct RoomMatcher {
    /// The room's facts, without a timeline.
    room: Listing,
    /// What became of the shelf, as the timeline of a listing without other facts.
    shelf: Listing,
    recent: VecDeque<(u64, TimelineEntry)>,
    next: u64,
    said: Said,
    /// Whether what rules in shadow find is told too.
    shadow: bool,
}

/// What one moment showed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// What stands, strongest first; surfaces are those of `excerpt`.
    pub findings: Vec<Finding>,
    /// What was set aside, with the reason.
    pub suppressed: Vec<Finding>,
    /// What rules in shadow find, where that was asked for: to be counted, never queued.
    pub shadow: Vec<Finding>,
    /// The room, with the part of its timeline that findings stand in.
    pub excerpt: Listing,
}

impl RoomMatcher {
    /// A matcher of the room whose facts are `room`.
    pub fn new(mut room: Listing) -> Self {
        room.timeline.clear();
        Self { room, shelf: Listing::default(), recent: VecDeque::new(), next: 0, said: Said::default(), shadow: false }
    }

    /// Tells what rules in shadow find, too.
    #[must_use]
    pub fn with_shadow(self) -> Self {
        Self { shadow: true, ..self }
    }

    /// The room's facts, without a timeline.
    pub fn room(&self) -> &Listing {
        &self.room
    }

    /// The goods that are pinned now.
    pub fn pinned(&self) -> Option<Goods> {
        self.shelf.moment(u64::MAX).goods
    }

    /// Matches `entry` under the law of `on`; what was found before is not found again.
    pub fn hear(&mut self, matcher: &Matcher, entry: TimelineEntry, on: Date) -> Heard {
        let tail = self.tail(&entry);
        let (numbers, mut timeline): (Vec<u64>, Vec<TimelineEntry>) = tail.into_iter().unzip();
        timeline.push(TimelineEntry { goods: None, ..entry.clone() });
        let scene = Listing { timeline, ..self.facts(&entry) };
        let (mut found, mut shadow) = self.check(matcher, &scene, on);
        let now = scene.timeline.len() - 1;
        self.keep_new(&mut [&mut found.findings, &mut found.suppressed, &mut shadow], matcher, (&scene, now), on);
        let (at_ms, spoken) = (entry.at_ms, entry.kind == "caption");
        self.remember(entry);
        // Most of what comes is written by viewers and says nothing.
        if !spoken && found.findings.is_empty() && found.suppressed.is_empty() && shadow.is_empty() {
            return Heard::default();
        }
        let moment = self.shelf.moment(at_ms);
        for finding in found.findings.iter_mut().chain(&mut found.suppressed).chain(&mut shadow) {
            moment::tell(finding, moment.clone());
        }
        let pinned_ms = at_ms.saturating_sub(self.pinned_since(&moment));
        let recent = Recent { timeline: &scene.timeline, moment: &moment, pinned_ms };
        let across = self.said.hear(&recent, matcher.rules().map(AsRef::as_ref), on);
        for finding in across {
            let weak = finding.suppressed.is_some() || finding.score < matcher.queue_from();
            if weak { found.suppressed.push(finding) } else { found.findings.push(finding) }
        }
        if found.findings.is_empty() && found.suppressed.is_empty() && shadow.is_empty() {
            return Heard::default();
        }
        let (findings, suppressed) = (found.findings, found.suppressed);
        let mut heard = Heard { findings, suppressed, shadow, excerpt: self.room.clone() };
        self.excerpt(&numbers, &mut heard);
        heard.findings.sort_by(|a, b| b.score.total_cmp(&a.score));
        heard
    }

    fn check(&self, matcher: &Matcher, scene: &Listing, on: Date) -> (Findings, Vec<Finding>) {
        if self.shadow { matcher.check_with_shadow(scene, on) } else { (matcher.check(scene, on), Vec::new()) }
    }

    /// Leaves what stands in the newest moment of `scene`, or what its words make of an earlier one's: that was not found
    /// before they came.
    fn keep_new(&self, parts: &mut [&mut Vec<Finding>], matcher: &Matcher, (scene, now): (&Listing, usize), on: Date) {
        let earlier = |finding: &Finding| apart::is_of_several(finding) && !touches(finding, now);
        let mut before: Option<Vec<Finding>> = None;
        if parts.iter().any(|part| part.iter().any(earlier)) {
            let mut scene = scene.clone();
            scene.timeline.truncate(now);
            let (found, shadow) = self.check(matcher, &scene, on);
            before = Some(found.findings.into_iter().chain(found.suppressed).chain(shadow).collect());
        }
        let known = |finding: &Finding| {
            let same = |other: &Finding| {
                (&other.reference, &other.surface, other.start) == (&finding.reference, &finding.surface, finding.start)
            };
            before.iter().flatten().any(same)
        };
        for part in parts {
            part.retain(|finding| touches(finding, now) || earlier(finding) && !known(finding));
        }
    }

    /// What was said just before `entry` by the same speaker, or written by the same viewer.
    fn tail(&self, entry: &TimelineEntry) -> Vec<(u64, TimelineEntry)> {
        let pause = match entry.kind.as_str() {
            "shelf" => return Vec::new(),
            // Whose message it was is not known: the last one may be anybody's.
            "danmaku" if entry.speaker.is_none() => return Vec::new(),
            "danmaku" => MESSAGE_PAUSE,
            _ => CAPTION_PAUSE,
        };
        let mut tail: Vec<(u64, TimelineEntry)> = Vec::new();
        let (mut characters, mut after) = (0, entry.at_ms);
        for (number, earlier) in self.recent.iter().rev() {
            if earlier.kind != entry.kind || earlier.speaker != entry.speaker {
                continue;
            }
            if characters >= TAIL_CHARACTERS || after.saturating_sub(earlier.at_ms) > pause {
                break;
            }
            characters += earlier.text.chars().count();
            after = earlier.at_ms;
            tail.push((*number, earlier.clone()));
        }
        tail.reverse();
        tail
    }

    /// The room as far as it says what words on its timeline mean; what is said of the goods is said of their kind.
    fn facts(&self, entry: &TimelineEntry) -> Listing {
        let spoken = entry.kind == "caption";
        let goods = if spoken { self.shelf.moment(entry.at_ms).goods } else { None };
        Listing {
            platform: self.room.platform.clone(),
            seller: self.room.seller.clone(),
            category: self.room.category.clone(),
            title: goods.map(|goods| goods.title).unwrap_or_default(),
            ..Listing::default()
        }
    }

    /// When the goods of `moment` were pinned last.
    fn pinned_since(&self, moment: &Moment) -> u64 {
        let Some(goods) = &moment.goods else { return moment.at_ms };
        let pins = self.shelf.timeline.iter().filter(|entry| entry.at_ms <= moment.at_ms);
        let of_these = |entry: &&TimelineEntry| {
            entry.goods.as_ref().is_some_and(|known| known.id == goods.id && known.state == ShelfState::Pinned)
        };
        pins.filter(of_these).map(|entry| entry.at_ms).max().unwrap_or(moment.at_ms)
    }

    fn remember(&mut self, entry: TimelineEntry) {
        if entry.goods.is_some() {
            if self.shelf.timeline.len() >= SHELF {
                self.shelf.timeline = self.shelf_without_old();
            }
            self.shelf.timeline.push(entry.clone());
        }
        if self.recent.len() >= REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((self.next, entry));
        self.next += 1;
    }

    /// The newer half of the shelf's changes, and what was pinned before it.
    fn shelf_without_old(&self) -> Vec<TimelineEntry> {
        let (old, new) = self.shelf.timeline.split_at(SHELF / 2);
        let before = Listing { timeline: old.to_vec(), ..Listing::default() };
        let pinned = before.moment(u64::MAX).goods.map(|goods| TimelineEntry {
            at_ms: old.last().map_or(0, |entry| entry.at_ms),
            text: goods.title.clone(),
            kind: "shelf".into(),
            goods: Some(Goods { state: ShelfState::Pinned, ..goods }),
            ..TimelineEntry::default()
        });
        pinned.into_iter().chain(new.iter().cloned()).collect()
    }

    /// Gives `heard` the timeline it stands in; `numbers` are those of the earlier moments it was matched with.
    fn excerpt(&self, numbers: &[u64], heard: &mut Heard) {
        let now = self.next.saturating_sub(1);
        let shown = |(number, entry): &&(u64, TimelineEntry)| {
            *number == now || numbers.contains(number) || entry.kind != "danmaku"
        };
        let mut kept: Vec<&(u64, TimelineEntry)> = self.recent.iter().rev().filter(shown).take(EXCERPT).collect();
        // The shelf's newest change may lie further back.
        let pinned = self.recent.iter().rev().find(|(_, entry)| entry.goods.is_some());
        kept.extend(pinned.filter(|(number, _)| !kept.iter().any(|(other, _)| other == number)));
        kept.sort_by_key(|(number, _)| *number);
        let place = |index: usize| {
            let number = numbers.get(index).copied().unwrap_or(now);
            kept.iter().position(|(other, _)| *other == number).unwrap_or(0)
        };
        let renamed = |path: &mut String| {
            if let Some(index) = index_of(path) {
                *path = format!("timeline[{}].text", place(index));
            }
        };
        let all = heard.findings.iter_mut().chain(&mut heard.suppressed).chain(&mut heard.shadow);
        for finding in all {
            renamed(&mut finding.surface);
            finding.continues.iter_mut().for_each(|span| renamed(&mut span.surface));
        }
        heard.excerpt.timeline = kept.into_iter().map(|(_, entry)| entry.clone()).collect();
    }
}

/// The place in a timeline that a surface path names.
fn index_of(path: &str) -> Option<usize> {
    path.strip_prefix("timeline[")?.split(']').next()?.parse().ok()
}

/// Whether `finding` stands, wholly or in part, in the moment `index` of the timeline.
fn touches(finding: &Finding, index: usize) -> bool {
    let there = |path: &str| index_of(path) == Some(index);
    there(&finding.surface) || finding.continues.iter().any(|span: &Span| there(&span.surface))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        marks::{Register, import_csv},
        matcher::Settings,
        rules::{RuleSet, RuleSource},
    };

    fn matcher() -> Matcher {
        let csv = "id,holder,text,nice_classes\nm1,云雀体育,云雀,25\n";
        let register = Register::new(import_csv("marks.csv", csv).unwrap());
        Matcher::new(Arc::new(register), RuleSet::builtin().ok().map(Arc::new), Settings::default())
    }

    fn entry(at_ms: u64, kind: &str, text: &str) -> TimelineEntry {
        TimelineEntry { at_ms, kind: kind.into(), text: text.into(), ..TimelineEntry::default() }
    }

    fn shelf(at_ms: u64, id: &str, title: &str, price: &str) -> TimelineEntry {
        let price = serde_json::json!({"amount": price, "currency": "CNY"});
        let goods = serde_json::from_value(serde_json::json!({"id": id, "title": title, "price": price})).unwrap();
        TimelineEntry { goods: Some(goods), ..entry(at_ms, "shelf", title) }
    }

    fn on() -> Date {
        "2026-11-23".parse().unwrap()
    }

    fn hear(room: &mut RoomMatcher, matcher: &Matcher, entry: TimelineEntry) -> Heard {
        room.hear(matcher, entry, on())
    }

    #[test]
    fn a_word_cut_in_two_by_a_segments_border_is_found_with_its_second_and_its_price() {
        let matcher = matcher();
        let mut room = RoomMatcher::new(Listing { title: "直播间".into(), ..Listing::default() });
        assert!(hear(&mut room, &matcher, shelf(1000, "7", "轻便 跑鞋", "199.00")).findings.is_empty());
        assert!(hear(&mut room, &matcher, entry(61_000, "caption", "这一款是正品云")).findings.is_empty());
        assert!(hear(&mut room, &matcher, entry(61_500, "danmaku", "多少钱")).findings.is_empty());
        let heard = hear(&mut room, &matcher, entry(63_000, "caption", "雀跑鞋姐妹们看一下"));
        let finding = heard.findings.iter().find(|finding| finding.reference == "m1").expect("found");
        assert_eq!((finding.text.as_str(), finding.continues[0].text.as_str()), ("云", "雀"));
        assert_eq!(heard.excerpt.surface_text(&finding.surface), Some("这一款是正品云"));
        assert_eq!(heard.excerpt.surface_text(&finding.continues[0].surface), Some("雀跑鞋姐妹们看一下"));
        let moment = finding.moment.as_ref().unwrap();
        let goods = moment.goods.as_ref().unwrap();
        assert_eq!((moment.at_ms, goods.id.as_str()), (63_000, "7"));
        assert_eq!(goods.price.as_ref().unwrap().amount.to_string(), "199.00");
        assert!(finding.explanation[0].zh.contains("00:01:03") && finding.explanation[0].zh.contains("¥199.00"));
        // Said once, found once.
        assert!(hear(&mut room, &matcher, entry(65_000, "caption", "今天很舒服")).findings.is_empty());
    }

    /// A rule for what is said, with these clauses.
    fn with_rule(condition: &str, clauses: &str, status: &str) -> Matcher {
        let text = include_str!("../../fixtures/diagnostics/sound.toml")
            .replace("status = \"active\"", &format!("status = \"{status}\""))
            .replace("fields = [\"title\"]", "fields = [\"title\", \"spoken\"]")
            .replace("condition = \"praise\"", &format!("condition = \"{condition}\""))
            .replace("[clause.praise]\nwords = [\"绝妙无比\"]\n", clauses);
        let source = RuleSource { path: "sound.toml".into(), text };
        let rules = RuleSet::parse(vec![source]).unwrap_or_else(|problems| panic!("{}", problems[0]));
        Matcher::new(Arc::new(Register::new(Vec::new())), Some(Arc::new(rules)), Settings::default())
    }

    #[test]
    fn two_words_near_each_other_are_found_across_the_border_of_two_captions() {
        let clauses = "[clause.both]\nnear = { a = [\"加微信\"], b = [\"返现\"], within = 12 }\n";
        let matcher = with_rule("both", clauses, "active");
        let mut room = RoomMatcher::new(Listing::default());
        assert!(hear(&mut room, &matcher, entry(1000, "caption", "大家下单以后加微信")).findings.is_empty());
        let heard = hear(&mut room, &matcher, entry(3000, "caption", "马上返现给你"));
        let finding = heard.findings.first().expect("found");
        assert_eq!((finding.text.as_str(), finding.continues[0].text.as_str()), ("加微信", "马上返现"));
        assert!(hear(&mut room, &matcher, entry(5000, "caption", "今天很舒服")).findings.is_empty());
    }

    #[test]
    fn two_words_that_a_rule_asks_for_together_are_found_in_two_captions_and_once() {
        let clauses = "[clause.asks]\nwords = [\"加微信\"]\n[clause.gives]\nwords = [\"返现\"]\nreport = false\n";
        let matcher = with_rule("asks and gives", clauses, "active");
        let mut room = RoomMatcher::new(Listing::default());
        assert!(hear(&mut room, &matcher, entry(1000, "caption", "大家下单以后加微信")).findings.is_empty());
        let heard = hear(&mut room, &matcher, entry(3000, "caption", "马上返现给你"));
        let finding = heard.findings.first().expect("found");
        assert_eq!(heard.excerpt.surface_text(&finding.surface), Some("大家下单以后加微信"));
        assert_eq!(finding.text, "加微信");
        assert!(finding.explanation.iter().any(|step| step.code == "text.continued"), "{:#?}", finding.explanation);
        assert!(hear(&mut room, &matcher, entry(5000, "caption", "今天很舒服")).findings.is_empty(), "told once");
        // In one caption it is found as ever, and once too.
        let heard = hear(&mut room, &matcher, entry(60_000, "caption", "加微信返现"));
        assert_eq!(heard.findings.len(), 1);
        assert!(hear(&mut room, &matcher, entry(61_000, "caption", "好")).findings.is_empty());
    }

    #[test]
    fn what_a_rule_in_shadow_finds_is_told_where_it_is_asked_for() {
        let matcher = with_rule("asks", "[clause.asks]\nwords = [\"加微信\"]\n", "shadow");
        let said = || entry(1000, "caption", "大家加微信");
        assert_eq!(hear(&mut RoomMatcher::new(Listing::default()), &matcher, said()), Heard::default());
        let heard = hear(&mut RoomMatcher::new(Listing::default()).with_shadow(), &matcher, said());
        assert!(heard.findings.is_empty() && heard.suppressed.is_empty());
        assert_eq!((heard.shadow.len(), heard.shadow[0].text.as_str()), (1, "加微信"));
        assert_eq!(heard.excerpt.surface_text(&heard.shadow[0].surface), Some("大家加微信"));
    }

    #[test]
    fn a_long_broadcast_leaves_a_short_excerpt() {
        let matcher = matcher();
        let mut room = RoomMatcher::new(Listing::default());
        hear(&mut room, &matcher, shelf(0, "1", "跑鞋", "9.9"));
        for number in 0..2 * SHELF as u64 {
            hear(&mut room, &matcher, shelf(number + 1, "2", "袜子", "1.0"));
            hear(&mut room, &matcher, entry(number + 1, "caption", "好"));
        }
        let heard = hear(&mut room, &matcher, entry(9_000_000, "caption", "正品云雀跑鞋"));
        assert!(!heard.findings.is_empty() && heard.excerpt.timeline.len() <= EXCERPT + 1);
        assert!(room.recent.len() <= REMEMBERED && room.shelf.timeline.len() <= SHELF);
        assert_eq!(room.pinned().unwrap().id, "2");
    }
}
