//! A text with findings in it, as runs to print: what is marked, what cannot be seen, what may be folded away.
//!
//! Offsets count Unicode scalar values in the original text. Invisible and direction-changing characters
//! never reach the page as themselves: they become visible signs, so a hostile text cannot reorder it.

use super::words::Words;
use crate::model::Severity;

/// Longest text printed of one surface, in characters.
const MAX_CHARS: usize = 20_000;
/// Most findings marked in one surface.
const MAX_MARKS: usize = 200;
/// A text longer than this is folded where nothing is marked.
const LONG_TEXT: usize = 360;
/// What stays visible around a finding, in characters.
const AROUND: usize = 90;

/// A place to mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkedSpan {
    pub start: usize,
    pub end: usize,
    pub severity: Severity,
    /// Set aside by context: marked more quietly.
    pub quiet: bool,
}

/// Part of a text with the same findings on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub pieces: Vec<Piece>,
    class: Option<String>,
}

/// What a run prints.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Break,
    /// A letter that looks like another.
    Odd(Sign),
    /// A character that shows nothing.
    Hidden(Sign),
    More(More),
}

/// A character with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sign {
    pub glyph: String,
    pub name: String,
}

/// Text folded away.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct More {
    pub words: String,
    pub pieces: Vec<Piece>,
}

impl Run {
    pub(super) fn marked(&self) -> bool {
        self.class.is_some()
    }

    pub(super) fn class(&self) -> &str {
        self.class.as_deref().unwrap_or("")
    }
}

/// The whole of `text` as one run with everything odd made visible.
pub(super) fn plain(text: &str) -> Run {
    let chars: Vec<char> = text.chars().take(MAX_CHARS).collect();
    Run { pieces: pieces(&chars, true), class: None }
}

/// `text` with `marks` marked; long stretches without any are folded when `fold` is set.
pub(super) fn runs(text: &str, marks: &[MarkedSpan], fold: bool, words: Words) -> Vec<Run> {
    let chars: Vec<char> = text.chars().take(MAX_CHARS).collect();
    let marks: Vec<MarkedSpan> = marks
        .iter()
        .map(|mark| MarkedSpan { end: mark.end.min(chars.len()), ..*mark })
        .filter(|mark| mark.start < mark.end)
        .take(MAX_MARKS)
        .collect();
    let mut borders: Vec<usize> = marks.iter().flat_map(|mark| [mark.start, mark.end]).collect();
    borders.extend([0, chars.len()]);
    borders.sort_unstable();
    borders.dedup();
    let long = fold && chars.len() > LONG_TEXT;
    borders
        .windows(2)
        .filter_map(|pair| {
            let (&start, &end) = (pair.first()?, pair.get(1)?);
            let part = chars.get(start..end)?;
            let class = class_of(marks.iter().filter(|mark| mark.start <= start && end <= mark.end));
            let pieces = if class.is_none() && long {
                folded(part, start > 0, end < chars.len(), words)
            } else {
                pieces(part, class.is_some())
            };
            Some(Run { pieces, class })
        })
        .collect()
}

/// The class of a place: the worst severity on it, and whether several findings meet there.
fn class_of<'a>(marks: impl Iterator<Item = &'a MarkedSpan>) -> Option<String> {
    let here: Vec<&MarkedSpan> = marks.collect();
    let worst = here.iter().map(|mark| mark.severity).max()?;
    let mut class = format!("sev-{}", severity_code(worst));
    if here.len() > 1 {
        class.push_str(" several");
    }
    if here.iter().all(|mark| mark.quiet) {
        class.push_str(" weak");
    }
    Some(class)
}

/// A severity's name in classes and addresses.
pub(super) fn severity_code(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn folded(part: &[char], after_mark: bool, before_mark: bool, words: Words) -> Vec<Piece> {
    let head = if after_mark || !before_mark { AROUND } else { 0 };
    let head = if !after_mark && !before_mark { LONG_TEXT } else { head };
    let tail = if before_mark { AROUND } else { 0 };
    let hidden = part.len().saturating_sub(head + tail);
    if hidden <= AROUND {
        return pieces(part, false);
    }
    let (first, rest) = part.split_at(head.min(part.len()));
    let (middle, last) = rest.split_at(rest.len().saturating_sub(tail));
    let mut out = pieces(first, false);
    out.push(Piece::More(More {
        words: words.count("more-characters", middle.len() as u64),
        pieces: pieces(middle, false),
    }));
    out.extend(pieces(last, false));
    out
}

fn pieces(chars: &[char], marked: bool) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut text = String::new();
    let mut previous = ' ';
    for &c in chars {
        let piece = match c {
            '\n' => Some(Piece::Break),
            '\r' => continue,
            '\u{200D}' | '\u{FE00}'..='\u{FE0F}' if !marked && previous >= '\u{2190}' => None,
            _ => match hidden_name(c) {
                Some(name) => Some(Piece::Hidden(sign(name, c))),
                None if marked => odd_script(c).map(|script| {
                    Piece::Odd(Sign { glyph: c.to_string(), name: format!("U+{:04X} {script}", u32::from(c)) })
                }),
                None => None,
            },
        };
        previous = c;
        match piece {
            Some(piece) => {
                if !text.is_empty() {
                    out.push(Piece::Text(std::mem::take(&mut text)));
                }
                out.push(piece);
            }
            None => text.push(c),
        }
    }
    if !text.is_empty() {
        out.push(Piece::Text(text));
    }
    out
}

fn sign(name: &str, c: char) -> Sign {
    Sign { glyph: name.to_owned(), name: format!("U+{:04X} {name}", u32::from(c)) }
}

