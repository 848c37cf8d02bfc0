//! Marks through the front door: listings in, findings out.

use std::sync::Arc;

use markwarden::{
    marks::{Register, import_csv},
    matcher::{Matcher, Settings},
    model::{Channel, Findings, Listing},
};

const MARKS: &str = "\
id,holder,text,nice_classes,well_known,aliases,authorised_sellers
m1,云雀公司,云雀记,25,,,云雀记旗舰店
m2,云雀公司,Vorlune,25;18,,,
m3,苹野公司,Apple Ye,9,,,
m4,苹野公司,apple,9,,,
m5,鹿鸣公司,鹿鸣,30,,,
m6,鹿鸣公司,鹿鸣堂山,30,,,
m7,短公司,SM,41,,,
m8,青公司,ass,25,,,
";

fn check(listing: &str) -> Findings {
    let marks = import_csv("marks.csv", MARKS).unwrap();
    let matcher = Matcher::new(Arc::new(Register::new(marks)), None, Settings::default());
    let listing: Listing = serde_json::from_str(listing).unwrap();
    matcher.check(&listing, "2026-11-23".parse().unwrap())
}

fn title(title: &str) -> Findings {
    check(&serde_json::json!({ "title": title }).to_string())
}

fn references(findings: &Findings) -> Vec<&str> {
    findings.findings.iter().map(|finding| finding.reference.as_str()).collect()
}

#[test]
fn every_claimed_disguise_is_undone_and_named() {
    for (text, reference, channel) in [
        ("正品 云雀记 女鞋", "m1", None),
        ("正品 云·雀·记 女鞋", "m1", Some(Channel::Separator)),
        ("正品 云 雀 记 女鞋", "m1", Some(Channel::Separator)),
        ("正品 云\u{200b}雀\u{200d}记 女鞋", "m1", Some(Channel::Invisible)),
        ("正品 云🔥雀记 女鞋", "m1", Some(Channel::Emoji)),
        ("正品 雲雀記 女鞋", "m1", Some(Channel::Traditional)),
        ("正品 ＶＯＲＬＵＮＥ 女鞋", "m2", Some(Channel::Width)),
        ("正品 VОRLUNЕ 女鞋", "m2", Some(Channel::Confusable)),
        ("正品 v-o-r-l-u-n-e 女鞋", "m2", Some(Channel::Separator)),
        ("正品vorlune女鞋2026", "m2", None),
        ("APPLE YE 耳机", "m3", None),
    ] {
        let findings = title(text);
        assert_eq!(references(&findings).first(), Some(&reference), "{text}: {findings:?}");
        assert_eq!(findings.findings[0].channels, Vec::from_iter(channel), "{text}");
    }
}

#[test]
fn a_span_points_at_the_original_characters() {
    let text = "正品 雲\u{200b}雀·记 女鞋";
    let findings = title(text);
    let finding = &findings.findings[0];
    let there: String = text.chars().skip(finding.start).take(finding.end - finding.start).collect();
    assert_eq!(there, finding.text);
    assert_eq!(finding.text, "雲\u{200b}雀·记");
    assert!(finding.explanation.iter().any(|step| step.code == "fold.traditional"));
}

#[test]
fn words_inside_other_words_never_fire() {
    for text in
        ["Pineapple 凤梨酥", "Smoking 烟具", "grass 草地垫", "Passport 护照夹", "小鹿 鸣笛 玩具车", "红云。雀。记事本"]
    {
        let findings = title(text);
        assert!(findings.findings.is_empty(), "{text}: {findings:?}");
    }
}

#[test]
fn naming_what_the_goods_fit_is_set_aside_with_the_reason() {
    for text in ["适用于云雀记跑鞋的鞋带", "鞋带 兼容 Vorlune 女鞋", "case for apple 手机壳", "二手 云雀记 女鞋 闲置"]
    {
        let findings = title(text);
        assert!(findings.findings.is_empty(), "{text}: {findings:?}");
        assert!(findings.suppressed[0].suppressed.is_some(), "{text}");
    }
}

#[test]
fn counterfeit_slang_raises_what_context_lowers() {
    let plain = title("云雀记 女鞋").findings[0].score;
    let slang = title("高仿云雀记 女鞋").findings[0].score;
    assert!(slang > plain);
    assert!(title("拒绝高仿 云雀记 女鞋").findings[0].score <= plain);
}

#[test]
fn an_authorised_seller_is_set_aside_by_name() {
    let findings = check(r#"{"title":"云雀记 女鞋","seller":{"name":"云雀记旗舰店"}}"#);
    assert!(findings.findings.is_empty());
    assert!(findings.suppressed[0].suppressed.as_ref().unwrap().contains("云雀记旗舰店"));
    assert_eq!(references(&check(r#"{"title":"云雀记 女鞋","seller":{"name":"某某小店"}}"#)), ["m1"]);
}

#[test]
fn the_longest_mark_wins_and_says_what_it_covered() {
    let findings = check(r#"{"title":"鹿鸣堂山 红茶","category":["食品","茶"]}"#);
    assert_eq!(references(&findings), ["m6"]);
    assert!(findings.suppressed.iter().any(|finding| finding.reference == "m5"));
}

#[test]
fn goods_of_another_class_lower_a_short_word_below_the_queue() {
    assert_eq!(references(&check(r#"{"title":"鹿鸣 红茶","category":["食品","茶"]}"#)), ["m5"]);
    assert!(check(r#"{"title":"呦呦鹿鸣图案 玩具积木","category":["玩具"]}"#).findings.is_empty());
}

#[test]
fn hostile_text_of_every_kind_is_survived() {
    for text in ["\u{0}\u{1}\u{202e}", "🏳️‍🌈👨‍👩‍👧‍👦", &"云 ".repeat(20_000), &"a\u{300}".repeat(5_000), "ﷺﷺﷺ"]
    {
        title(text);
    }
}

#[test]
fn the_end_of_the_mark_and_the_next_word_are_no_slang() {
    let findings = title("云雀原 单丛乌龙茶");
    assert!(findings.findings.is_empty());
    let marks = import_csv("marks.csv", "id,text\nm1,栖木原\n").unwrap();
    let matcher = Matcher::new(Arc::new(Register::new(marks)), None, Settings::default());
    for text in ["栖木原 单丛乌龙茶", "栖木原 高仿真绿植"] {
        let listing: Listing = serde_json::from_value(serde_json::json!({ "title": text })).unwrap();
        let findings = matcher.check(&listing, "2026-11-23".parse().unwrap());
        assert!(findings.findings[0].explanation.iter().all(|step| step.code != "context.counterfeit-slang"), "{text}");
    }
}

#[test]
fn the_steps_run_up_to_the_score() {
    let findings = check(r#"{"title":"高仿云·雀·记 女鞋","category":["服饰","鞋"]}"#);
    let finding = &findings.findings[0];
    let last = finding.explanation.iter().filter_map(|step| step.score).next_back();
    assert_eq!(last, Some(finding.score));
}
