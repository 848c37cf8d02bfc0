//! Any bytes may lie where a registry file was; what it finds stands in the text.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use markwarden::{
    marks::registry::{Base, Builder, NiceClasses, Registration, Rows, View},
    model::MarkStatus,
    text::Folded,
};

const TEXT: &str = "新款云雀跑鞋 vorlune 正品晨鸟牌a云雀记·云 雀 vorluneplus";

/// A sound file, so that the fuzzer need not find out how one begins and ends.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("markwarden-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut builder = Builder::new(&folder);
    let classes: NiceClasses = [25].into_iter().collect();
    for number in ["云雀", "vorlune", "晨鸟牌", "鸟", "新款云雀跑鞋"] {
        let status = MarkStatus::Registered;
        let registration =
            Registration { jurisdiction: "CN", number, holder: "云雀公司", classes, status, expires_on: None };
        builder.add(number, &registration).unwrap();
    }
    let path = folder.join("whole");
    drop(builder.finish(&path, 0).unwrap());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    bytes
});

fuzz_target!(|input: &[u8]| {
    if let Ok(rows) = Rows::new("fuzz", input, &["number"]) {
        rows.for_each(drop);
    }
    look(input.to_vec());
    // As places and values: a whole file in which a few bytes are others.
    let mut bytes = WHOLE.clone();
    for change in input.as_chunks::<4>().0 {
        let at = (usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2])) % bytes.len();
        bytes[at] = change[3];
    }
    seal(&mut bytes);
    look(bytes);
});

fn look(bytes: Vec<u8>) {
    let Ok(base) = Base::from_bytes("fuzz", bytes) else { return };
    let _ = base.verify();
    base.entries().take(1000).for_each(drop);
    let Ok(view) = View::of(base) else { return };
    let folded = Folded::new(TEXT);
    for word in view.find(&folded) {
        let bytes = folded.bytes(word.units.clone());
        assert!(!bytes.is_empty() && bytes == word.spelling().as_bytes());
        word.registrations().take(1000).for_each(drop);
    }
    view.registrations("云雀").take(1000).for_each(drop);
}

/// Makes the checksums right that opening looks at: of the directory, 8,192 bytes, and of the footer behind it, 128.
fn seal(bytes: &mut [u8]) {
    let footer = bytes.len() - 128;
    let directory = crc32c::crc32c(&bytes[footer - 8192..footer]);
    bytes[footer + 68..footer + 72].copy_from_slice(&directory.to_le_bytes());
    bytes[footer + 12..footer + 16].fill(0);
    let sealed = crc32c::crc32c(&bytes[footer..]);
    bytes[footer + 12..footer + 16].copy_from_slice(&sealed.to_le_bytes());
}
