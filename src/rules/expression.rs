//! The small boolean language of conditions and guards: `and`, `or`, `not`, parentheses and leaves.
//!
//! Main type: [`Expression`]. What a leaf is, its reader says: `condition` and `guard` bring their own.

use std::ops::Range;

use super::limits::{MAX_EXPRESSION_BYTES, MAX_NESTING};

/// A boolean over leaves.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression<L> {
    Leaf(L),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// What is wrong in an expression, and where (bytes of its text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub span: Range<usize>,
    pub message: String,
    pub help: String,
}

impl Mistake {
    pub fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: help.into() }
    }
}

impl<L> Expression<L> {
    /// Reads `text`; `leaf` reads one leaf.
    pub fn parse(text: &str, mut leaf: impl FnMut(&mut Tokens) -> Result<L, Mistake>) -> Result<Self, Mistake> {
        if text.len() > MAX_EXPRESSION_BYTES {
            let message = format!("the expression has {} bytes, more than {MAX_EXPRESSION_BYTES}", text.len());
            return Err(Mistake::new(0..text.len(), message, "split it into clauses"));
        }
        let mut tokens = Tokens { tokens: lex(text)?, at: 0, end: text.len() };
        let expression = any(&mut tokens, &mut leaf, 0)?;
        match tokens.peek() {
            None => Ok(expression),
            Some(_) => Err(tokens.unexpected("`and`, `or` or the end")),
        }
    }

    /// Whether it holds when each leaf is answered by `leaf`.
    pub fn holds(&self, leaf: &mut impl FnMut(&L) -> bool) -> bool {
        match self {
            Self::Leaf(inner) => leaf(inner),
            Self::Not(inner) => !inner.holds(leaf),
            Self::All(parts) => parts.iter().all(|part| part.holds(leaf)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(leaf)),
        }
    }

    /// Calls `visit` with every leaf and whether it stands without a `not` before it.
    pub fn leaves(&self, positive: bool, visit: &mut impl FnMut(&L, bool)) {
        match self {
            Self::Leaf(inner) => visit(inner, positive),
            Self::Not(inner) => inner.leaves(!positive, visit),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.leaves(positive, visit)),
        }
    }
}

type Leaf<'a, L> = &'a mut dyn FnMut(&mut Tokens) -> Result<L, Mistake>;

fn any<L>(tokens: &mut Tokens, leaf: Leaf<'_, L>, depth: usize) -> Result<Expression<L>, Mistake> {
    let mut parts = vec![all(tokens, leaf, depth)?];
    while tokens.take_word("or") {
        parts.push(all(tokens, leaf, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
}

fn all<L>(tokens: &mut Tokens, leaf: Leaf<'_, L>, depth: usize) -> Result<Expression<L>, Mistake> {
    let mut parts = vec![one(tokens, leaf, depth)?];
    while tokens.take_word("and") {
        parts.push(one(tokens, leaf, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
}

fn one<L>(tokens: &mut Tokens, leaf: Leaf<'_, L>, depth: usize) -> Result<Expression<L>, Mistake> {
    if depth > MAX_NESTING {
        let message = format!("nested deeper than {MAX_NESTING} levels");
        return Err(Mistake::new(tokens.span(), message, "name the parts as clauses and join those"));
    }
    if tokens.take_word("not") {
        return Ok(Expression::Not(Box::new(one(tokens, leaf, depth + 1)?)));
    }
    if tokens.take("(") {
        let inner = any(tokens, leaf, depth + 1)?;
        tokens.expect(")")?;
        return Ok(inner);
    }
    if matches!(tokens.peek(), Some(Token::Word(word)) if word == "and" || word == "or") {
        return Err(tokens.unexpected("a name"));
    }
    leaf(tokens).map(Expression::Leaf)
}

/// One token with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Number(f64),
    Text(String),
    Symbol(&'static str),
}

/// The tokens of an expression, read from the front.
#[derive(Debug)]
pub(super) struct Tokens {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    end: usize,
}

impl Tokens {
    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    pub fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Where the next token stands.
    pub fn span(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    pub fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(found);
        found
    }

    pub fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, symbol: &'static str) -> Result<(), Mistake> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    pub fn text(&mut self) -> Result<String, Mistake> {
        match self.peek() {
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.unexpected("a text in quotes")),
        }
    }

    /// `'a', 'b'` up to `close`, which is taken too.
    pub fn texts(&mut self, close: &'static str) -> Result<Vec<String>, Mistake> {
        let mut texts = vec![self.text()?];
        while self.take(",") {
            texts.push(self.text()?);
        }
        self.expect(close)?;
        Ok(texts)
    }

    pub fn unexpected(&self, wanted: &str) -> Mistake {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Word(word)) => format!("`{word}`"),
            Some(Token::Number(number)) => format!("`{number}`"),
            Some(Token::Text(text)) => format!("'{text}'"),
            Some(Token::Symbol(symbol)) => format!("`{symbol}`"),
        };
        Mistake::new(self.span(), format!("{wanted} is expected here, not {found}"), format!("write {wanted}"))
    }
}

const SYMBOLS: [&str; 12] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", "*"];

fn lex(text: &str) -> Result<Vec<(Token, Range<usize>)>, Mistake> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let (token, length) = if first.is_whitespace() {
            rest = rest.get(first.len_utf8()..).unwrap_or("");
            continue;
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (Token::Symbol(symbol), symbol.len())
        } else if first == '\'' || first == '"' {
            quoted(rest, first, start)?
        } else if first.is_ascii_digit() {
            number(rest, start)?
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).unwrap_or(rest.len());
            (Token::Word(rest.get(..length).unwrap_or("").to_owned()), length)
        } else {
            let span = start..start + first.len_utf8();
            return Err(Mistake::new(
                span,
                format!("`{first}` means nothing here"),
                "use names, `and`, `or`, `not` and parentheses",
            ));
        };
        tokens.push((token, start..start + length));
        rest = rest.get(length..).unwrap_or("");
    }
    Ok(tokens)
}

