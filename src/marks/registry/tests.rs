//! What a registry promises, against a plain search and against itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::{
    marks::MAX_UNITS,
    model::MarkStatus,
    text::{Folded, fold},
};

pub(super) fn registration(number: &str) -> Registration<'_> {
    Registration {
        jurisdiction: "CN",
        number,
        holder: "云雀运动用品有限公司",
        classes: [9, 25].into_iter().collect(),
        status: MarkStatus::Registered,
        expires_on: Some(date(2031, 1, 9)),
    }
}

/// A base in which the number of each registration is its place in the list.
pub(super) fn base_of(spellings: &[&str]) -> Base {
    let mut builder = Builder::in_memory();
    for (number, spelling) in spellings.iter().enumerate() {
        builder.add(spelling, &registration(&number.to_string())).unwrap();
    }
    builder.finish_in_memory("test", 1).unwrap()
}

/// A registry in `folder` of these spellings and registrations.
fn built<'a>(folder: &Path, records: impl IntoIterator<Item = (&'a str, Registration<'a>)>) -> Registry {
    let fill = |builder: &mut Builder| {
        records.into_iter().try_for_each(|(spelling, registration)| builder.add(spelling, &registration))
    };
    Registry::build(folder, fill).unwrap()
}

fn view_of(base: Base) -> View {
    View::of(base).unwrap()
}

/// Spellings and the units they stand at, sorted.
fn found(view: &View, text: &str) -> Vec<(usize, usize, String)> {
    let folded = Folded::new(text);
    let mut found: Vec<_> = view
        .find(&folded)
        .iter()
        .filter(|occurrence| occurrence.registrations().next().is_some())
        .map(|occurrence| (occurrence.units.start, occurrence.units.end, occurrence.spelling().to_owned()))
        .collect();
    found.sort();
    found
}

fn plain_search(spellings: &[&str], text: &str) -> Vec<(usize, usize, String)> {
    let text: Vec<char> = Folded::new(text).text().chars().collect();
    let unique: BTreeSet<&str> = spellings.iter().copied().collect();
    let mut found = Vec::new();
    for spelling in unique {
        let chars: Vec<char> = spelling.chars().collect();
        for (start, part) in text.windows(chars.len()).enumerate() {
            if part == chars {
                found.push((start, start + chars.len(), spelling.to_owned()));
            }
        }
    }
    found.sort();
    found
}

fn numbers(view: &View, spelling: &str) -> Vec<String> {
    let mut numbers: Vec<String> =
        view.registrations(spelling).map(|registration| registration.number.to_owned()).collect();
    numbers.sort();
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_registry_finds_what_a_plain_search_finds(
        spellings in proptest::collection::vec("[ab云雀]{1,5}|[a云]{8,30}", 1..12), text in "[ab云雀 ·A雲]{0,60}",
    ) {
        let spellings: Vec<&str> = spellings.iter().map(String::as_str).collect();
        let view = view_of(base_of(&spellings));
        prop_assert_eq!(found(&view, &text), plain_search(&spellings, &text));
    }

    #[test]
    fn a_changed_registry_answers_as_one_that_is_built_of_the_same_registrations(
        begin in proptest::collection::vec(("[ab云]{1,3}", 0_u8..12), 0..12),
        steps in proptest::collection::vec((proptest::collection::vec("[ab云]{1,3}", 0..3), 0_u8..12), 0..16),
        text in "[ab云]{0,30}",
        compact_after in 0_usize..20,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut model: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (spelling, number) in &begin {
            model.entry(number.to_string()).or_default().insert(spelling.clone());
        }
        let flat = |model: &BTreeMap<String, BTreeSet<String>>| -> Vec<(String, String)> {
            let pair = |number: &String, spelling: &String| (spelling.clone(), number.clone());
            model.iter().flat_map(|(number, all)| all.iter().map(move |spelling| pair(number, spelling))).collect()
        };
        let records = flat(&model);
        let records = records.iter().map(|(spelling, number)| (spelling.as_str(), registration(number)));
        let registry = built(folder.path(), records);
        for (at, (spellings, number)) in steps.iter().enumerate() {
            let number = number.to_string();
            let all: BTreeSet<String> = spellings.iter().cloned().collect();
            let change = Change { registration: registration(&number), spellings: all.iter().map(String::as_str).collect() };
            registry.apply(&[change]).unwrap();
            model.insert(number, all);
            if at == compact_after {
                registry.compact().unwrap();
            }
        }
        let records = flat(&model);
        let spellings: Vec<&str> = records.iter().map(|(spelling, _)| spelling.as_str()).collect();
        let check = |registry: &Registry| {
            let view = registry.view();
            assert_eq!(found(&view, &text), plain_search(&spellings, &text));
            for (spelling, _) in &records {
                let mut expected: Vec<String> =
                    records.iter().filter(|(other, _)| other == spelling).map(|(_, number)| number.clone()).collect();
                expected.sort();
                assert_eq!(numbers(&view, spelling), expected);
            }
        };
        check(&registry);
        drop(registry);
        check(&Registry::open(folder.path()).unwrap());
    }
}

