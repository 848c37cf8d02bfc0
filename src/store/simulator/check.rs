//! What must be true whenever the store is open.

use std::path::Path;

use super::{
    client::{capture_id, listing_id, schedule_id},
    machine::{Machine, ROOT},
    model::now,
    world::World,
};
use crate::{
    model::Clock,
    store::{
        content::ContentStore,
        folder::journal_dir,
        port::{Counts, Filter, Page, Store},
        record::JournalRecord,
        sled::Index,
    },
};

/// Where an index is made from the journal alone, which nothing happens to.
const ASIDE: &str = "/aside";
const MANY: usize = 200;

/// Everything: the index is what the journal makes, the store says what the model says, and every body is there.
pub fn all(world: &World) {
    world.disk.quietly(|| {
        assert!(world.machine().is_up_to_date(), "the index is behind the journal");
        index_is_what_the_journal_makes(world);
        says_what_the_model_says(world);
        bodies_are_there(world);
    });
}

/// While the store does not write, it still answers, and knows what it knew.
pub fn reads_go_on(world: &World) {
    world.disk.quietly(|| {
        if world.machine().is_up_to_date() {
            says_what_the_model_says(world);
        } else {
            // The journal is ahead of the index, and nobody was told.
            now(world.machine().store.page(&Filter::default(), None, MANY)).unwrap();
        }
    });
}

/// The whole journal is handed out.
pub fn every_change_is_there(world: &World) {
    world.disk.quietly(|| {
        let mut seqs = Vec::new();
        let mut keep = |record: JournalRecord<'_>| {
            seqs.push(record.seq);
            Ok(())
        };
        world.machine().store.records(1..=u64::MAX, &mut keep).unwrap();
        assert_eq!(seqs, (1..=world.known().seq).collect::<Vec<_>>());
    });
}

fn index_is_what_the_journal_makes(world: &World) {
    let (machine, root) = (world.machine(), Path::new(ASIDE));
    let content = ContentStore::open(&root.join("content")).unwrap();
    let aside = Index::open(root, content, world.settings()).unwrap();
    // What the journal had before is there already: the journal only grows, which the records' hashes prove.
    if aside.applied().unwrap() != machine.head() {
        aside.catch_up(&journal_dir(Path::new(ROOT)), machine.head()).unwrap();
    }
    let difference = machine.index().first_difference(&aside).unwrap();
    let difference = difference.map(|key| String::from_utf8_lossy(&key).into_owned());
    assert_eq!(difference, None, "the index is not what the journal makes");
}

fn says_what_the_model_says(world: &World) {
    let (Machine { store, .. }, model) = (world.machine(), &world.model);
    model.set_clock(world.clock.now());
    let memory = &model.store;
    let counts = now(store.counts()).unwrap();
    assert_eq!(counts, Counts { seq: world.known().seq, ..now(memory.counts()).unwrap() });
    let page = |store: &dyn Store| -> Page { now(store.page(&Filter::default(), None, MANY)).unwrap() };
    let found = page(store);
    assert_eq!(found, page(memory));
    for row in &found.rows {
        assert_eq!(row.hit.decisions, model.audit.decisions(row.hit.id), "hit {}", row.hit.id);
    }
    for n in 0..4 {
        let listing = now(store.listing(&listing_id(n))).unwrap();
        assert_eq!(listing, now(memory.listing(&listing_id(n))).unwrap());
        let capture = now(store.capture(&capture_id(n))).unwrap();
        assert_eq!(capture, now(memory.capture(&capture_id(n))).unwrap());
        let due = now(store.next_due(&schedule_id(n))).unwrap();
        assert_eq!(due, now(memory.next_due(&schedule_id(n))).unwrap());
    }
    assert_eq!(now(store.marks_since(0)).unwrap(), now(memory.marks_since(0)).unwrap());
    assert_eq!(now(store.remarks_since(0)).unwrap(), now(memory.remarks_since(0)).unwrap());
    assert_eq!(now(store.due(MANY)).unwrap(), now(memory.due(MANY)).unwrap());
}

fn bodies_are_there(world: &World) {
    for hash in world.model.audit.bodies() {
        let body = world.machine().store.content().get(hash).unwrap();
        assert!(body.as_deref() == Some(world.body(hash)), "the body {hash} was cited, and is gone");
    }
}
