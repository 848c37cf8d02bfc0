//! Texts that stand in no surface as a whole, but that a reader or a listener puts together: what was said over several
//! captions, what a viewer sent in several messages, what stands in a column read downwards.
//!
//! Main type: [`Assembled`]. It is matched like a surface; what is found in it is brought back to the surfaces by
//! [`Assembled::places`].

use std::ops::Range;

use super::Folded;
use crate::model::{Listing, Span, Surface, SurfaceKind};

/// Most characters that are put together at a time; the next text begins with the end of the last.
const MAX_CHARACTERS: usize = 2000;
/// Characters that one text shares with the next.
const OVERLAP: usize = 32;
/// Longest silence between two captions of one speech, and between two messages of one viewer, in milliseconds.
const CAPTION_PAUSE: u64 = 15_000;
const MESSAGE_PAUSE: u64 = 10_000;
/// Lines of a text that is read downwards: how many at least and at most, and how long at most.
const LINES: Range<usize> = 2..25;
const MAX_LINE: usize = 12;
/// Most texts of a listing.
const MAX_TEXTS: usize = 4000;

/// How the characters came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// One after another in time.
    Continued,
    /// Downwards, line by line.
    Downwards,
}

/// A text put together from surfaces.
#[derive(Debug, Clone)]
pub struct Assembled {
    /// The text.
    pub text: String,
    /// What sort of surface it comes from.
    pub kind: SurfaceKind,
    /// How.
    pub how: How,
    /// By character of `text`: the surface, by its number in the listing's order, and the character there; none for a
    /// space that was put between.
    places: Vec<Option<(u32, u32)>>,
    number: usize,
}

