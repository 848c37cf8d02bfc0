//! The store's own settings.

use serde::{Deserialize, Serialize};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// How the store uses disk and memory. The defaults suit one machine and millions of hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether full segments of the journal are sealed: compressed, with a footer that proves them. Either form is read.
    pub seal: bool,
    /// Size of a journal segment, filled with zeros ahead so that a sync writes no file metadata. 4 KiB to 256 MiB.
    pub segment_bytes: u64,
    /// Bytes of changes to the index after which the next snapshot is made, or a 32nd of the last one if that is more.
    /// The more, the longer an opening takes that has to rebuild. 64 KiB to 16 GiB.
    pub snapshot_bytes: u64,
    /// The index's cache. The process's resident memory ends at about three times this.
    pub cache_bytes: u64,
    /// Commands that may wait for the writer before callers are made to wait.
    pub queue: usize,
    /// Commands that may share one sync of the disk.
    pub group: usize,
    /// Values larger than this go to the content store; the index keeps their hash.
    pub inline_bytes: usize,
    /// Hits a text filter may read for one page or claim; a page that stops there says where to go on.
    pub scan_limit: usize,
    /// Bodies hashed again every minute while the store is open; 0 leaves that to the doctor.
    pub scrub_bodies: usize,
    /// Days after which a body that nobody cites, holds or uses goes; 0 keeps every body.
    pub retain_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seal: true,
            segment_bytes: 8 * MIB,
            snapshot_bytes: 64 * MIB,
            cache_bytes: 64 * MIB,
            queue: 1024,
            group: 256,
            inline_bytes: 64 * 1024,
            scan_limit: 10_000,
            scrub_bodies: 60,
            retain_days: 0,
        }
    }
}

impl Settings {
    /// The same settings with every number brought into its range.
    #[must_use]
    pub(super) fn clamped(&self) -> Self {
        Self {
            seal: self.seal,
            segment_bytes: self.segment_bytes.clamp(4 * KIB, 256 * MIB),
            snapshot_bytes: self.snapshot_bytes.clamp(64 * KIB, 16 * 1024 * MIB),
            cache_bytes: self.cache_bytes.clamp(MIB, 64 * 1024 * MIB),
            queue: self.queue.clamp(1, 1_000_000),
            group: self.group.clamp(1, 10_000),
            inline_bytes: self.inline_bytes.clamp(256, 64 * 1024),
            scan_limit: self.scan_limit.clamp(1, 10_000_000),
            scrub_bodies: self.scrub_bodies.min(100_000),
            retain_days: self.retain_days.min(100_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_refused_and_absent_ones_have_defaults() {
        assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
        assert!(toml::from_str::<Settings>("segment = 3").is_err());
    }

    #[test]
    fn a_setting_out_of_range_is_brought_into_it() {
        let wild = Settings { segment_bytes: 0, group: 0, queue: 0, scan_limit: 0, ..Settings::default() };
        let tame = wild.clamped();
        assert_eq!((tame.segment_bytes, tame.group, tame.queue, tame.scan_limit), (4096, 1, 1, 1));
        assert_eq!(Settings::default().clamped(), Settings::default());
    }
}
