//! Compiles the fold table: one entry a code point, so that folding is a look-up.
//!
//! Sources: unicode-normalization (NFKC, NFKD), unicode-security (UTS #39 confusables) and the
//! OpenCC character table. They are slow one by one and keep no offsets; the table is neither.
//!
//! And lays the large tables of disguises out (`tables/`), so that looking one up needs no reading first.

#[allow(dead_code, reason = "the program uses all of it")]
#[path = "src/text/mix.rs"]
mod mix;

use std::{collections::HashMap, env, error::Error, fs, path::Path};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::confusable_detection::skeleton;

const UNIT: u32 = 0;
const GAP: u32 = 1;
const MANY: u32 = 2;

const SPACE: u32 = 1;
const LIGHT: u32 = 2;
const STRONG: u32 = 4;
const INVISIBLE: u32 = 8;
const EMOJI: u32 = 16;

const WIDTH: u32 = 1;
const TRADITIONAL: u32 = 2;
const CONFUSABLE: u32 = 4;

const PAGE: usize = 256;

/// The class of every English word: their list has no counts.
const ENGLISH_CLASS: u64 = 9;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var("OUT_DIR")?;
    let opencc = ferrous_opencc::OpenCC::from_config(ferrous_opencc::config::BuiltinConfig::T2s)?;
    let mut many: Vec<String> = Vec::new();
    let mut pages: Vec<u16> = Vec::new();
    let mut blocks: Vec<Vec<u32>> = Vec::new();
    let mut known: HashMap<Vec<u32>, u16> = HashMap::new();
    for first in (0..0x11_0000_u32).step_by(PAGE) {
        let block: Vec<u32> = (first..first + PAGE as u32)
            .map(|code| char::from_u32(code).map_or(0, |c| entry(c, &opencc, &mut many)))
            .collect();
        let next = blocks.len() as u16;
        let index = *known.entry(block.clone()).or_insert_with(|| {
            blocks.push(block);
            next
        });
        pages.push(index);
    }
    let mut plain = vec![0_u8; 0x1_0000 / 8];
    for (code, bit) in (0..0x1_0000_u32).map(|code| (code, 1 << (code % 8))) {
        let value = blocks[pages[code as usize / PAGE] as usize][code as usize % PAGE];
        if char::from_u32(code).is_some() && value == code {
            plain[code as usize / 8] |= bit;
        }
    }
    let mut table: Vec<u8> = Vec::new();
    for page in &pages {
        table.extend(page.to_le_bytes());
    }
    for value in blocks.iter().flatten() {
        table.extend(value.to_le_bytes());
    }
    let out = Path::new(&out);
    fs::write(out.join("fold.bin"), &table)?;
    fs::write(out.join("fold_plain.bin"), &plain)?;
    let lines: Vec<String> = many.iter().map(|text| format!("{text:?}")).collect();
    fs::write(out.join("fold_many.rs"), format!("[{}]", lines.join(",")))?;
    let (words, lengths) = words()?;
    fs::write(out.join("words.bin"), words)?;
    fs::write(out.join("words_lengths.bin"), lengths)?;
    fs::write(out.join("readings.bin"), readings()?)?;
    fs::write(out.join("alike.bin"), alike()?)?;
    Ok(())
}

