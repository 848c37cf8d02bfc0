//! How characters sound: Mandarin syllables without tones (`tables/readings.tsv`, `tables/syllables.tsv`).

use std::{collections::HashMap, sync::LazyLock};

use super::mix::{Mixed, mix};

static READINGS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/readings.bin"));
static TABLE: &str = include_str!("../../tables/syllables.tsv");
/// Longest syllable and longest spelling of one, in letters.
const MAX_LETTERS: usize = 6;

/// A syllable, by its place in the table of syllables, from 1.
pub type Sound = u16;

/// Up to four readings of a character; those it lacks are 0.
pub type Sounds = [Sound; 4];

/// The readings of a folded character, the most common first; all 0 when it has none.
#[inline]
pub fn sounds(code: u32) -> Sounds {
    let cells = READINGS.as_chunks::<8>().0;
    let Some(cell) = cells.get(code as usize) else { return [0; 4] };
    let (pairs, _) = cell.as_chunks::<2>();
    let mut sounds = [0; 4];
    for (sound, pair) in sounds.iter_mut().zip(pairs) {
        *sound = u16::from_le_bytes(*pair);
    }
    sounds
}

/// Whether two characters have a reading in common.
pub fn sound_alike(one: Sounds, other: Sounds) -> Option<Sound> {
    one.into_iter().filter(|sound| *sound != 0).find(|sound| other.contains(sound))
}

struct Syllables {
    /// By its letters, mixed; the letters themselves beside it.
    by_letters: HashMap<u64, (&'static [u8], Sound), Mixed>,
    names: Vec<&'static str>,
}

static SYLLABLES: LazyLock<Syllables> = LazyLock::new(|| {
    let (mut by_letters, mut names) = (HashMap::default(), Vec::new());
    for (row, sound) in TABLE.lines().skip(1).zip(1..) {
        let mut columns = row.split('\t');
        let name = columns.next().unwrap_or_default();
        names.push(name);
        let others = columns.nth(1).unwrap_or_default().split(' ');
        for spelling in std::iter::once(name).chain(others).filter(|spelling| !spelling.is_empty()) {
            by_letters.entry(mixed(spelling.as_bytes())).or_insert((spelling.as_bytes(), sound));
        }
    }
    Syllables { by_letters, names }
});

fn mixed(letters: &[u8]) -> u64 {
    letters.iter().fold(0, |hash, letter| mix(hash, (*letter).into()))
}

fn syllable(letters: &[u8]) -> Option<Sound> {
    let (own, sound) = SYLLABLES.by_letters.get(&mixed(letters))?;
    (*own == letters).then_some(*sound)
}

/// How a syllable is typed.
pub fn syllable_name(sound: Sound) -> &'static str {
    usize::from(sound).checked_sub(1).and_then(|at| SYLLABLES.names.get(at)).copied().unwrap_or_default()
}

/// Every syllable of every way to read `letters` as syllables from end to end: start, end, sound. Syllables of one letter
/// (a, e, o) say nothing alone and are left out when they are all there is.
pub fn syllables(letters: &[u8]) -> Vec<(usize, usize, Sound)> {
    // Forward: where a reading from the beginning can get to; backward: from where the end is reached.
    let pieces: Vec<(usize, usize, Sound)> = (0..letters.len())
        .flat_map(|start| {
            let ends = start + 1..=(start + MAX_LETTERS).min(letters.len());
            ends.filter_map(move |end| Some((start, end, syllable(letters.get(start..end)?)?)))
        })
        .collect();
    let (mut reached, mut reaching) = (vec![false; letters.len() + 1], vec![false; letters.len() + 1]);
    mark(&mut reached, 0);
    mark(&mut reaching, letters.len());
    for (start, end, _) in &pieces {
        if is_marked(&reached, *start) {
            mark(&mut reached, *end);
        }
    }
    for (start, end, _) in pieces.iter().rev() {
        if is_marked(&reaching, *end) {
            mark(&mut reaching, *start);
        }
    }
    let whole: Vec<_> = pieces
        .into_iter()
        .filter(|(start, end, _)| is_marked(&reached, *start) && is_marked(&reaching, *end))
        .collect();
    if whole.iter().all(|(start, end, _)| end - start == 1) { Vec::new() } else { whole }
}

fn mark(places: &mut [bool], at: usize) {
    if let Some(place) = places.get_mut(at) {
        *place = true;
    }
}

fn is_marked(places: &[bool], at: usize) -> bool {
    places.get(at).copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(letters: &str) -> Vec<&'static str> {
        syllables(letters.as_bytes()).into_iter().map(|(_, _, sound)| syllable_name(sound)).collect()
    }

    #[test]
    fn a_character_has_all_its_readings() {
        let names: Vec<&str> = sounds('行' as u32).into_iter().map(syllable_name).collect();
        assert!(names.contains(&"xing") && names.contains(&"hang"));
        assert_eq!(sounds('x' as u32), [0; 4]);
        assert!(sound_alike(sounds('耐' as u32), sounds('奈' as u32)).is_some());
        assert!(sound_alike(sounds('耐' as u32), sounds('x' as u32)).is_none());
    }

    #[test]
    fn letters_are_read_from_end_to_end_or_not_at_all() {
        assert_eq!(named("naike"), ["nai", "ke"]);
        assert_eq!(named("xian"), ["xi", "xian", "an"]);
        assert!(named("pro").is_empty() && named("a").is_empty() && named("").is_empty());
    }
}