#[test]
fn spellings_of_every_length_are_found_at_the_beginning_and_at_the_end() {
    let spellings: Vec<String> = (1..=MAX_UNITS)
        .map(|units| (0..units).map(|at| if at % 3 == units % 3 { '云' } else { 'a' }).collect())
        .collect();
    let spellings: Vec<&str> = spellings.iter().map(String::as_str).collect();
    let view = view_of(base_of(&spellings));
    for spelling in &spellings {
        assert_eq!(found(&view, spelling), plain_search(&spellings, spelling));
        let inside = format!("xx{spelling}云x");
        assert_eq!(found(&view, &inside), plain_search(&spellings, &inside));
    }
}

#[test]
fn a_text_of_several_blocks_is_read_over_their_borders() {
    let spellings = ["云雀", "云雀记跑鞋", "雀", "abcdefghijklmnop"];
    let view = view_of(base_of(&spellings));
    let text = "好的云雀记跑鞋abcdefghijklmnop".repeat(200);
    assert_eq!(found(&view, &text), plain_search(&spellings, &text));
}

#[test]
fn every_one_of_many_spellings_is_found_with_its_registrations() {
    let spellings: Vec<String> = (0..30_000_u32)
        .map(|number| {
            let mixed = number.wrapping_mul(0x9E37_79B1);
            let chars = [0, 9, 18].map(|bits| char::from_u32(0x4E00 + (mixed >> bits & 0x1FF)).unwrap());
            fold(&chars.iter().collect::<String>())
        })
        .collect();
    let refs: Vec<&str> = spellings.iter().map(String::as_str).collect();
    let view = view_of(base_of(&refs));
    for (number, spelling) in spellings.iter().enumerate() {
        assert!(numbers(&view, spelling).contains(&number.to_string()), "{spelling}");
    }
    let text = spellings[..500].concat();
    assert_eq!(found(&view, &text), plain_search(&refs, &text));
    let unique: BTreeSet<&str> = refs.iter().copied().collect();
    assert_eq!(view.base().spellings(), unique.len() as u64);
    assert_eq!(view.base().registrations(), 30_000);
}

#[test]
fn registrations_that_share_a_spelling_come_back_in_their_order() {
    let mut builder = Builder::in_memory();
    let other =
        Registration { jurisdiction: "EM", holder: "Vorlune SE", expires_on: None, ..registration("018000001") };
    builder.add("vorlune", &registration("1")).unwrap();
    builder.add("云雀", &registration("2")).unwrap();
    builder.add("vorlune", &other).unwrap();
    let view = view_of(builder.finish_in_memory("test", 1).unwrap());
    let folded = Folded::new("全新 VORLUNE");
    let occurrence = view.find(&folded).pop().unwrap();
    assert_eq!(occurrence.registrations().collect::<Vec<_>>(), [registration("1"), other]);
    assert_eq!(occurrence.units, 2..9);
}

