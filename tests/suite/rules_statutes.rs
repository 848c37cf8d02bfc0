//! The law behind the rules: articles that move, articles that were not read, and who rests on what.

use std::{collections::BTreeSet, sync::LazyLock};

use jiff::civil::{Date, date};
use markwarden::{
    model::{Finding, Listing},
    rules::{RuleSet, RuleSource, Verified},
    text::fold_surfaces,
};

fn builtin() -> &'static RuleSet {
    static SET: LazyLock<RuleSet> =
        LazyLock::new(|| RuleSet::builtin().unwrap_or_else(|problems| panic!("{}", problems[0])));
    &SET
}

fn finding(rule: &str, listing: &str, day: Date) -> Finding {
    let listing: Listing = serde_json::from_str(listing).unwrap();
    let set = builtin();
    let surfaces = fold_surfaces(&listing);
    let mut found = set.findings(&listing, &surfaces, day);
    found.extend(set.shadow_findings(&listing, &surfaces, day));
    found.into_iter().find(|one| one.reference == rule).unwrap_or_else(|| panic!("{rule} finds nothing"))
}

/// What a capture of `listing` cites on the last day of the old article and on the first of the new one.
fn around(rule: &str, listing: &str, first: Date) -> (String, String) {
    let before = first.yesterday().unwrap();
    (finding(rule, listing, before).citation, finding(rule, listing, first).citation)
}

