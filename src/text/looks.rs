//! What is typed for a letter or a word because it looks or sounds so: `tables/leet.tsv`, `tables/digits.tsv`,
//! `tables/splits.tsv`.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::mix::{Mixed, mix, spread};

static LEET: &str = include_str!("../../tables/leet.tsv");
static DIGITS: &str = include_str!("../../tables/digits.tsv");
static SPLITS: &str = include_str!("../../tables/splits.tsv");

type Codes = Box<[u32]>;

fn codes(text: &str) -> Codes {
    text.chars().map(|c| c as u32).collect()
}

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}

/// What is typed, with every letter it can stand for.
type Look = (Codes, Vec<u32>);

/// Characters that stand for Latin letters: `0` for o, `|-|` for h, `rn` for m.
pub struct Leet {
    /// Looks by their first character, the longest first.
    looks: HashMap<u32, Vec<Look>, Mixed>,
    /// By letter or look: the one that stands for all it can be mixed up with.
    class: HashMap<u32, u32, Mixed>,
    /// The same of the first 128 characters: every letter of a text asks.
    ascii: [u8; 128],
    /// Bits of those of the first 128 with which a look begins, and one of several characters.
    begins: u128,
    long: u128,
}

static LEETS: LazyLock<Leet> = LazyLock::new(|| {
    let mut looks: HashMap<u32, Vec<Look>, Mixed> = HashMap::default();
    let mut class: HashMap<u32, u32, Mixed> = HashMap::default();
    for row in rows(LEET) {
        let look = codes(row.first().copied().unwrap_or_default());
        let letters = row.get(1).copied().unwrap_or_default().split(' ').filter(|letter| letter.len() == 1);
        let letters: Vec<u32> = letters.flat_map(str::chars).map(|c| c as u32).collect();
        if let [one] = *look {
            for letter in &letters {
                let (a, b) = (root(&class, one), root(&class, *letter));
                class.insert(a.max(b), a.min(b));
            }
        }
        if let Some(first) = look.first() {
            looks.entry(*first).or_default().push((look, letters));
        }
    }
    looks.values_mut().for_each(|list| list.sort_by_key(|(look, _)| std::cmp::Reverse(look.len())));
    let ascii = std::array::from_fn(|code| root(&class, code as u32) as u8);
    let begins = |least: usize| {
        let begins =
            |code: &u32| looks.get(code).is_some_and(|looks| looks.iter().any(|(look, _)| look.len() >= least));
        (0..128).filter(begins).fold(0, |bits, code| bits | 1 << code)
    };
    let (begins, long) = (begins(1), begins(2));
    Leet { looks, class, ascii, begins, long }
});

fn root(class: &HashMap<u32, u32, Mixed>, mut code: u32) -> u32 {
    while let Some(&next) = class.get(&code).filter(|&&next| next != code) {
        code = next;
    }
    code
}

/// The table of letters and their looks.
pub fn leet() -> &'static Leet {
    &LEETS
}

impl Leet {
    /// The one that stands for all that `code` can be mixed up with.
    #[inline]
    pub fn class(&self, code: u32) -> u32 {
        match self.ascii.get(code as usize) {
            // What an ASCII character is mixed up with has the least of all numbers, which is one too.
            Some(class) => u32::from(*class),
            None => root(&self.class, code),
        }
    }

    /// Whether several characters of `word` may look like one.
    pub fn may_join(&self, word: &[u32]) -> bool {
        word.iter().any(|code| *code >= 128 || self.long >> code & 1 == 1)
    }

    /// `word` as everything that can be mixed up with it is written too: a key, not a reading.
    pub fn skeleton(&self, word: &[u32]) -> Vec<u32> {
        let mut skeleton = Vec::with_capacity(word.len());
        let mut rest = word;
        while let Some(&first) = rest.first() {
            let looks = self.looks.get(&first).into_iter().flatten();
            let long = looks.take_while(|(look, _)| look.len() > 1).find(|(look, _)| rest.starts_with(look));
            let (code, width) = match long {
                Some((look, letters)) => (letters.first().copied().unwrap_or(first), look.len()),
                None => (first, 1),
            };
            skeleton.push(self.class(code));
            rest = rest.get(width..).unwrap_or(&[]);
        }
        skeleton
    }

    /// How many characters at the beginning of `text` stand for `letter`, each way they do.
    pub fn stands_for(&self, text: &[u32], letter: u32) -> impl Iterator<Item = usize> {
        let begins = |first: &&u32| **first >= 128 || self.begins >> **first & 1 == 1;
        let looks = text.first().filter(begins).and_then(|first| self.looks.get(first)).into_iter().flatten();
        looks
            .filter(move |(look, letters)| text.starts_with(look) && letters.contains(&letter))
            .map(|(look, _)| look.len())
    }
}