#[test]
fn a_build_that_does_not_fit_into_memory_makes_the_very_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let spellings: Vec<String> = (0..5000).map(|number| format!("云{}雀", number % 3000)).collect();
    let build = |name: &str, bound: usize| {
        let mut builder = Builder::with_bound(Some(folder.path()), bound);
        for (number, spelling) in spellings.iter().enumerate() {
            builder.add(spelling, &registration(&number.to_string())).unwrap();
        }
        builder.finish(&folder.path().join(name), 3).unwrap();
        fs::read(folder.path().join(name)).unwrap()
    };
    assert!(build("large", usize::MAX) == build("small", 10_000));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside");
}

#[test]
fn a_spelling_that_cannot_be_kept_is_refused_and_the_next_is_taken() {
    let mut builder = Builder::in_memory();
    let long = "云".repeat(MAX_UNITS + 1);
    for spelling in ["", "\0云", long.as_str()] {
        let error = builder.add(spelling, &registration("7")).unwrap_err();
        assert!(error.to_string().contains("the registration 7 of"), "{error}");
    }
    builder.add("云雀", &registration("8")).unwrap();
    assert_eq!(builder.finish_in_memory("test", 1).unwrap().spellings(), 1);
}

#[test]
fn an_empty_registry_finds_nothing() {
    let view = view_of(base_of(&[]));
    assert!(found(&view, "云雀 vorlune").is_empty());
    assert_eq!(view.base().entries().count(), 0);
}

#[test]
fn a_reader_keeps_what_it_looks_at_while_the_registry_changes_and_compacts() {
    let folder = tempfile::tempdir().unwrap();
    let registry = built(folder.path(), [("云雀", registration("1")), ("vorlune", registration("2"))]);
    let before = registry.view();
    registry
        .apply(&[Change::removed("CN", "1"), Change { registration: registration("3"), spellings: vec!["晨鸟"] }])
        .unwrap();
    let changed = registry.view();
    registry.compact().unwrap();
    let after = registry.view();
    let text = "云雀 vorlune 晨鸟";
    assert_eq!(found(&before, text).len(), 2);
    assert_eq!(found(&changed, text), found(&after, text));
    assert!(found(&after, text).iter().all(|(_, _, spelling)| spelling != "云雀"));
    assert!(after.delta().is_empty() && after.base().spellings() == 2);
}

#[test]
fn a_reader_takes_up_what_another_process_changes_compacts_and_builds_anew() {
    let folder = tempfile::tempdir().unwrap();
    let registry = built(folder.path(), [("云雀", registration("1"))]);
    let reader = Reader::open(folder.path()).unwrap();
    assert!(!reader.refresh().unwrap());
    let before = reader.view();
    registry
        .apply(&[Change { registration: registration("2"), spellings: vec!["晨鸟"] }, Change::removed("CN", "1")])
        .unwrap();
    assert_eq!(found(&reader.view(), "云雀 晨鸟"), found(&before, "云雀 晨鸟"));
    assert!(reader.refresh().unwrap() && !reader.refresh().unwrap());
    assert_eq!(found(&reader.view(), "云雀 晨鸟"), [(2, 4, "晨鸟".to_owned())]);
    registry.compact().unwrap();
    assert!(reader.refresh().unwrap() && reader.view().delta().is_empty());
    assert_eq!(found(&reader.view(), "云雀 晨鸟"), [(2, 4, "晨鸟".to_owned())]);
    drop(registry);
    drop(built(folder.path(), [("vorlune", registration("3"))]));
    assert!(reader.refresh().unwrap());
    assert_eq!(found(&reader.view(), "晨鸟 vorlune").len(), 1);
    assert_eq!(found(&before, "云雀 晨鸟").len(), 1, "an old view goes on saying what it said");
}