#[test]
fn the_trademark_law_is_renumbered_on_the_first_of_january_2027() {
    let listing = r#"{"title":"顶级复刻 一比一 高仿 包"}"#;
    let (before, after) = around("signal.counterfeit-slang", listing, date(2027, 1, 1));
    assert!(before.contains("《中华人民共和国商标法》（2019）第五十七条"), "{before}");
    assert!(after.contains("《中华人民共和国商标法》（2026）第七十二条"), "{after}");
    let (before, after) = around("signal.well-known-claim", r#"{"title":"中国驰名商标 压力锅"}"#, date(2027, 1, 1));
    assert!(before.contains("第十四条第五款") && after.contains("第六十四条"), "{before} {after}");
}

#[test]
fn the_anti_unfair_competition_law_is_renumbered_on_the_fifteenth_of_october_2025() {
    let listing = r#"{"title":"招聘刷单员 日结 垫付返佣","description":"刷单兼职 日结佣金"}"#;
    let (before, after) = around("signal.brush-recruit", listing, date(2025, 10, 15));
    assert!(before.contains("《中华人民共和国反不正当竞争法》（2019）第八条"), "{before}");
    assert!(after.contains("《中华人民共和国反不正当竞争法》（2025）第九条"), "{after}");
}

#[test]
fn the_measures_on_livestream_commerce_are_cited_from_the_first_of_february_2026() {
    let listing = r#"{"title":"围巾","timeline":[{"text":"家人们倒数三秒，最后三单，拍完下架","kind":"caption"}]}"#;
    let (before, after) = around("live.false-scarcity", listing, date(2026, 2, 1));
    assert!(!before.contains("直播电商监督管理办法"), "{before}");
    assert!(after.contains("《直播电商监督管理办法》（2025）第三十四条"), "{after}");
}

#[test]
fn the_fisheries_law_is_renumbered_on_the_first_of_may_2026() {
    let listing = r#"{"title":"长江野生刀鱼 野生江鲜 现捕现发","category":["生鲜"]}"#;
    let (before, after) = around("sale.yangtze-wild", listing, date(2026, 5, 1));
    assert!(before.contains("《中华人民共和国渔业法》（2013）第三十条"), "{before}");
    assert!(after.contains("《中华人民共和国渔业法》（2025）第四十五条"), "{after}");
}

#[test]
fn an_article_that_was_not_read_says_so_where_it_is_cited_and_to_the_reviewer() {
    let found =
        finding("sale.certificate-mill", r#"{"title":"代办学历证书 学信网可查 本科毕业证"}"#, date(2026, 11, 23));
    assert!(found.citation.contains("第二百八十条（凭记忆，未核对原文）"), "{}", found.citation);
    let step = found.explanation.iter().find(|step| step.code == "rule.law-unread").unwrap();
    assert!(step.zh.contains("引用前须核对原文") && step.en.contains("read the text before you cite"));
    let read = finding("ad.absolute", r#"{"title":"全网最低价 毛巾"}"#, date(2026, 11, 23));
    assert!(!read.citation.contains("未核对"), "{}", read.citation);
    assert!(read.explanation.iter().all(|step| step.code != "rule.law-unread"));
}

#[test]
fn articles_of_one_statute_are_cited_together() {
    let set = builtin();
    let citation = set.rule("claim.guaranteed-effect").unwrap().citation(date(2026, 11, 23));
    assert_eq!(citation, "《中华人民共和国广告法》（2021）第十六条、第十八条、第二十四条、第二十八条");
}

#[test]
fn every_topic_a_rule_cites_leads_to_articles_and_none_is_in_force_twice() {
    let set = builtin();
    assert!(set.statutes().articles().count() > 150);
    let days = [date(2025, 10, 14), date(2025, 10, 15), date(2026, 5, 1), date(2026, 12, 31), date(2027, 1, 1)];
    for rule in set.rules() {
        for name in rule.cites() {
            let articles = set.statutes().cited(name);
            assert!(!articles.is_empty(), "{}: {name}", rule.id);
            for day in days {
                assert!(articles.iter().filter(|article| article.in_force(day)).count() <= 1, "{name} on {day}");
            }
        }
    }
    let verified: BTreeSet<Verified> = set.statutes().articles().map(|article| article.verified).collect();
    assert_eq!(verified.len(), 3, "the shipped statutes say honestly what was only remembered");
}

#[test]
fn a_single_article_may_be_cited_and_then_only_its_own_days_count() {
    let text = std::fs::read_to_string("fixtures/diagnostics/sound.toml").unwrap();
    let text = text.replace("advertising-law.absolute-terms", "trademark-law.2019.57");
    let set = RuleSet::parse(vec![RuleSource { path: "sound.toml".to_owned(), text }]).unwrap();
    let rule = &set.rules()[0];
    assert!(rule.citation(date(2026, 12, 31)).contains("第五十七条"));
    assert_eq!(rule.citation(date(2027, 1, 1)), "");
    let codes: Vec<_> = set.calendar(date(2027, 1, 1)).iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["rule.law-not-in-force"]);
    let codes: Vec<_> = set.calendar(date(2026, 10, 3)).iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["rule.law-lapses"], "ninety days ahead");
    assert!(set.calendar(date(2026, 10, 2)).is_empty(), "not yet");
}

#[test]
fn a_folder_brings_its_own_statutes_and_they_stand_before_the_built_in_ones() {
    let law = "format = 1\nid = \"advertising-law\"\nname = { zh = \"示例广告法\", en = \"Example\" }\nissuer = \"示例\"\n\n[[article]]\nid = \"advertising-law.1\"\ntopic = \"advertising-law.absolute-terms\"\nversion = \"2030\"\narticle = \"第一条\"\nsummary = { zh = \"示例\", en = \"example\" }\nverified = \"text\"\n";
    let rule = std::fs::read_to_string("fixtures/diagnostics/sound.toml").unwrap();
    let set = RuleSet::parse(vec![
        RuleSource { path: "own/sound.toml".to_owned(), text: rule },
        RuleSource { path: "own/statutes/advertising-law.toml".to_owned(), text: law.to_owned() },
    ])
    .unwrap();
    assert_eq!(set.rules()[0].citation(date(2026, 11, 23)), "《示例广告法》（2030）第一条");
}

#[test]
fn words_lead_to_the_topics_that_speak_of_them() {
    let set = builtin();
    let first = set.statutes().about("“驰名商标”字样").first().map(|article| article.topic.clone());
    assert_eq!(first.as_deref(), Some("trademark-law.well-known-words"));
    assert!(set.statutes().about("qqq").is_empty());
}