/// The lines of a table, each in its columns.
fn rows(name: &str) -> Result<Vec<Vec<String>>, Box<dyn Error>> {
    let path = format!("tables/{name}.tsv");
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// An open hash table of one and a half times the entries, rounded up to a power of two, whose slots have so many bytes; one
/// that is 0 is free.
fn slots(entries: &[(u64, u64)], bytes: usize) -> Vec<u8> {
    let count = (entries.len() * 3 / 2).next_power_of_two();
    let mut slots = vec![0_u64; count];
    for (hash, value) in entries {
        let mut at = *hash as usize % count;
        while slots[at] != 0 {
            at = (at + 1) % count;
        }
        slots[at] = *value;
    }
    slots.into_iter().flat_map(|slot| slot.to_le_bytes().into_iter().take(bytes)).collect()
}

/// Words by their hash, the high 24 bits of which are kept, with their class in the low byte and a mark on names; and by 18 bits of the hash of their
/// first two characters, how many characters such words have: bit 1 for two, up to bit 7 for eight and more.
fn words() -> Result<(Vec<u8>, Vec<u8>), Box<dyn Error>> {
    let mut entries = Vec::new();
    let mut lengths = vec![0_u8; 1 << mix::LENGTHS_BITS];
    let mut hash_of = |word: &str| {
        let hash = |length: usize| mix::spread(word.chars().take(length).fold(0, |hash, c| mix::mix(hash, c as u32)));
        let length = word.chars().count();
        if length > 1 {
            lengths[(hash(2) >> (64 - mix::LENGTHS_BITS)) as usize] |= 1 << (length - 1).min(7);
        }
        hash(length)
    };
    for row in rows("words")? {
        let hash = hash_of(&row[0]);
        let class: u64 = row[1].parse()?;
        let name = u64::from(row.get(2).is_some_and(|name| name == "name"));
        entries.push((hash, hash >> 40 << 8 | name << 7 | (class + 1)));
    }
    for row in rows("english")? {
        let hash = hash_of(&row[0]);
        entries.push((hash, hash >> 40 << 8 | (ENGLISH_CLASS + 1)));
    }
    Ok((slots(&entries, 4), lengths))
}

/// Up to four syllables a character below U+10000, by their place in the table of syllables, from 1.
fn readings() -> Result<Vec<u8>, Box<dyn Error>> {
    let syllables: HashMap<String, u16> =
        rows("syllables")?.into_iter().enumerate().map(|(at, mut row)| (row.swap_remove(0), at as u16 + 1)).collect();
    let mut table = vec![[0_u16; 4]; 0x1_0000];
    for row in rows("readings")? {
        let Some(place) = row[0].chars().next().and_then(|c| table.get_mut(c as usize)) else { continue };
        let known = row[1].split(' ').filter_map(|syllable| syllables.get(syllable));
        for (slot, syllable) in place.iter_mut().zip(known) {
            *slot = *syllable;
        }
    }
    Ok(table.into_iter().flatten().flat_map(u16::to_le_bytes).collect())
}

/// Pairs of characters that look alike, the smaller one first: 16 bits each, then 1 for near and 2 for far.
fn alike() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut pairs: HashMap<u64, u64> = HashMap::new();
    for row in rows("lookalikes")? {
        let one = row[0].chars().next().ok_or("a look-alike of nothing")? as u64;
        for (column, grade) in row.iter().skip(1).zip(1..=2) {
            for other in column.chars().map(|c| c as u64).filter(|other| *other < 0x1_0000 && one < 0x1_0000) {
                let pair = one.min(other) << 16 | one.max(other);
                let known = pairs.entry(pair).or_insert(grade);
                *known = grade.min(*known);
            }
        }
    }
    let mut entries: Vec<(u64, u64)> =
        pairs.into_iter().map(|(pair, grade)| (mix::spread(pair), pair << 8 | grade)).collect();
    entries.sort_unstable();
    Ok(slots(&entries, 8))
}

/// Low 21 bits: the folded character, the gap's kind, or an index; 2 bits: what it is; from bit 24: what was changed.
fn entry(c: char, opencc: &ferrous_opencc::OpenCC, many: &mut Vec<String>) -> u32 {
    if let Some(gap) = gap(c) {
        return gap | GAP << 21;
    }
    let (folded, flags) = settle(c, opencc);
    let flags = flags << 24;
    let mut chars = folded.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => only as u32 | UNIT << 21 | flags,
        (None, _) => LIGHT | GAP << 21,
        _ => {
            let index = many.iter().position(|known| *known == folded).unwrap_or_else(|| {
                many.push(folded);
                many.len() - 1
            });
            index as u32 | MANY << 21 | flags
        }
    }
}

/// What kind of gap a character leaves, if it is no unit.
fn gap(c: char) -> Option<u32> {
    let code = c as u32;
    if is_invisible(code) || is_combining_mark(c) && !is_spacing_mark(code) {
        return Some(INVISIBLE);
    }
    if matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}') {
        return Some(STRONG);
    }
    if c.is_whitespace() || c.is_control() {
        return Some(SPACE);
    }
    if enclosed_letter(code).is_some() {
        return None;
    }
    if matches!(code, 0x1F000..=0x1F12F | 0x1F18A..=0x1FAFF | 0x2600..=0x2775 | 0x2794..=0x27BF | 0x2B00..=0x2BFF | 0x231A..=0x23FF)
    {
        return Some(EMOJI);
    }
    let plain: String = c.nfkc().collect();
    let first = plain.chars().find(|c| !c.is_whitespace())?;
    if first.is_alphanumeric() || plain.chars().any(char::is_alphanumeric) {
        return None;
    }
    Some(if is_strong(first) || is_strong(c) { STRONG } else { LIGHT })
}

fn is_strong(c: char) -> bool {
    matches!(
        c,
        '。' | '！'
            | '？'
            | '；'
            | '，'
            | '：'
            | '、'
            | '!'
            | '?'
            | ';'
            | ','
            | ':'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '"'
            | '（'
            | '）'
            | '【'
            | '】'
            | '《'
            | '》'
            | '「'
            | '」'
            | '『'
            | '』'
            | '“'
            | '”'
            | '〈'
            | '〉'
            | '〔'
            | '〕'
            | '〖'
            | '〗'
            | '…'
            | '‘'
            | '’'
            | '«'
            | '»'
            | '｡'
            | '､'
            | '¿'
            | '¡'
    )
}

