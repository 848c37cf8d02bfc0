//! The store on a simulated disk: what it acknowledged is there whatever the disk did.

use std::path::Path;

use super::{
    disk::{
        self,
        simulated::{Disk, Fault},
    },
    folder::sync_dir,
    journal::{Journal, verify},
};

const SEGMENT_BYTES: u64 = 4096;
const SEEDS: u64 = 100;

fn resumed(dir: &Path) -> (Vec<Vec<u8>>, Journal) {
    let mut found = Vec::new();
    let verified = verify(dir, &mut |_, payload| {
        found.push(payload.to_vec());
        Ok(())
    });
    let verified = verified.unwrap();
    Journal::settle(dir, &verified).unwrap();
    (found, Journal::resume(dir, SEGMENT_BYTES, verified).unwrap())
}

#[test]
fn what_the_journal_acknowledged_survives_a_power_cut_after_a_failed_write() {
    for seed in 0..SEEDS {
        let disk = Disk::new(seed);
        let _in_place = disk.put_in_place();
        let dir = Path::new("/journal");
        disk::make_folders(dir).unwrap();
        sync_dir(Path::new("/")).unwrap();
        let (_, mut journal) = resumed(dir);
        let mut kept = Vec::new();
        for n in 0..10_u8 {
            let fault = if n % 2 == 0 { Fault::Full } else { Fault::Broken };
            disk.fail(disk.operations() + 1 + u64::from(n % 3), fault);
            let payload = vec![b'a' + n; 700];
            journal.stage(&payload).unwrap();
            match journal.commit() {
                Ok(()) => kept.push(payload),
                Err(_) => {
                    disk.heal();
                    journal.go_on().unwrap();
                }
            }
        }
        disk.fail(disk.operations() + 1, Fault::PowerCut);
        journal.stage(b"the power goes").unwrap();
        assert!(journal.commit().is_err() && disk.is_off() && !disk.met().is_empty());
        disk.cut_power();
        assert_eq!(resumed(dir).0, kept, "seed {seed}");
        disk.flip(&dir.join("00000001.seg"), 0);
        assert!(verify(dir, &mut |_, _| Ok(())).is_err());
    }
}
