//! What a reviewer types into the search field: words, and words to leave out, each anywhere or in one field.
//!
//! `云雀 -二手 seller:鞋业 -platform:简铺 due:over` means: with 云雀, without 二手, of a seller with 鞋业 in the name, not on
//! 简铺, past its deadline. Words with spaces stand in quotes. The colon of Chinese keyboards is as good.

/// Most words of one search; what comes after is left out.
pub const MAX_TERMS: usize = 16;
/// Longest word, in characters.
const MAX_WORD_CHARS: usize = 100;

/// Where a word is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Title, seller, words found and what stands around them.
    Anywhere,
    /// The seller's name.
    Seller,
    /// The platform.
    Platform,
    /// The holder or rule family.
    Family,
    /// The id of a mark or rule.
    Reference,
    /// Who decided last.
    By,
    /// `over` or `soon`: how the deadline stands.
    Due,
}

/// One word of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Set where hits with it are left out.
    pub not: bool,
    /// Where.
    pub field: Field,
    /// What, in lower case; never empty.
    pub word: String,
}

/// What is looked for: every term holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// The terms.
    pub terms: Vec<Term>,
}

impl Search {
    /// Reads what was typed. Nothing is refused: what means nothing as a field is looked for as it stands.
    pub fn parse(text: &str) -> Self {
        let mut rest = text.trim_start();
        let mut terms = Vec::new();
        while !rest.is_empty() && terms.len() < MAX_TERMS {
            let (not, after) = match rest.strip_prefix('-') {
                Some(after) if after.starts_with(|c: char| !c.is_whitespace()) => (true, after),
                _ => (false, rest),
            };
            let (field, after) = field(after);
            let (word, after) = word(after);
            rest = after.trim_start();
            let word: String = word.to_lowercase().chars().take(MAX_WORD_CHARS).collect();
            if !word.trim().is_empty() {
                terms.push(Term { not, field, word });
            }
        }
        Self { terms }
    }
}

/// A field's name before a colon, and what comes after.
fn field(text: &str) -> (Field, &str) {
    let Some(at) = text.find([':', '：', ' ', '"']) else { return (Field::Anywhere, text) };
    let (name, after) = text.split_at(at);
    let Some(after) = after.strip_prefix([':', '：']) else { return (Field::Anywhere, text) };
    let field = match name.to_lowercase().as_str() {
        "seller" | "卖家" | "店铺" => Field::Seller,
        "platform" | "平台" => Field::Platform,
        "family" | "holder" | "权利人" => Field::Family,
        "ref" | "mark" | "rule" | "规则" | "商标" => Field::Reference,
        "by" | "审核" => Field::By,
        "due" | "期限" => Field::Due,
        _ => return (Field::Anywhere, text),
    };
    (field, after)
}

/// A word, or what stands in quotes, and what comes after.
fn word(text: &str) -> (&str, &str) {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').unwrap_or((quoted, ""));
    }
    text.find(char::is_whitespace).map_or((text, ""), |end| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(bool, Field, String)> {
        Search::parse(text).terms.into_iter().map(|term| (term.not, term.field, term.word)).collect()
    }

    #[test]
    fn words_fields_quotes_and_what_to_leave_out() {
        let expected = vec![
            (false, Field::Anywhere, "云雀".to_owned()),
            (true, Field::Anywhere, "二手".to_owned()),
            (false, Field::Seller, "莆仙 优品".to_owned()),
            (true, Field::Platform, "简铺".to_owned()),
            (false, Field::Due, "over".to_owned()),
        ];
        assert_eq!(read("云雀 -二手 seller:\"莆仙 优品\"  -平台：简铺 due:over"), expected);
        assert_eq!(read("a:b"), [(false, Field::Anywhere, "a:b".to_owned())]);
        assert_eq!(read("- x"), [(false, Field::Anywhere, "-".to_owned()), (false, Field::Anywhere, "x".to_owned())]);
    }

    #[test]
    fn an_endless_search_is_cut() {
        assert_eq!(read(&"x ".repeat(1_000)).len(), MAX_TERMS);
        assert_eq!(read(&"字".repeat(5_000))[0].2.chars().count(), MAX_WORD_CHARS);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_within_the_bounds(text in ".{0,200}") {
            let terms = Search::parse(&text).terms;
            prop_assert!(terms.len() <= MAX_TERMS);
            prop_assert!(terms.iter().all(|term| !term.word.trim().is_empty()));
        }
    }
}