#[test]
fn a_reader_beside_a_busy_writer_sees_every_change_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let registry = built(folder.path(), [("云雀", registration("1"))]);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 2..60_u32 {
                let number = number.to_string();
                // Each step adds two registrations at once: a reader never sees one without the other.
                let twin = format!("{number}b");
                let change = |number| Change { registration: registration(number), spellings: vec!["晨鸟"] };
                registry.apply(&[change(&number), change(&twin)]).unwrap();
                if number.ends_with('7') {
                    registry.compact().unwrap();
                }
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let reader = Reader::open(folder.path()).unwrap();
        let mut seen = 0;
        loop {
            let last = done.load(std::sync::atomic::Ordering::Acquire);
            match reader.refresh() {
                // A folder that never stands still may be refused for now.
                Ok(_) | Err(RegistryError::InUse { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            let now = numbers(&reader.view(), "晨鸟").len();
            assert!(now >= seen && now.is_multiple_of(2), "{seen} then {now}");
            seen = now;
            if last {
                break;
            }
        }
        assert_eq!(seen, 2 * 58);
    });
}

#[test]
fn a_damaged_base_is_not_compacted_and_can_be_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    drop(built(folder.path(), [("云雀", registration("1"))]));
    let path = folder.path().join("base-0000000000.registry");
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(6).position(|part| part == "云雀".as_bytes()).unwrap();
    bytes[place] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let registry = Registry::open(folder.path()).unwrap();
    for result in [registry.verify(), registry.compact()] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("does not match its checksum") && error.contains("build the registry again"), "{error}");
    }
    drop(registry);
    let registry = built(folder.path(), [("云雀", registration("2"))]);
    registry.verify().unwrap();
    assert_eq!(numbers(&registry.view(), "雲 雀"), ["2"]);
}

#[test]
fn a_build_that_fails_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    drop(built(folder.path(), [("云雀", registration("1"))]));
    let failed = Registry::build(folder.path(), |builder| builder.add("", &registration("2")));
    assert!(failed.is_err());
    assert_eq!(numbers(&Reader::open(folder.path()).unwrap().view(), "云雀"), ["1"]);
}

#[test]
fn changes_beyond_what_is_kept_are_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let registry = built(folder.path(), [("云雀", registration("1"))]);
    let spellings = vec!["晨鸟"; MAX_SPELLINGS + 1];
    let good = Change { registration: registration("2"), spellings: vec!["晨鸟"] };
    let error = registry.apply(&[good.clone(), Change { registration: registration("3"), spellings }]).unwrap_err();
    assert!(error.to_string().contains("256 spellings"), "{error}");
    // Each is within bounds, all together are not.
    let holder = "长".repeat(MAX_HOLDER_BYTES / 3);
    let words: Vec<String> = (0..MAX_SPELLINGS).map(|number| format!("词{number}")).collect();
    let heavy = Change {
        registration: Registration { holder: &holder, ..registration("4") },
        spellings: words.iter().map(String::as_str).collect(),
    };
    let error = registry.apply(&vec![heavy; MAX_DELTA_BYTES / (MAX_SPELLINGS * MAX_HOLDER_BYTES)]).unwrap_err();
    assert!(error.to_string().contains("compact the registry first"), "{error}");
    assert!(registry.view().delta().is_empty());
    registry.apply(&[good]).unwrap();
}

#[test]
fn a_registration_that_one_jurisdiction_removes_stays_in_another() {
    let folder = tempfile::tempdir().unwrap();
    let abroad = Registration { jurisdiction: "C", number: "N1", ..registration("1") };
    let registry = built(folder.path(), [("云雀", registration("1")), ("云雀", abroad)]);
    registry.apply(&[Change::removed("CN", "1")]).unwrap();
    let view = registry.view();
    assert_eq!(view.registrations("云雀").collect::<Vec<_>>(), [abroad]);
}

#[test]
fn only_one_process_changes_a_registry_and_others_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = built(folder.path(), [("云雀", registration("1"))]);
    assert!(matches!(Registry::open(folder.path()), Err(RegistryError::InUse { .. })));
    assert_eq!(found(&Reader::open(folder.path()).unwrap().view(), "云雀").len(), 1);
    drop(first);
    Registry::open(folder.path()).unwrap();
}

