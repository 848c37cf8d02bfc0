//! The matcher and the registry: words nobody watches for are told of only where more than the word speaks for it.

use std::{path::Path, process::Command, sync::Arc};

use jiff::civil::date;
use markwarden::{
    marks::{
        Register, import_csv,
        registry::{Reader, Registration, Registry, RegistryError},
    },
    matcher::{Matcher, Settings},
    model::{Finding, Listing, MarkStatus},
};

fn build(folder: &Path) {
    let registration = |number, holder, class, status, year| Registration {
        jurisdiction: "CN",
        number,
        holder,
        classes: std::iter::once(class).collect(),
        status,
        expires_on: Some(date(year, 1, 1)),
    };
    let words = [
        ("栖木原", registration("1", "栖木公司", 25, MarkStatus::Registered, 2030)),
        ("栖木原", registration("2", "另一公司", 30, MarkStatus::Registered, 2030)),
        ("玄鲸", registration("3", "玄鲸公司", 25, MarkStatus::Registered, 2030)),
        ("连衣裙", registration("4", "裙公司", 25, MarkStatus::Registered, 2030)),
        ("枭羽堂", registration("5", "枭公司", 25, MarkStatus::Registered, 2020)),
        ("霁岚阁", registration("6", "霁公司", 25, MarkStatus::Dead, 2030)),
        ("vorlune", registration("7", "沃伦公司", 25, MarkStatus::Registered, 2030)),
    ];
    Registry::build(folder, |builder| {
        words.iter().try_for_each(|(word, registration)| builder.add(word, registration))?;
        Ok::<(), RegistryError>(())
    })
    .unwrap();
}

fn findings(marks: &str, listing: serde_json::Value) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    build(folder.path());
    let register = Register::new(import_csv("marks.csv", marks).unwrap());
    let matcher = Matcher::new(Arc::new(register), None, Settings::default())
        .with_registry(Reader::open(folder.path()).unwrap().view());
    let listing: Listing = serde_json::from_value(listing).unwrap();
    matcher.check(&listing, date(2026, 11, 26)).findings
}

#[test]
fn a_registered_word_is_told_of_where_its_class_its_brand_or_a_disguise_speaks_for_it() {
    let found = |title: &str, category: &str, brand: &str| -> Vec<String> {
        let listing = serde_json::json!({"title": title, "category": [category], "brand": brand});
        findings("id,text\n", listing).into_iter().map(|finding| finding.reference).collect()
    };
    assert_eq!(found("栖木原 跑鞋", "鞋靴服饰", ""), ["CN:1"]);
    assert_eq!(found("栖木原 乌龙茶", "茶叶食品", ""), ["CN:2"]);
    assert_eq!(found("栖木原 跑鞋", "鞋靴服饰", "栖木原"), ["CN:1", "CN:1"]);
    assert_eq!(found("新款 vorlune 跑鞋", "鞋靴服饰", ""), ["CN:7"]);
    assert_eq!(found("栖·木·原 好物", "", ""), ["CN:1", "CN:2"]);
    // A word of two characters, an everyday word, a lapsed and a dead registration, goods of another class.
    for (title, category) in [
        ("玄鲸 摆件", ""),
        ("碎花连衣裙 女装", "服饰"),
        ("枭羽堂 跑鞋", "鞋靴服饰"),
        ("霁岚阁 跑鞋", "鞋靴服饰"),
        ("栖木原 汽车机油", "汽车用品"),
        ("适用于栖木原 鞋带", "鞋靴服饰"),
    ] {
        assert_eq!(found(title, category, ""), [""; 0], "{title}");
    }
}

#[test]
fn what_is_watched_is_left_to_the_watch() {
    let marks = "id,holder,text,nice_classes\nm1,栖木公司,栖木原,25\n";
    let found = findings(marks, serde_json::json!({"title": "栖木原 跑鞋", "category": ["鞋靴服饰"]}));
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!(finding.reference, "m1");
    assert!(finding.explanation.iter().all(|step| step.code != "registry.unwatched"));
}

#[test]
fn check_asks_the_registry_of_a_data_folder() {
    let data = tempfile::tempdir().unwrap();
    let check = || {
        let program = env!("CARGO_BIN_EXE_markwarden");
        let listings = data.path().join("listings.jsonl");
        std::fs::write(&listings, "{\"id\":\"1\",\"title\":\"栖木原 跑鞋\",\"category\":[\"鞋靴服饰\"]}\n").unwrap();
        Command::new(program)
            .args(["check", "--no-rules", "--format", "json", "--registry"])
            .arg(data.path())
            .arg(listings)
            .output()
            .unwrap()
    };
    let without = check();
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&without.stderr).contains("marks registry build"));
    build(&data.path().join("registry"));
    let with = check();
    assert_eq!(with.status.code(), Some(1), "{}", String::from_utf8_lossy(&with.stderr));
    assert!(String::from_utf8_lossy(&with.stdout).contains("\"ref\":\"CN:1\""));
}