/// Every text that is put together from `surfaces`, which are those of `listing`.
pub fn assembled(listing: &Listing, surfaces: &[Surface<'_>]) -> Vec<Assembled> {
    let mut all = Vec::new();
    if listing.timeline.len() > 1 {
        for speech in speeches(listing, surfaces) {
            continued(surfaces, &speech, &mut all);
        }
    }
    for (number, surface) in surfaces.iter().enumerate() {
        if surface.text.contains('\n') {
            downwards(number, surface, &mut all);
        }
    }
    all.truncate(MAX_TEXTS);
    for (number, one) in all.iter_mut().enumerate() {
        one.number = number;
    }
    all
}

impl Assembled {
    /// The text as a surface, whose path is of no surface of a listing.
    pub fn surface(&self) -> Surface<'_> {
        Surface { path: format!("{PREFIX}{}", self.number), kind: self.kind, text: &self.text }
    }

    /// Which of `all` has the surface path `path`.
    pub fn of_path<'a>(all: &'a [Self], path: &str) -> Option<&'a Self> {
        path.strip_prefix(PREFIX).and_then(|number| all.get(number.parse::<usize>().ok()?))
    }

    /// Where the characters `start..end` stand, one span for each surface, in order; empty when they stand together in
    /// one surface and are found there.
    pub fn places(&self, start: usize, end: usize, surfaces: &[Surface<'_>]) -> Vec<Span> {
        let spans = self.spans(start, end, surfaces);
        if self.how == How::Continued && spans.len() < 2 { Vec::new() } else { spans }
    }

    /// Where the characters `start..end` stand in one surface; none when they stand in several.
    pub fn place(&self, start: usize, end: usize, surfaces: &[Surface<'_>]) -> Option<Span> {
        let mut spans = self.spans(start, end, surfaces);
        if spans.len() == 1 { spans.pop() } else { None }
    }

    fn spans(&self, start: usize, end: usize, surfaces: &[Surface<'_>]) -> Vec<Span> {
        let mut spans: Vec<(u32, u32, u32)> = Vec::new();
        for (surface, place) in self.places.get(start..end).into_iter().flatten().flatten() {
            match spans.last_mut() {
                Some((same, _, last)) if same == surface => *last = (*last).max(*place),
                _ => spans.push((*surface, *place, *place)),
            }
        }
        let span = |(surface, first, last): (u32, u32, u32)| {
            let surface = surfaces.get(surface as usize)?;
            let (start, end) = (first as usize, last as usize + 1);
            let text = surface.text.chars().skip(start).take(end - start).collect();
            Some(Span { surface: surface.path.clone(), start, end, text })
        };
        spans.into_iter().filter_map(span).collect()
    }

    fn new(kind: SurfaceKind, how: How) -> Self {
        Self { text: String::new(), kind, how, places: Vec::new(), number: 0 }
    }

    fn push(&mut self, c: char, place: Option<(u32, u32)>) {
        self.text.push(c);
        self.places.push(place);
    }
}

const PREFIX: &str = "\0assembled ";

/// Runs of captions of one speaker, and of messages of one viewer, by numbers of surfaces.
fn speeches(listing: &Listing, surfaces: &[Surface<'_>]) -> Vec<Vec<usize>> {
    let mut moments: Vec<(u64, usize, &str)> = Vec::new();
    for (number, surface) in surfaces.iter().enumerate() {
        if !matches!(surface.kind, SurfaceKind::Spoken | SurfaceKind::Danmaku) {
            continue;
        }
        let index =
            surface.path.strip_prefix("timeline[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
        let Some(entry) = index.and_then(|index| listing.timeline.get(index)) else { continue };
        moments.push((entry.at_ms, number, entry.speaker.as_deref().unwrap_or("")));
    }
    moments.sort_by_key(|(at, number, _)| (*at, *number));
    let mut open: std::collections::BTreeMap<(SurfaceKind, &str), (u64, Vec<usize>)> =
        std::collections::BTreeMap::new();
    let mut done = Vec::new();
    for (at, number, speaker) in moments {
        let Some(kind) = surfaces.get(number).map(|surface| surface.kind) else { continue };
        // Whose message it was is not known: the next one may be anybody's.
        if kind == SurfaceKind::Danmaku && speaker.is_empty() {
            continue;
        }
        let pause = if kind == SurfaceKind::Danmaku { MESSAGE_PAUSE } else { CAPTION_PAUSE };
        let (last, speech) = open.entry((kind, speaker)).or_insert_with(|| (at, Vec::new()));
        if at.saturating_sub(*last) > pause {
            done.push(std::mem::take(speech));
        }
        *last = at;
        speech.push(number);
    }
    done.extend(open.into_values().map(|(_, speech)| speech));
    done.retain(|speech| speech.len() > 1);
    done
}

/// Puts what was said together, in texts that are not too long; Latin words of two captions stay two words.
fn continued(surfaces: &[Surface<'_>], speech: &[usize], all: &mut Vec<Assembled>) {
    let Some(kind) = speech.first().and_then(|number| surfaces.get(*number)).map(|surface| surface.kind) else {
        return;
    };
    let mut now = Assembled::new(kind, How::Continued);
    for &number in speech {
        let Some(surface) = surfaces.get(number) else { continue };
        if now.text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && surface.text.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            now.push(' ', None);
        }
        for (place, c) in surface.text.chars().enumerate() {
            if now.places.len() >= MAX_CHARACTERS {
                let mut next = Assembled::new(kind, How::Continued);
                let from = now.places.len() - OVERLAP;
                for (c, place) in now.text.chars().zip(&now.places).skip(from) {
                    next.push(c, *place);
                }
                all.push(std::mem::replace(&mut now, next));
            }
            now.push(c, Some((number as u32, place as u32)));
        }
    }
    all.push(now);
}

/// Reads blocks of short lines downwards, column by column, from the left.
fn downwards(number: usize, surface: &Surface<'_>, all: &mut Vec<Assembled>) {
    let mut block: Vec<Vec<(u32, char)>> = Vec::new();
    let mut place = 0_u32;
    for line in surface.text.split('\n').chain(std::iter::once("")) {
        let characters: Vec<(u32, char)> = (place..).zip(line.chars()).filter(|(_, c)| Folded::is_unit(*c)).collect();
        place += line.chars().count() as u32 + 1;
        if !characters.is_empty() && characters.len() <= MAX_LINE {
            block.push(characters);
            continue;
        }
        columns(number, surface.kind, &block, all);
        block.clear();
    }
    columns(number, surface.kind, &block, all);
}

fn columns(number: usize, kind: SurfaceKind, block: &[Vec<(u32, char)>], all: &mut Vec<Assembled>) {
    // Lines of the same length stand in columns; of a list they hardly ever are.
    let width = block.iter().map(Vec::len).max().unwrap_or(0);
    if !LINES.contains(&block.len()) || width < 2 || block.iter().any(|line| line.len() + 1 < width) {
        return;
    }
    for column in 0..width {
        let mut text = Assembled::new(kind, How::Downwards);
        for (place, c) in block.iter().filter_map(|line| line.get(column)) {
            text.push(*c, Some((number as u32, *place)));
        }
        all.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(json: &str) -> Listing {
        serde_json::from_str(json).unwrap()
    }

    fn texts(listing: &Listing) -> Vec<String> {
        assembled(listing, &listing.surfaces()).into_iter().map(|one| one.text).collect()
    }

    #[test]
    fn a_speech_goes_on_over_captions_and_not_over_a_pause_or_another_speaker() {
        let room = listing(
            r#"{"title":"t","timeline":[
                {"at_ms":0,"text":"这款云","speaker":"主播"},{"at_ms":2000,"text":"好","speaker":"助理"},
                {"at_ms":3000,"text":"雀跑鞋","speaker":"主播"},{"at_ms":90000,"text":"下一款","speaker":"主播"},
                {"at_ms":3100,"text":"加微","kind":"danmaku","speaker":"a"},{"at_ms":3200,"text":"多少钱","kind":"danmaku"},
                {"at_ms":5000,"text":"信","kind":"danmaku","speaker":"a"}]}"#,
        );
        assert_eq!(texts(&room), ["这款云雀跑鞋", "加微信"]);
        let surfaces = room.surfaces();
        let all = assembled(&room, &surfaces);
        let places = all[0].places(2, 4, &surfaces);
        let told: Vec<_> =
            places.iter().map(|span| (span.surface.as_str(), span.start, span.end, &*span.text)).collect();
        assert_eq!(told, [("timeline[0].text", 2, 3, "云"), ("timeline[2].text", 0, 1, "雀")]);
        assert!(all[0].places(0, 2, &surfaces).is_empty());
    }

    #[test]
    fn latin_words_of_two_captions_stay_two() {
        let room = listing(r#"{"title":"t","timeline":[{"at_ms":0,"text":"new face"},{"at_ms":1,"text":"north"}]}"#);
        assert_eq!(texts(&room), ["new face north"]);
    }

    #[test]
    fn a_long_speech_is_put_together_in_pieces_that_share_their_ends() {
        let timeline: Vec<_> =
            (0..40).map(|at| serde_json::json!({"at_ms": at * 1000, "text": "字".repeat(99)})).collect();
        let room: Listing = serde_json::from_value(serde_json::json!({"title": "t", "timeline": timeline})).unwrap();
        let lengths: Vec<usize> = texts(&room).iter().map(|text| text.chars().count()).collect();
        assert_eq!(lengths, [MAX_CHARACTERS, 40 * 99 - MAX_CHARACTERS + OVERLAP]);
    }

    #[test]
    fn lines_of_one_length_are_read_downwards() {
        let picture =
            listing(r#"{"title":"t","images":[{"text":"云 正\n雀 品\n"}],"description":"一行\n很长很长的第二行"}"#);
        assert_eq!(texts(&picture), ["云雀", "正品"]);
        let surfaces = picture.surfaces();
        let places = assembled(&picture, &surfaces)[0].places(0, 2, &surfaces);
        assert_eq!((places[0].start, places[0].end, &*places[0].text), (0, 5, "云 正\n雀"));
    }

    proptest::proptest! {
        #[test]
        fn every_place_is_where_the_character_stands(
            lines in proptest::collection::vec("[云雀a \u{200b}🔥]{0,4}", 0..6),
            said in proptest::collection::vec(("[云雀a]{0,3}", 0_u64..40_000), 0..6),
        ) {
            let timeline: Vec<_> = said.iter().map(|(text, at)| serde_json::json!({"at_ms": at, "text": text})).collect();
            let json = serde_json::json!({"title": "t", "description": lines.join("\n"), "timeline": timeline});
            let listing: Listing = serde_json::from_value(json).unwrap();
            let surfaces = listing.surfaces();
            for one in assembled(&listing, &surfaces) {
                for (c, place) in one.text.chars().zip(&one.places) {
                    let there = place.and_then(|(surface, at)| surfaces[surface as usize].text.chars().nth(at as usize));
                    proptest::prop_assert_eq!(there.unwrap_or(' '), c);
                }
            }
        }
    }
}