#[test]
fn a_folder_without_a_registry_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for place in [folder.path().to_owned(), folder.path().join("none")] {
        for error in [Registry::open(&place).unwrap_err(), Reader::open(&place).unwrap_err()] {
            assert!(error.to_string().contains("there is no registry in"), "{error}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was put there");
}

#[test]
fn a_log_that_was_cut_anywhere_keeps_every_whole_record_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let registry = built(folder.path(), [("云雀", registration("1"))]);
    let mut ends = vec![registry.log_bytes()];
    let words = ["甲乙", "丙丁", "戊己"];
    for (number, word) in words.iter().enumerate() {
        let number = (number + 10).to_string();
        registry.apply(&[Change { registration: registration(&number), spellings: vec![word] }]).unwrap();
        ends.push(registry.log_bytes());
    }
    drop(registry);
    let log = folder.path().join("changes-0000000000.log");
    let whole = fs::read(&log).unwrap();
    for cut in ends[0] as usize..=whole.len() {
        fs::write(&log, &whole[..cut]).unwrap();
        let registry = Registry::open(folder.path()).unwrap();
        let kept = ends.iter().filter(|end| **end as usize <= cut).count() - 1;
        assert_eq!(registry.view().delta().len(), kept, "cut at {cut}");
        assert_eq!(registry.log_bytes(), ends[kept]);
        registry.apply(&[Change { registration: registration("99"), spellings: vec!["庚辛"] }]).unwrap();
        drop(registry);
        assert_eq!(Registry::open(folder.path()).unwrap().view().delta().len(), kept + 1);
    }
}

#[test]
fn a_log_that_is_broken_in_the_middle_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let registry = built(folder.path(), [("云雀", registration("1"))]);
    for number in ["10", "11"] {
        registry.apply(&[Change { registration: registration(number), spellings: vec!["甲乙"] }]).unwrap();
    }
    drop(registry);
    let log = folder.path().join("changes-0000000000.log");
    let mut bytes = fs::read(&log).unwrap();
    bytes[90] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let error = Registry::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("does not match its checksum"), "{error}");
}

#[test]
fn a_file_of_format_1_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/registry/format-1.registry");
    let base = Base::open(&path).unwrap();
    base.verify().unwrap();
    let view = view_of(base);
    assert_eq!(found(&view, "全新云·雀 VORLUNE"), [(2, 4, "云雀".to_owned()), (4, 11, "vorlune".to_owned())]);
    let registration = view.registrations("Vorlune").next().unwrap();
    assert_eq!((registration.number, registration.holder), ("2", "V SE"));
    assert_eq!(registration.classes.iter().collect::<Vec<_>>(), [25, 35]);
}

#[test]
fn a_newer_file_is_refused_by_its_format() {
    let mut bytes = base_of(&["云雀"]).bytes().to_vec();
    let footer = bytes.len() - layout::FOOTER_BYTES;
    bytes[footer + 8] = 2;
    let error = Base::from_bytes("test", bytes).unwrap_err();
    assert!(matches!(error, RegistryError::Newer { found: 2, .. }));
    assert!(error.to_string().contains("update the program"), "{error}");
}

/// Not a test of its own: the process that the next one kills.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os("MARKWARDEN_KILLED_REGISTRY") else { return };
    let registry = Registry::open(Path::new(&folder)).unwrap();
    let first = registry.view().base().spellings() + registry.view().delta().len() as u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                registry.compact().unwrap();
            }
        });
        for number in first.. {
            let (spelling, number) = (format!("云{number}"), number.to_string());
            registry.apply(&[Change { registration: registration(&number), spellings: vec![&spelling] }]).unwrap();
            eprintln!("kept {number}");
        }
    });
}

#[test]
fn a_process_that_is_killed_while_it_changes_and_compacts_loses_nothing_it_kept() {
    let folder = tempfile::tempdir().unwrap();
    drop(built(folder.path(), [("云雀", registration("r"))]));
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "marks::registry::tests::the_process_that_is_killed", "--nocapture"])
            .env("MARKWARDEN_KILLED_REGISTRY", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = 0;
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line.strip_prefix("kept ") {
                kept.insert(number.to_owned());
                said += 1;
                if said == 3 + round * 5 {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        let registry = Registry::open(folder.path()).unwrap();
        registry.verify().unwrap();
        let view = registry.view();
        for number in &kept {
            assert_eq!(numbers(&view, &format!("云{number}")), [number.as_str()]);
        }
    }
    assert!(kept.len() > 100);
}