/// Default-ignorable code points and fillers (Unicode, DerivedCoreProperties): nothing is seen.
fn is_invisible(code: u32) -> bool {
    matches!(
        code,
        0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
            | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
    )
}

/// Marks that are letters of Indic and similar scripts, not decoration.
fn is_spacing_mark(code: u32) -> bool {
    (0x900..0x1AB0).contains(&code)
        || (0x1B00..0x1DC0).contains(&code)
        || (0xA800..0xAC00).contains(&code)
        || (0x3099..=0x309A).contains(&code)
}

/// Letters in circles and squares that NFKC leaves alone.
fn enclosed_letter(code: u32) -> Option<char> {
    let at = |first: u32| char::from_u32('a' as u32 + code - first);
    match code {
        0x1F150..=0x1F169 => at(0x1F150),
        0x1F170..=0x1F189 => at(0x1F170),
        0x2776..=0x277E => char::from_u32('1' as u32 + code - 0x2776),
        0x278A..=0x2792 => char::from_u32('1' as u32 + code - 0x278A),
        _ => None,
    }
}

/// Folds until nothing changes any more, so that folding a folded text is the same text.
fn settle(c: char, opencc: &ferrous_opencc::OpenCC) -> (String, u32) {
    let (mut folded, mut flags) = fold(c, opencc);
    for _ in 0..4 {
        let mut again = String::new();
        for part in folded.chars().filter(|part| gap(*part).is_none()) {
            let (next, more) = fold(part, opencc);
            flags |= more;
            again.push_str(&next);
        }
        if again == folded {
            break;
        }
        folded = again;
    }
    (folded, flags)
}

/// Folds one character: compatibility forms, case, accents, traditional characters, Latin look-alikes.
fn fold(c: char, opencc: &ferrous_opencc::OpenCC) -> (String, u32) {
    if c.is_ascii() {
        return (c.to_ascii_lowercase().to_string(), 0);
    }
    if let Some(letter) = enclosed_letter(c as u32) {
        return (letter.to_string(), WIDTH);
    }
    let mut flags = 0;
    let plain: String = c.nfkc().filter(|c| c.is_alphanumeric()).collect();
    if plain.chars().ne([c]) {
        flags |= WIDTH;
    }
    let mut folded = String::new();
    for c in plain.chars() {
        if let Some(ascii) = latin_look(c) {
            if !c.is_ascii() {
                flags |= if strip_accents(c).is_ascii_alphabetic() { WIDTH } else { CONFUSABLE };
            }
            folded.push(ascii);
            continue;
        }
        let simple = opencc.convert(&c.to_string());
        let mut simple_chars = simple.chars();
        match (simple_chars.next(), simple_chars.next()) {
            (Some(s), None) if s != c => {
                flags |= TRADITIONAL;
                folded.push(s);
            }
            _ => folded.extend(c.to_lowercase().filter(|c| c.is_alphanumeric())),
        }
    }
    (folded, flags)
}

fn strip_accents(c: char) -> char {
    let mut parts = std::iter::once(c).nfkd().filter(|c| !is_combining_mark(*c));
    match (parts.next(), parts.next()) {
        (Some(base), None) => base,
        _ => c,
    }
}

/// The ASCII letter or digit a letter looks like, in lower case.
fn latin_look(c: char) -> Option<char> {
    let base = strip_accents(c);
    if base.is_ascii_alphanumeric() {
        return Some(base.to_ascii_lowercase());
    }
    if !is_alphabet_near_latin(base as u32) {
        return None;
    }
    let lower = base.to_lowercase().next().unwrap_or(base);
    let upper = base.to_uppercase().next().unwrap_or(base);
    // UTS #39 folds I, l and 1 together: a capital that looks like all three is read by its small form.
    let order =
        if base.is_uppercase() && look(base) == Some('l') { [lower, base, upper] } else { [base, lower, upper] };
    order.into_iter().find_map(look)
}

fn look(c: char) -> Option<char> {
    let text = c.to_string();
    let mut shape = skeleton(&text);
    match (shape.next(), shape.next()) {
        (Some(one), None) if one.is_ascii_alphanumeric() => Some(one.to_ascii_lowercase()),
        _ => None,
    }
}

/// Alphabets whose letters are taken for Latin ones.
fn is_alphabet_near_latin(code: u32) -> bool {
    matches!(
        code,
        0x80..=0x58F | 0x10A0..=0x10FF | 0x13A0..=0x13FF | 0x1C80..=0x1C8F | 0x1D00..=0x1DBF | 0x1E00..=0x1FFF | 0x2100..=0x218F
            | 0x2C60..=0x2CFF | 0x2D00..=0x2D2F | 0xA4D0..=0xA4FF | 0xA640..=0xA69F | 0xA720..=0xA7FF | 0xAB30..=0xABBF
            | 0x10280..=0x1031F | 0x10400..=0x104FF | 0x118A0..=0x118DF | 0x16F00..=0x16F9F
    )
}