/// The short name of a character that shows nothing or moves others.
fn hidden_name(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{200B}' => "ZWSP",
        '\u{200C}' => "ZWNJ",
        '\u{200D}' => "ZWJ",
        '\u{2060}' => "WJ",
        '\u{FEFF}' => "BOM",
        '\u{00AD}' => "SHY",
        '\u{034F}' => "CGJ",
        '\u{200E}' => "LRM",
        '\u{200F}' => "RLM",
        '\u{061C}' => "ALM",
        '\u{202A}' => "LRE",
        '\u{202B}' => "RLE",
        '\u{202C}' => "PDF",
        '\u{202D}' => "LRO",
        '\u{202E}' => "RLO",
        '\u{2066}' => "LRI",
        '\u{2067}' => "RLI",
        '\u{2068}' => "FSI",
        '\u{2069}' => "PDI",
        '\u{180E}' => "MVS",
        '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' => "HF",
        '\u{2800}' => "BRAILLE",
        '\u{2028}' => "LS",
        '\u{2029}' => "PS",
        '\u{2061}'..='\u{2064}' | '\u{206A}'..='\u{206F}' | '\u{FFF9}'..='\u{FFFB}' => "FORMAT",
        '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => "VS",
        '\u{E0000}'..='\u{E007F}' => "TAG",
        '\t' => return None,
        c if c.is_control() => "CTRL",
        _ => return None,
    })
}

/// The script of a letter that can pass for another inside a marked word.
fn odd_script(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{0370}'..='\u{03FF}' => "Greek",
        '\u{0400}'..='\u{052F}' => "Cyrillic",
        '\u{FF01}'..='\u{FF5E}' => "full width",
        '\u{1D400}'..='\u{1D7FF}' => "mathematical",
        '\u{2460}'..='\u{24FF}' => "enclosed",
        '\u{2F00}'..='\u{2FDF}' => "radical",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::Language;

    const WORDS: Words = Words(Language::English);

    fn mark(start: usize, end: usize) -> MarkedSpan {
        MarkedSpan { start, end, severity: Severity::High, quiet: false }
    }

    fn text(run: &Run) -> String {
        run.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Hidden(sign) => format!("[{}]", sign.glyph),
                Piece::Odd(sign) => format!("({})", sign.glyph),
                Piece::Break => "/".into(),
                Piece::More(more) => format!("<{}>", more.words),
            })
            .collect()
    }

    #[test]
    fn offsets_count_characters_and_hidden_ones_are_seen() {
        let shown = runs("正品云\u{200B}雀跑鞋", &[mark(2, 5)], false, WORDS);
        let texts: Vec<String> = shown.iter().map(text).collect();
        assert_eq!(texts, ["正品", "云[ZWSP]雀", "跑鞋"]);
        assert_eq!(shown.iter().map(Run::marked).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn overlapping_findings_are_cut_into_runs() {
        let worse = MarkedSpan { severity: Severity::Critical, ..mark(2, 4) };
        let shown = runs("abcdef", &[mark(1, 3), worse], false, WORDS);
        let classes: Vec<(String, &str)> = shown.iter().map(|run| (text(run), run.class())).collect();
        assert_eq!(
            classes,
            [
                ("a".into(), ""),
                ("b".into(), "sev-high"),
                ("c".into(), "sev-critical several"),
                ("d".into(), "sev-critical"),
                ("ef".into(), "")
            ]
        );
    }

    #[test]
    fn offsets_outside_the_text_do_no_harm() {
        for (start, end) in [(9, 12), (3, 1), (0, usize::MAX), (2, 2)] {
            let all: String = runs("云雀鞋", &[mark(start, end)], true, WORDS).iter().map(text).collect();
            assert_eq!(all, "云雀鞋");
        }
        assert!(runs("", &[mark(0, 1)], true, WORDS).is_empty());
    }

    #[test]
    fn direction_changes_never_reach_the_page() {
        let shown = runs("a\u{202E}b\u{2066}\u{0}c", &[], false, WORDS);
        assert_eq!(text(&shown[0]), "a[RLO]b[LRI][CTRL]c");
    }

    #[test]
    fn letters_of_other_scripts_show_only_where_marked() {
        let shown = runs("нет Nоva", &[mark(4, 8)], false, WORDS);
        assert_eq!(text(&shown[0]), "нет ");
        assert_eq!(text(&shown[1]), "N(о)va");
    }

    #[test]
    fn an_emoji_sequence_stays_whole_outside_findings() {
        assert_eq!(text(&runs("👨\u{200D}👩 ❤\u{FE0F}", &[], false, WORDS)[0]), "👨\u{200D}👩 ❤\u{FE0F}");
    }

    #[test]
    fn a_long_text_folds_where_nothing_is_marked() {
        let long = format!("{}云雀{}", "前".repeat(3000), "后".repeat(2000));
        let shown = runs(&long, &[mark(3000, 3002)], true, WORDS);
        assert_eq!(shown.len(), 3);
        assert!(text(&shown[0]).starts_with('<') && text(&shown[0]).ends_with(&"前".repeat(AROUND)));
        assert!(text(&shown[2]).ends_with('>'));
    }

    #[test]
    fn an_endless_text_and_endless_findings_are_cut() {
        let marks: Vec<MarkedSpan> = (0..MAX_MARKS + 50).map(|at| mark(at * 2, at * 2 + 1)).collect();
        let shown = runs(&"a".repeat(MAX_CHARS + 10), &marks, false, WORDS);
        assert_eq!(shown.iter().filter(|run| run.marked()).count(), MAX_MARKS);
        assert_eq!(shown.iter().map(|run| text(run).len()).sum::<usize>(), MAX_CHARS);
    }
}
