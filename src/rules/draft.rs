//! A first draft of a rule from a few words, in the form of the files beside it.
//!
//! Main type: [`Draft`]. Which law it rests on, a person says; the tests that are missing, `check` tells.

use toml_edit::Value;

use super::{format::format, statutes::Statutes};

/// Words that sentences are made from.
const SPELLED: usize = 10;

/// What a draft is made of.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The rule's name.
    pub id: String,
    /// The words it looks for.
    pub words: Vec<String>,
    /// Topics of statutes it rests on.
    pub cites: Vec<String>,
    /// The family; the id's first part in capitals where empty.
    pub family: String,
    /// What people call it, in Chinese and in English; the id where empty.
    pub title: [String; 2],
    /// Who answers for it.
    pub owner: String,
    /// Sectors; all where empty.
    pub sectors: Vec<String>,
    /// Titles it must hit.
    pub hits: Vec<String>,
    /// Titles it must miss.
    pub misses: Vec<String>,
}

/// Exceptions that nearly every rule of wording has: the text refuses, denies or rejects what it names.
const TURNED: &str = r#"
[[except]]
name = "turned-against"
why = { zh = "文字是在拒绝、警示或辨别，而不是在宣传", en = "the text refuses, warns of or tells apart what it names" }
near = { a = "@refusal", b = "words", within = 8, order = "a-b", stop = "clause" }

[[except]]
name = "denied"
why = { zh = "文字否认其后所述", en = "the text denies what follows" }
near = { a = "@denial", b = "words", within = 4, order = "a-b", stop = "phrase" }

[[except]]
name = "rejected-after"
why = { zh = "其后的文字予以否定", en = "the words after it turn against it" }
near = { a = "words", b = "@rejected-after", within = 4, order = "a-b", stop = "clause" }
"#;

const REVIEW: &str = r#"
[review]
reason = "false-advertising"
guidance = { zh = "看用语是否指向所推销的商品、有无依据。", en = "See whether the words point at the goods and whether there is proof." }
"#;

const MATCH: &str = r#"
[match]
fields = ["title", "subtitle", "description", "attribute", "picture_text", "spoken", "shelf"]
fold = ["nfkc", "case", "t2s", "sep", "emoji", "glyph"]
condition = "words"
skip_attributes = ["@labels"]
"#;

impl Draft {
    /// Titles made from `words` that a draft must hit, plain and disguised, and that it must miss because they turn against
    /// what they name. They show that the words and the usual exceptions work; real near misses teach more.
    pub fn sentences(words: &[String]) -> (Vec<String>, Vec<String>) {
        let (mut hits, mut misses) = (Vec::new(), Vec::new());
        for word in words.iter().take(SPELLED) {
            hits.push(format!("{word} 现货"));
            let characters: Vec<String> = word.chars().map(String::from).collect();
            // Letters that are parted spell single letters, not the word.
            if characters.len() > 1 && !word.chars().any(|c| c.is_ascii()) {
                hits.push(format!("{} 特惠", characters.join("·")));
                hits.push(format!("{} 限量", characters.join("\u{200b}")));
            }
            misses.push(format!("拒绝{word}，从我做起"));
            misses.push(format!("谨防{word}骗局"));
        }
        if let Some(word) = words.first() {
            hits.extend(["可预订", "包邮到家", "新到一批"].map(|end| format!("{word} {end}")));
            misses.extend(["抵制", "举报", "本店不售"].map(|turn| format!("{turn}{word}")));
        }
        (hits, misses)
    }

    /// The draft as a file. Its note is what the first article it cites says.
    pub fn write(&self, statutes: &Statutes) -> String {
        let first = self.cites.iter().flat_map(|name| statutes.cited(name)).next();
        let note = first.map(|article| article.summary.clone()).unwrap_or_default();
        let [zh, en] = &self.title;
        let family = match self.family.as_str() {
            "" => self.id.split('.').next().unwrap_or("").to_uppercase(),
            family => family.to_owned(),
        };
        let or = |text: &str, other: &str| quoted(if text.is_empty() { other } else { text });
        let every = vec!["*".to_owned()];
        let mut text = format!(
            "format = 1\nid = {}\nversion = 1\nfamily = {}\nkind = \"phrase\"\nstatus = \"draft\"\nseverity = \"medium\"\nscore = 50\n\
             title = {{ zh = {}, en = {} }}\nowner = {}\nsectors = {}\nlocales = [\"zh\"]\n\n\
             [basis]\ncites = {}\nnote = {{ zh = {}, en = {} }}\n{MATCH}\n[clause.words]\nwords = {}\n{TURNED}{REVIEW}",
            quoted(&self.id),
            quoted(&family),
            or(zh, &self.id),
            or(en, &self.id),
            or(&self.owner, "draft"),
            list(if self.sectors.is_empty() { &every } else { &self.sectors }),
            list(&self.cites),
            quoted(&note.zh),
            quoted(&note.en),
            list(&self.words),
        );
        for (sentences, expect) in [(&self.hits, "hit"), (&self.misses, "miss")] {
            for sentence in sentences {
                text.push_str(&format!(
                    "\n[[test]]\nlisting = {{ title = {} }}\nexpect = \"{expect}\"\n",
                    quoted(sentence)
                ));
            }
        }
        format(&text, false)
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", items.join(", "))
}
