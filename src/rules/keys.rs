//! Every key a rule or statute file may have, in the order in which it stands there: one truth for the
//! schema and for the formatter. What serde accepts is held against it by a test.
//!
//! Main type: [`Key`].

use super::limits::{MAX_REGEX_BYTES, MAX_WITHIN, MAX_WORD_CHARS};

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sort {
    Text,
    /// A text of at most so many characters.
    Short(usize),
    Whole(u64, u64),
    Number,
    Flag,
    Day,
    Texts,
    OneOf(&'static [&'static str]),
    SomeOf(&'static [&'static str]),
    /// A table with `zh` and `en`.
    Both,
    /// A table that has these keys.
    Table(&'static [Key]),
    /// Tables with names that the author gives.
    Named(&'static [Key]),
    /// Tables one after another.
    Tables(&'static [Key]),
    /// Words, or the name of a clause or list.
    Side,
    /// A listing in its short form.
    Listing,
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub name: &'static str,
    pub sort: Sort,
    pub needed: bool,
    /// What it means, for an author's editor.
    pub says: &'static str,
}

const fn must(name: &'static str, sort: Sort, says: &'static str) -> Key {
    Key { name, sort, needed: true, says }
}

const fn may(name: &'static str, sort: Sort, says: &'static str) -> Key {
    Key { name, sort, needed: false, says }
}

pub(super) const SURFACES: &[&str] = &[
    "title",
    "subtitle",
    "description",
    "attribute",
    "brand",
    "seller_name",
    "picture_text",
    "review",
    "spoken",
    "danmaku",
    "shelf",
];

/// The ways a clause or an exception looks: exactly one of them.
pub(super) const LOOKS: [&str; 6] = ["words", "words_from", "regex", "near", "number", "when"];

const NUMBER: &[Key] = &[
    must("of", Sort::Texts, "数字旁的词 / words beside the number"),
    must("unit", Sort::OneOf(&UNITS), "单位 / what is counted"),
    may("at_least", Sort::Number, "至少 / the least number"),
    may("at_most", Sort::Number, "至多 / the most"),
    must("within", Sort::Whole(0, MAX_WITHIN as u64), "词与数字之间至多的字数 / characters between them at most"),
    may("order", Sort::OneOf(&["any", "a-b"]), "先后；a-b 为词在前 / a-b: the word comes first"),
];

/// The names of units.
const UNITS: [&str; 10] =
    ["none", "percent", "gram", "millilitre", "centimetre", "day", "times", "yuan", "age", "people"];

const NEAR: &[Key] = &[
    must("a", Sort::Side, "一侧的词、词表或条款 / words, \"@list\" or a clause"),
    must("b", Sort::Side, "另一侧 / the other side"),
    must("within", Sort::Whole(0, MAX_WITHIN as u64), "两侧之间至多的字数 / characters between them at most"),
    may("order", Sort::OneOf(&["any", "a-b"]), "先后 / which comes first"),
    may("stop", Sort::OneOf(&["sentence", "clause", "phrase"]), "不跨越什么 / what it does not reach across"),
];

const CLAUSE: &[Key] = &[
    may("cover", Sort::Flag, "其中的词不算 / what stands inside is forgotten"),
    may("words", Sort::Texts, "词 / words; \"@name\" is lists/name.txt"),
    may("words_from", Sort::Text, "词表 / a word list"),
    may("regex", Sort::Short(MAX_REGEX_BYTES), "正则，只作确认 / a regex that confirms"),
    may("atoms", Sort::Texts, "先行查找的词 / words one of which stands before the regex is asked"),
    may("on", Sort::OneOf(&["folded", "original"]), "正则读哪种文字 / which text the regex reads"),
    may("near", Sort::Table(NEAR), "两侧相近 / two sides that stand close"),
    may("number", Sort::Table(NUMBER), "词旁的数字 / a number with a unit beside a word"),
    may("when", Sort::Text, "对商品本身的条件 / a guard over the listing's facts"),
    may("fields", Sort::SomeOf(SURFACES), "只看其中哪些部分 / only these of the rule's fields"),
    may("edges", Sort::OneOf(&["latin", "none"]), "字母词的边界 / borders of Latin words"),
    may("min_count", Sort::Whole(1, 1_000), "至少次数 / so many matches at least"),
    may("anywhere", Sort::Flag, "商品任何一处皆可 / answered by any surface"),
    may("written", Sort::Flag, "写出的字词是否算 / false: only what is meant counts, not what stands there"),
    may("report", Sort::Flag, "是否显示为命中 / false: the setting, not the violation"),
];

const EXCEPT: &[Key] = &[
    must("name", Sort::Text, "名称 / its name"),
    must("why", Sort::Both, "理由 / the reason"),
    may("until", Sort::Day, "最后一天 / its last day"),
    may("words", Sort::Texts, "词 / words"),
    may("words_from", Sort::Text, "词表 / a word list"),
    may("regex", Sort::Short(MAX_REGEX_BYTES), "正则，只作确认 / a regex that confirms"),
    may("atoms", Sort::Texts, "先行查找的词 / words one of which stands before the regex is asked"),
    may("on", Sort::OneOf(&["folded", "original"]), "正则读哪种文字 / which text the regex reads"),
    may("near", Sort::Table(NEAR), "两侧相近 / two sides that stand close"),
    may("number", Sort::Table(NUMBER), "词旁的数字 / a number with a unit beside a word"),
    may("when", Sort::Text, "对商品本身的条件 / a guard over the listing's facts"),
];

/// The keys of a rule file.
pub(super) const RULE: &[Key] = &[
    must("format", Sort::Whole(1, 1), "格式版本 / the form of the file"),
    must("id", Sort::Short(80), "编号，即文件名 / the file's name"),
    must("version", Sort::Whole(0, 4_294_967_295), "版本，逻辑改变即提高 / raised with every change of what it finds"),
    must("family", Sort::Short(MAX_WORD_CHARS), "类别 / findings of one family make one hit"),
    must("kind", Sort::OneOf(&["phrase", "product_gate", "context"]), "种类 / what sort of claim it makes"),
    must("status", Sort::OneOf(&["draft", "shadow", "active", "retired"]), "状态 / where it stands in its life"),
    must("severity", Sort::OneOf(&["low", "medium", "high", "critical"]), "严重程度 / how bad it is if true"),
    must("score", Sort::Whole(1, 100), "把握 / how sure a plain match is"),
    must("title", Sort::Both, "名称 / what people call it"),
    must("owner", Sort::Text, "负责人 / who answers for it"),
    must("sectors", Sort::Texts, "行业 / \"*\", names of lists/sectors.toml, \"!name\" for never"),
    may("locales", Sort::Texts, "语言 / languages it is for"),
    must(
        "basis",
        Sort::Table(&[
            may("cites", Sort::Texts, "法律依据的主题 / topics of statutes/"),
            must("note", Sort::Both, "依据的要旨 / what it rests on, in own words"),
        ]),
        "依据 / what it rests on",
    ),
    must(
        "match",
        Sort::Table(&[
            must("fields", Sort::SomeOf(SURFACES), "看哪些部分 / kinds of surface it reads"),
            must(
                "fold",
                Sort::SomeOf(&[
                    "nfkc", "case", "t2s", "sep", "emoji", "glyph", "sound", "shape", "split", "pinyin", "digit",
                ]),
                "识破哪些伪装 / disguises it undoes",
            ),
            must("condition", Sort::Text, "条件 / clauses joined by and, or, not"),
            may("skip_attributes", Sort::Texts, "不看的属性 / attributes that are labels, not advertising"),
            may("yields_to", Sort::Texts, "让位于哪些规则 / rules whose finding at the same place counts instead"),
        ]),
        "匹配 / where and when it matches",
    ),
    may("clause", Sort::Named(CLAUSE), "条款 / parts of the condition"),
    may("except", Sort::Tables(EXCEPT), "例外 / what is set aside, and why"),
    may(
        "gate",
        Sort::Table(&[
            must("question", Sort::Both, "向审核员提出的问题 / what it asks the reviewer"),
            must("answer", Sort::Both, "什么可以回答 / what would answer it"),
            must("answered_by", Sort::Texts, "查找回答的条款 / clauses that look for the answer"),
        ]),
        "门槛规则的提问 / what a gate asks",
    ),
    must(
        "review",
        Sort::Table(&[
            must("reason", Sort::Text, "理由代码 / the reason offered to the reviewer"),
            may("guidance", Sort::Both, "审核要点 / what to look at"),
            may("sla", Sort::Text, "办理时限，如 48h、2d / its hits are to be decided within"),
            may("second_approval", Sort::Flag, "确认须经第二人同意 / a second person must agree to a confirmed hit"),
        ]),
        "审核 / for the reviewer",
    ),
    may(
        "quality",
        Sort::Table(&[
            may("min_precision", Sort::Number, "最低准确率 / below it the rule goes to shadow"),
            may("max_hits_per_day", Sort::Whole(0, u64::MAX), "每日命中上限 / hits a day at most"),
            may("min_decisions", Sort::Whole(0, u64::MAX), "至少的决定数 / decisions before it counts"),
        ]),
        "质量 / what it must reach",
    ),
    may(
        "test",
        Sort::Tables(&[
            may("name", Sort::Text, "说明 / what it shows"),
            must("listing", Sort::Listing, "商品 / a listing in short form"),
            must("expect", Sort::OneOf(&["hit", "miss", "todo-hit", "todo-miss"]), "期望 / what should come of it"),
            may("spans", Sort::Texts, "应找到的文字 / the texts that must be found"),
            may("on", Sort::Day, "日期 / the day it plays on"),
            may("usual_price", Sort::Number, "该商标商品的通常价格（元） / what goods of the mark usually cost"),
        ]),
        "测试 / sentences that must hit or miss",
    ),
];

/// The keys of a statute file.
pub(super) const STATUTE: &[Key] = &[
    must("format", Sort::Whole(1, 1), "格式版本 / the form of the file"),
    must("id", Sort::Text, "编号，即文件名 / the file's name"),
    must("name", Sort::Both, "名称 / as it is cited"),
    must("issuer", Sort::Text, "制定机关 / who made it"),
    may(
        "article",
        Sort::Tables(&[
            must("id", Sort::Text, "编号 / unique among all statutes"),
            must("topic", Sort::Text, "主题 / the name that stays when the article moves"),
            must("version", Sort::Text, "版本年份 / the year of the form cited"),
            must("article", Sort::Text, "条 / where it stands"),
            may("paragraph", Sort::Text, "款、项 / paragraph or item"),
            must("summary", Sort::Both, "要旨 / in own words"),
            may(
                "penalty",
                Sort::Table(&[
                    must("article", Sort::Text, "罚则条文 / the article that says so"),
                    may("min", Sort::Whole(0, u64::MAX), "最低，元 / yuan at least"),
                    may("max", Sort::Whole(0, u64::MAX), "最高，元 / yuan at most"),
                    may("note", Sort::Both, "其他 / other limbs"),
                ]),
                "罚则 / what a breach costs",
            ),
            may("valid_from", Sort::Day, "施行日 / its first day"),
            may("valid_to", Sort::Day, "失效日 / the first day without it"),
            must("verified", Sort::OneOf(&["text", "secondary", "memory"]), "核对方式 / how it was checked"),
        ]),
        "条文 / articles",
    ),
];

const BOTH: &[Key] = &[must("zh", Sort::Text, "中文 / Chinese"), must("en", Sort::Text, "英文 / English")];

impl Sort {
    /// The keys of the tables that stand here, if tables do.
    pub fn keys(self) -> &'static [Key] {
        match self {
            Self::Table(keys) | Self::Named(keys) | Self::Tables(keys) => keys,
            Self::Both => BOTH,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::file::{
        BasisFile, ClauseFile, ExceptFile, GateFile, MatchFile, NearFile, QualityFile, ReviewFile, RuleFile, TestFile,
    };

    /// The keys that a form accepts, as its own complaint about a strange one lists them.
    fn accepted<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let error = toml::from_str::<T>("strange_key = 1\n").unwrap_err();
        let mut names: Vec<String> = error.message().split('`').skip(3).step_by(2).map(str::to_owned).collect();
        names.sort();
        names
    }

    fn known(keys: &[Key]) -> Vec<String> {
        let mut names: Vec<String> = keys.iter().map(|key| key.name.to_owned()).collect();
        names.sort();
        names
    }

    fn under(name: &str) -> &'static [Key] {
        RULE.iter().find(|key| key.name == name).unwrap().sort.keys()
    }

    #[test]
    fn the_table_has_the_keys_that_the_program_reads_and_no_other() {
        assert_eq!(accepted::<RuleFile>(), known(RULE));
        assert_eq!(accepted::<BasisFile>(), known(under("basis")));
        assert_eq!(accepted::<MatchFile>(), known(under("match")));
        assert_eq!(accepted::<ClauseFile>(), known(under("clause")));
        assert_eq!(accepted::<ExceptFile>(), known(under("except")));
        assert_eq!(accepted::<GateFile>(), known(under("gate")));
        assert_eq!(accepted::<ReviewFile>(), known(under("review")));
        assert_eq!(accepted::<QualityFile>(), known(under("quality")));
        assert_eq!(accepted::<TestFile>(), known(under("test")));
        assert_eq!(accepted::<NearFile>(), known(NEAR));
    }
}