/// A sign or digit that is read as a Chinese character: `3` as 三, `♥` as 爱.
static READ_AS: LazyLock<HashMap<u32, Vec<u32>, Mixed>> = LazyLock::new(|| {
    let mut read_as: HashMap<u32, Vec<u32>, Mixed> = HashMap::default();
    for row in rows(DIGITS) {
        let (Some(form), Some(words)) = (row.first(), row.get(3)) else { continue };
        let [one] = *codes(form) else { continue };
        let single = words.split(' ').map(codes).filter_map(|word| match *word {
            [code] => Some(code),
            _ => None,
        });
        read_as.entry(one).or_default().extend(single);
    }
    read_as
});

/// The characters that a single digit, letter or sign is read as.
pub fn read_as(code: u32) -> &'static [u32] {
    READ_AS.get(&code).map_or(&[], Vec::as_slice)
}

/// Digits that are read as a word of several characters: `1314` as 一生一世.
pub fn spoken_words() -> &'static [(&'static str, &'static str)] {
    static SPOKEN: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let spoken = rows(DIGITS).flat_map(|row| {
            let form = row.first().copied().unwrap_or_default();
            row.get(3).copied().unwrap_or_default().split(' ').map(move |word| (form, word))
        });
        spoken.filter(|(_, word)| word.chars().count() > 1 && !word.is_ascii()).collect()
    });
    &SPOKEN
}

/// Whether a sign that the fold drops may stand for a letter or a word.
pub fn is_look(code: u32) -> bool {
    static SIGNS: LazyLock<HashSet<u32, Mixed>> = LazyLock::new(|| {
        let gaps = rows(LEET)
            .filter(|row| row.get(2) == Some(&"gap"))
            .chain(rows(DIGITS).filter(|row| row.get(2) == Some(&"gap")));
        gaps.filter_map(|row| row.first().copied()).flat_map(str::chars).map(|c| c as u32).collect()
    });
    SIGNS.contains(&code)
}

struct Splits {
    /// By the parts, mixed.
    whole: HashMap<u64, Vec<(Codes, u32)>, Mixed>,
    /// A bit for each first two parts, by a hash: hardly any two characters in a row are such.
    begun: Vec<u64>,
}

static SPLIT: LazyLock<Splits> = LazyLock::new(|| {
    let mut whole: HashMap<u64, Vec<(Codes, u32)>, Mixed> = HashMap::default();
    let mut begun = vec![0_u64; 1 << (BEGUN_BITS - 6)];
    for row in rows(SPLITS) {
        let Some(character) = row.first().and_then(|text| text.chars().next()) else { continue };
        for parts in row.get(1).copied().unwrap_or_default().split(' ') {
            let parts = codes(parts);
            if let [one, other, ..] = *parts
                && let Some(word) = begun.get_mut(begun_at(one, other) >> 6)
            {
                *word |= 1 << (begun_at(one, other) & 63);
                let key = parts.iter().fold(0, |hash, part| mix(hash, *part));
                whole.entry(key).or_default().push((parts, character as u32));
            }
        }
    }
    Splits { whole, begun }
});

/// Bits of a hash of two parts: 128 KiB.
const BEGUN_BITS: u32 = 20;

#[inline]
fn begun_at(one: u32, other: u32) -> usize {
    (spread(mix(mix(0, one), other)) >> (64 - BEGUN_BITS)) as usize
}

/// Whether a split character may begin with these two parts.
#[inline]
pub fn begins_split(one: u32, other: u32) -> bool {
    let at = begun_at(one, other);
    SPLIT.begun.get(at >> 6).is_some_and(|word| word >> (at & 63) & 1 == 1)
}

/// The characters that are written as `parts`, one after the other: 女马 as 妈.
pub fn joined(parts: &[u32]) -> impl Iterator<Item = u32> {
    let key = parts.iter().fold(0, |hash, part| mix(hash, *part));
    let known = SPLIT.whole.get(&key).into_iter().flatten();
    known.filter(move |(own, _)| **own == *parts).map(|(_, whole)| *whole)
}

/// The ways in which a folded character is written as its parts: 妈 as 女马.
pub fn parts_of(code: u32) -> Vec<String> {
    let whole = rows(SPLITS).filter(|row| row.first().and_then(|text| text.chars().next()) == char::from_u32(code));
    whole.flat_map(|row| row.get(1).copied().unwrap_or_default().split(' ')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_read_and_what_can_be_mixed_up_has_one_skeleton() {
        let skeleton = |word: &str| leet().skeleton(&codes(word));
        assert_eq!(skeleton("n1ke"), skeleton("nike"));
        assert_eq!(skeleton("modern"), skeleton("modem"));
        assert_ne!(skeleton("nike"), skeleton("hike"));
        assert_eq!(leet().class('0' as u32), leet().class('o' as u32));
        assert_eq!(leet().stands_for(&codes("0x"), 'o' as u32).collect::<Vec<_>>(), [1]);
        assert!(is_look('$' as u32) && !is_look('，' as u32));
    }

    #[test]
    fn digits_are_read_aloud_and_parts_are_joined() {
        assert!(read_as('3' as u32).contains(&('三' as u32)));
        assert!(spoken_words().contains(&("1314", "一生一世")));
        assert!(begins_split('女' as u32, '马' as u32) && joined(&codes("女马")).any(|whole| whole == '妈' as u32));
        assert_eq!(joined(&codes("马女")).count(), 0);
    }
}
