//! What sellers do to a mark, undone and named; and what only looks like it.

use std::sync::Arc;

use markwarden::{
    marks::{Register, import_csv},
    matcher::{Matcher, Settings},
    model::{Channel, Findings, Listing},
};

const MARKS: &str = "\
id,holder,text,nice_classes
m1,耐克公司,耐克,25
m2,松鼠公司,三只松鼠,29
m3,好妈妈公司,好妈妈,3
m4,沃伦公司,vorlune,25
m5,北脸公司,NORTH FACE,25
m6,青鸟公司,青鸟云海,25
m8,雅漾公司,雅诗云黛,3
m9,苹公司,Apple,9
m10,熊公司,熊猫,28
";

fn check(marks: &str, listing: serde_json::Value) -> Findings {
    let marks = import_csv("marks.csv", marks).unwrap();
    let matcher = Matcher::new(Arc::new(Register::new(marks)), None, Settings::default());
    let listing: Listing = serde_json::from_value(listing).unwrap();
    matcher.check(&listing, "2026-11-23".parse().unwrap())
}

#[test]
fn every_disguise_is_undone_and_named() {
    for (text, reference, text_there, channels) in [
        ("正品 nai克 跑鞋", "m1", "nai克", vec![Channel::Pinyin]),
        ("正品 耐ke 跑鞋", "m1", "耐ke", vec![Channel::Pinyin]),
        ("正品 而寸克 跑鞋", "m1", "而寸克", vec![Channel::Split]),
        ("3只松鼠 坚果", "m2", "3只松鼠", vec![Channel::Digit]),
        ("散只松鼠 坚果", "m2", "散只松鼠", vec![Channel::Homophone]),
        ("叁枝淞鼠 坚果", "m2", "叁枝淞鼠", vec![Channel::Homophone]),
        ("三只公鼠 三只松🔥鼠", "m2", "三只松🔥鼠", vec![Channel::Emoji]),
        ("好女马妈 洗衣液", "m3", "好女马妈", vec![Channel::Split]),
        ("haomama 洗衣液", "m3", "haomama", vec![Channel::Pinyin]),
        ("正品 v0rlune 女鞋", "m4", "v0rlune", vec![Channel::Leet]),
        ("正品 vorlunne 女鞋", "m4", "vorlunne", vec![Channel::Edit]),
        ("正品 vrolune 女鞋", "m4", "vrolune", vec![Channel::Edit]),
        ("正品 enulrov 女鞋", "m4", "enulrov", vec![Channel::Reversed]),
        ("face by north 冲锋衣", "m5", "face by north", vec![Channel::Reordered]),
        ("海云鸟青 女装", "m6", "海云鸟青", vec![Channel::Reversed]),
        ("哑诗云黛 面霜", "m8", "哑诗云黛", vec![Channel::Homophone]),
    ] {
        let findings = check(MARKS, serde_json::json!({ "title": text }));
        let Some(finding) = findings.findings.iter().find(|finding| finding.reference == reference) else {
            panic!("{text}: {findings:#?}")
        };
        assert_eq!((finding.text.as_str(), &finding.channels), (text_there, &channels), "{text}");
        let there: String = text.chars().skip(finding.start).take(finding.end - finding.start).collect();
        assert_eq!(there, finding.text, "{text}");
        let undone = finding.explanation.iter().any(|step| step.code == format!("fold.{}", channels[0]));
        assert!(undone, "{text}: {finding:#?}");
    }
}

