//! The rule as a language: what `explain` says, and what authors get from the commands.

use std::sync::LazyLock;

use jiff::civil::{Date, date};
use markwarden::{
    model::Listing,
    rules::{Explanation, RuleSet},
};

const DAY: Date = date(2026, 11, 23);

fn builtin() -> &'static RuleSet {
    static SET: LazyLock<RuleSet> =
        LazyLock::new(|| RuleSet::builtin().unwrap_or_else(|problems| panic!("{}", problems[0])));
    &SET
}

fn explain(rule: &str, listing: &str) -> Explanation {
    let listing: Listing = serde_json::from_str(listing).unwrap();
    let set = builtin();
    set.explain(set.rule(rule).unwrap(), &listing, DAY)
}

/// Whether a line says both, each in its language.
fn says(explained: &Explanation, zh: &str, en: &str) -> bool {
    explained.lines.iter().any(|line| line.zh.contains(zh) && line.en.contains(en))
}

#[test]
fn explain_names_the_clause_that_failed() {
    let explained = explain(
        "gate.health-food",
        r#"{"title":"改善睡眠软糖","category":["食品"],"images":[{"text":"国食健注G20200001"}]}"#,
    );
    assert!(!explained.hits);
    assert!(says(&explained, "title：条件不成立（number 成立）", "title: the condition does not hold (number holds)"));
    assert!(says(&explained, "number → 商品的另一处有", "number → stands elsewhere"));
}

#[test]
fn explain_names_the_exception_that_covered_and_why() {
    let explained = explain("ad.absolute", r#"{"title":"茶饼 最佳饮用期 36 个月"}"#);
    assert!(!explained.hits);
    assert!(says(&explained, "由例外 consumption-hint 排除", "set aside by consumption-hint"), "{explained:#?}");
}

#[test]
fn explain_names_the_surface_that_is_not_read() {
    let explained =
        explain("ad.absolute", r#"{"title":"电饭煲","reviews":[{"text":"全网最低价"}],"attributes":{"等级":"顶级"}}"#);
    assert!(!explained.hits);
    assert!(says(&explained, "本规则不看：", "not read by this rule: "), "{explained:#?}");
    assert!(says(&explained, "reviews[0].text", "attributes.等级"), "{explained:#?}");
    assert!(says(&explained, "没有它的任何字词", "no word of the rule stands"));
}

#[test]
fn explain_names_the_sector_that_does_not_fit() {
    let explained = explain("gate.health-food", r#"{"title":"改善睡眠软糖","category":["女装"]}"#);
    assert!(
        says(&explained, "商品行业（apparel）不在本规则范围内", "the listing's sector (apparel) is not one"),
        "{explained:#?}"
    );
}

#[test]
fn explain_says_why_a_word_that_stands_there_is_not_taken() {
    let explained = explain("ad.absolute", r#"{"title":"ALPHANO.12 螺丝刀"}"#);
    assert!(says(&explained, "更长字母词的一部分", "part of a longer Latin word"), "{explained:#?}");
    let explained = explain("ad.absolute", r#"{"title":"面料最。佳节礼盒"}"#);
    assert!(says(&explained, "被标点或空格断开", "parted by punctuation"), "{explained:#?}");
    let explained = explain("ad.absolute", r#"{"title":"提供顶级域名注册"}"#);
    assert!(says(&explained, "“顶级” 属于", "“顶级” is part of"), "{explained:#?}");
}

#[test]
fn explain_says_which_side_of_a_near_is_missing_and_what_is_too_far() {
    let explained = explain("signal.bought-review", r#"{"title":"锅","reviews":[{"text":"好评"}]}"#);
    assert!(says(&explained, "cash → 无（缺 b 侧）", "cash → nothing (side b is missing)"), "{explained:#?}");
    let far = r#"{"title":"锅","reviews":[{"text":"好评。今天天气真的非常好我们一起出门去公园。红包是朋友发的"}]}"#;
    let explained = explain("signal.bought-review", far);
    assert!(says(&explained, "两侧都在，但不在 6 字以内", "both sides stand, but not within 6"), "{explained:#?}");
}

#[test]
fn explain_of_a_hit_names_the_law_and_says_when_it_would_not_be_queued() {
    let explained = explain("ad.absolute", r#"{"title":"全网最低价 毛巾"}"#);
    assert!(explained.hits);
    assert!(
        says(&explained, "依据：《中华人民共和国广告法》（2021）第九条第（三）项", "Advertising Law"),
        "{explained:#?}"
    );
    let shadow = explain("signal.bought-review", r#"{"title":"锅","reviews":[{"text":"好评返现 收到了"}]}"#);
    assert!(shadow.hits && says(&shadow, "影子规则", "in shadow"), "{shadow:#?}");
}
