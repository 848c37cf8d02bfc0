//! A mistake in a file a person wrote: where it stands, what is wrong, how to mend it.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Level, Patch, Renderer, Snippet};

/// A change of the file that mends a mistake and nothing else, so that a program may make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Ranges of the source and what takes their place, in order and apart.
    pub edits: Vec<(Range<usize>, String)>,
}

impl Fix {
    /// Puts `text` in the place of `span`.
    pub fn replace(span: Range<usize>, text: impl Into<String>) -> Self {
        Self { edits: vec![(span, text.into())] }
    }

    /// Takes `span` away.
    pub fn remove(span: Range<usize>) -> Self {
        Self::replace(span, "")
    }
}

/// One mistake, printed with file, line, column and the place underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file's path as the person gave it.
    pub file: String,
    /// The file's text.
    pub source: String,
    /// Byte range of the mistake in `source`.
    pub span: Range<usize>,
    /// Stable name of the kind of mistake, such as `config.syntax`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// A warning does not stop the program.
    pub warning: bool,
    /// What a program may do to mend it, where that is safe.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// An error in `source`; the span is clipped to character borders inside it.
    pub fn error(
        file: &str,
        source: &str,
        span: Range<usize>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let start = border(source, span.start);
        let end = border(source, span.end).max(start);
        Self {
            file: file.to_owned(),
            source: source.to_owned(),
            span: start..end,
            code,
            message: message.into(),
            help: help.into(),
            warning: false,
            fix: None,
        }
    }

    /// What the TOML reader says of `source`, as a diagnostic.
    pub fn toml(file: &str, source: &str, error: &toml::de::Error, code: &'static str, help: &str) -> Self {
        Self::error(file, source, error.span().unwrap_or(0..0), code, error.message(), help)
    }

    /// The same mistake as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.warning = true;
        self
    }

    /// The same mistake with what a program may do about it.
    #[must_use]
    pub fn with_fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Line and column of its start, both from 1; columns count characters.
    pub fn line_column(&self) -> (usize, usize) {
        self.place(self.span.start)
    }

    /// Line and column of a byte of the source, both from 1; columns count characters.
    pub fn place(&self, byte: usize) -> (usize, usize) {
        let before = self.source.get(..border(&self.source, byte)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// The diagnostic as text for a terminal, in color if asked.
    pub fn render(&self, color: bool) -> String {
        let level = if self.warning { Level::WARNING } else { Level::ERROR };
        let snippet = Snippet::source(self.source.as_str())
            .path(self.file.as_str())
            .annotation(AnnotationKind::Primary.span(self.span.clone()));
        let mut group = level.primary_title(self.message.as_str()).id(self.code).element(snippet);
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(self.help.as_str()));
        }
        let mut report = vec![group];
        if let Some(fix) = &self.fix {
            let patches = fix.edits.iter().map(|(span, text)| Patch::new(span.clone(), text.as_str()));
            let patched = Snippet::source(self.source.as_str()).path(self.file.as_str()).patches(patches);
            report.push(Level::HELP.secondary_title("this mends it; `rules fix` does it for you").element(patched));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&report).to_string()
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostic {}

fn border(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_names_file_line_and_column_and_underlines_the_place() {
        let source = "name = \"星河\"\npace = fast\n";
        let error = toml::from_str::<toml::Table>(source).unwrap_err();
        let shown = Diagnostic::toml("sites/a.toml", source, &error, "profile.syntax", "write a number");
        assert_eq!(shown.line_column(), (2, 8));
        let text = shown.to_string();
        assert!(text.contains("sites/a.toml:2:8"), "{text}");
        assert!(text.contains("pace = fast") && text.contains("^") && text.contains("write a number"), "{text}");
    }

    #[test]
    fn a_span_outside_the_text_is_clipped() {
        let shown = Diagnostic::error("f", "云", 1..99, "x", "m", "");
        assert_eq!(shown.span, 0..3);
        assert!(shown.to_string().contains("f:1:1"));
    }
}