#[test]
fn what_is_said_over_several_captions_is_heard_as_one() {
    let timeline = serde_json::json!([
        {"at_ms": 1000, "text": "今天给大家带来三只", "speaker": "主播"},
        {"at_ms": 2500, "text": "有没有券", "kind": "danmaku", "speaker": "买家"},
        {"at_ms": 4000, "text": "松鼠的坚果礼盒", "speaker": "主播"},
        {"at_ms": 60_000, "text": "口感很耐", "speaker": "主播"},
        {"at_ms": 190_000, "text": "克数也足", "speaker": "主播"},
    ]);
    let findings = check(MARKS, serde_json::json!({"title": "直播间", "timeline": timeline}));
    let [finding] = &findings.findings[..] else { panic!("{findings:#?}") };
    assert_eq!((&*finding.reference, &*finding.surface, finding.start, finding.end), ("m2", "timeline[0].text", 7, 9));
    assert_eq!(finding.text, "三只");
    let [rest] = &finding.continues[..] else { panic!("{finding:#?}") };
    assert_eq!((&*rest.surface, rest.start, rest.end, &*rest.text), ("timeline[2].text", 0, 2, "松鼠"));
    assert_eq!([&*finding.explanation[0].code, &*finding.explanation[1].code], ["live.moment", "text.continued"]);
    assert_eq!(finding.moment.as_ref().map(|moment| moment.at_ms), Some(4000));
    assert!(finding.channels.is_empty());
}

#[test]
fn a_column_is_read_downwards() {
    let text = "正三包\n品只邮\n保松到\n真鼠家";
    let findings = check(MARKS, serde_json::json!({"title": "坚果", "images": [{"text": text}]}));
    let [finding] = &findings.findings[..] else { panic!("{findings:#?}") };
    assert_eq!((&*finding.reference, &finding.channels[..]), ("m2", &[Channel::Vertical][..]));
    let there: String = text.chars().skip(finding.start).take(finding.end - finding.start).collect();
    assert_eq!((&*finding.text, &*there), ("三包\n品只邮\n保松到\n真鼠", "三包\n品只邮\n保松到\n真鼠"));
    // A single column of a picture's text, one character a line.
    let findings = check(MARKS, serde_json::json!({"title": "坚果", "images": [{"text": "三\n只\n松\n鼠\n正品"}]}));
    assert!(findings.findings.iter().any(|finding| finding.reference == "m2"), "{findings:#?}");
    // A list of goods is no column.
    let list = "三文鱼\n只\n松子仁100克\n鼠标垫";
    assert!(check(MARKS, serde_json::json!({"title": "坚果", "description": list})).findings.is_empty());
}

#[test]
fn two_characters_with_one_replaced_need_their_class() {
    let with = |title: &str, category: &str| {
        let findings = check(MARKS, serde_json::json!({ "title": title, "category": [category] }));
        findings.findings.iter().any(|finding| finding.reference == "m1")
    };
    assert!(with("奈克 运动鞋", "服饰鞋靴"));
    assert!(!with("奈克 运动鞋", "生鲜水果"));
}

#[test]
fn everyday_language_is_no_disguise() {
    let marks = "id,text\n1,口交\n2,大麻\n3,他妈\n4,共产\n5,黄片\n6,SM\n7,Apple\n8,ass\n9,女庄\n10,爱心\n";
    for text in [
        "路口交通指示牌",
        "解决大麻烦的工具",
        "他妈妈也喜欢",
        "女装 连衣裙",
        "共产党员徽章",
        "三黄片 说明书",
        "Smoking 烟具",
        "Pineapple 凤梨酥",
        "grass 草地垫",
    ] {
        let findings = check(marks, serde_json::json!({ "title": text }));
        assert!(findings.findings.is_empty(), "{text}: {findings:#?}");
    }
}

#[test]
fn a_latin_mark_is_found_where_it_is_written_together_with_everyday_words() {
    for (title, found) in [("vorluneshoes 女鞋", true), ("newvorlune 女鞋", true), ("xyvorlune 女鞋", false)] {
        let findings = check(MARKS, serde_json::json!({ "title": title }));
        assert_eq!(findings.findings.iter().any(|finding| finding.reference == "m4"), found, "{title}: {findings:#?}");
    }
}

#[test]
fn an_animal_in_its_own_context_is_no_mark() {
    for (title, category) in [("成都大熊猫基地门票 看熊猫", "旅游"), ("熊猫图案挂画", ""), ("大熊猫科普读物", "图书")]
    {
        let findings = check(MARKS, serde_json::json!({"title": title, "category": [category]}));
        assert!(findings.findings.is_empty(), "{findings:#?}");
    }
    let findings = check(MARKS, serde_json::json!({"title": "熊猫 积木", "category": ["玩具"]}));
    assert_eq!(findings.findings.len(), 1, "{findings:#?}");
}