fn quoted(rest: &str, quote: char, start: usize) -> Result<(Token, usize), Mistake> {
    let inside = rest.get(1..).unwrap_or("");
    let Some(length) = inside.find(quote) else {
        return Err(Mistake::new(start..start + rest.len(), "a text without its closing quote", "close the quote"));
    };
    Ok((Token::Text(inside.get(..length).unwrap_or("").to_owned()), length + 2))
}

fn number(rest: &str, start: usize) -> Result<(Token, usize), Mistake> {
    let length = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let digits = rest.get(..length).unwrap_or("");
    let number = digits
        .parse()
        .map_err(|_| Mistake::new(start..start + length, format!("`{digits}` is no number"), "write it like 19.9"))?;
    Ok((Token::Number(number), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Expression<String>, Mistake> {
        Expression::parse(text, |tokens| match tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(tokens.unexpected("a name")),
        })
    }

    fn holds(text: &str, truths: &[&str]) -> bool {
        names(text).unwrap().holds(&mut |name| truths.contains(&name.as_str()))
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tightest() {
        assert!(holds("a or b and c", &["a"]));
        assert!(!holds("(a or b) and c", &["a"]));
        assert!(holds("not a and b", &["b"]));
        assert!(!holds("not (a or b)", &["b"]));
        assert!(holds("绝对化 and not 例外", &["绝对化"]));
    }

    #[test]
    fn a_mistake_points_at_its_place() {
        assert_eq!(names("a and and").unwrap_err().span.start, 6);
        assert_eq!(names("a b").unwrap_err().span, 2..3);
        assert_eq!(names("a & b").unwrap_err().span, 2..3);
        assert_eq!(names("(a").unwrap_err().span, 2..2);
        assert!(names("").is_err() && names("'").is_err() && names("1.2.3").is_err());
    }

    #[test]
    fn parentheses_nested_too_deep_are_refused() {
        let deep = format!("{}a{}", "(".repeat(MAX_NESTING), ")".repeat(MAX_NESTING));
        assert!(names(&deep).is_ok());
        for text in ["(".repeat(2_000), "not ".repeat(900)] {
            assert!(names(&text).unwrap_err().message.contains("nested deeper"));
        }
        assert!(names(&"a or ".repeat(2_000)).unwrap_err().message.contains("bytes, more than"));
    }
}
