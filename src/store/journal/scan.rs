//! Reading a journal: every record checked, damage told from an unfinished tail.

use std::{
    ops::{ControlFlow, Range, RangeInclusive},
    path::Path,
};

use memchr::memmem;

use super::{
    begin::Begin,
    record::{Found, HEADER_BYTES as RECORD_HEADER_BYTES, Hash, Head, Header, MAGIC, find},
    segment::{HEADER_BYTES, Loaded, Segment, segments},
};
use crate::store::port::StoreError;

/// Is shown each record: where it stands, and its payload.
pub(in crate::store) type Visit<'v> = &'v mut dyn FnMut(&Head, &[u8]) -> Result<(), StoreError>;

/// What a whole journal looks like.
#[derive(Debug, Clone)]
pub(in crate::store) struct Verified {
    /// The record before its first.
    pub first: Head,
    /// Its end.
    pub head: Head,
    /// The newest segment; none in a new journal.
    pub last: Option<Segment>,
    /// Where the records of the newest segment end.
    pub end: usize,
    /// Where those end of which a later one says that they were durable when it was written.
    pub synced_end: usize,
    /// Its full size.
    pub size: usize,
    /// Whether an unfinished tail stands behind the end.
    pub tail: bool,
}

impl Verified {
    /// A journal that begins behind `first`, before anything of it was looked at.
    fn behind(first: Head) -> Self {
        Self { first, head: first, last: None, end: 0, synced_end: 0, size: 0, tail: false }
    }
}

/// Looks at all of the journal in `dir`: of sealed segments, that their bytes match their checksum and that each follows
/// the one before; of others, every record. Much faster than [`verify`] and enough to open: what a sealed segment holds was
/// proved when it was sealed, and is proved again whenever it is read.
///
/// Nothing is written.
pub(in crate::store) fn check(dir: &Path) -> Result<Verified, StoreError> {
    let segments = segments(dir)?;
    let mut verified = Verified::behind(Begin::of(dir)?.head);
    for (index, segment) in segments.iter().enumerate() {
        let (before, following) = (verified.head, segments.get(index + 1));
        let checked = if segment.sealed {
            segment.glance(&before).map(|last| verified.head = last)
        } else {
            verify_segment(segment, following.is_none(), &mut verified, &mut |_, _| Ok(()))
        };
        checked.map_err(|error| with_range(error, segment, &before, following))?;
    }
    Ok(verified)
}

/// What came of proving a sealed segment.
#[derive(Debug)]
pub(in crate::store) struct Proved {
    /// Its number.
    pub number: u64,
    /// Why it is damaged, if it is.
    pub damage: Option<StoreError>,
}

/// Proves the first sealed segment with a number behind `after`: every record of it. None when there is no such segment.
pub(in crate::store) fn prove_sealed(dir: &Path, after: u64) -> Result<Option<Proved>, StoreError> {
    let segments = segments(dir)?;
    let Some(place) = segments.iter().position(|segment| segment.sealed && segment.number > after) else {
        return Ok(None);
    };
    let (Some(segment), following) = (segments.get(place), segments.get(place + 1)) else { return Ok(None) };
    let proved = segment.start().and_then(|before| {
        let mut verified = Verified::behind(before);
        verify_segment(segment, false, &mut verified, &mut |_, _| Ok(()))
            .map_err(|error| with_range(error, segment, &before, following))
    });
    Ok(Some(Proved { number: segment.number, damage: proved.err() }))
}

/// Proves the sealed segments with these numbers, which may lie before the journal's beginning, and that they lead to `end`;
/// returns the record before their first.
pub(in crate::store) fn verify_chain(dir: &Path, numbers: Range<u64>, end: Head) -> Result<Head, StoreError> {
    let first = Segment::new(dir, numbers.start).sealed();
    let begin = first.start()?;
    if (numbers.start == 1) != (begin == Head::START) {
        return Err(first.damaged(format!("it does not begin where segment {} begins", numbers.start)));
    }
    let mut verified = Verified::behind(begin);
    let mut last = first;
    for number in numbers {
        last = Segment::new(dir, number).sealed();
        verify_segment(&last, false, &mut verified, &mut |_, _| Ok(()))?;
    }
    if verified.head == end {
        Ok(begin)
    } else {
        Err(last.damaged(format!("it does not lead to sequence {}, where the journal goes on", end.seq)))
    }
}

/// Reads all of the journal in `dir`, checking every byte that matters, and hands each payload to `visit`.
///
/// Nothing is written.
pub(in crate::store) fn verify(dir: &Path, visit: Visit<'_>) -> Result<Verified, StoreError> {
    let segments = segments(dir)?;
    let mut verified = Verified::behind(Begin::of(dir)?.head);
    for (index, segment) in segments.iter().enumerate() {
        let (before, following) = (verified.head, segments.get(index + 1));
        verify_segment(segment, following.is_none(), &mut verified, visit)
            .map_err(|error| with_range(error, segment, &before, following))?;
    }
    Ok(verified)
}

fn verify_segment(
    segment: &Segment,
    newest: bool,
    verified: &mut Verified,
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let Loaded { bytes, last } = segment.load(&verified.head)?;
    let mut at = HEADER_BYTES;
    let mut synced_end = at;
    while let Some(step) = next(segment, &bytes, at, &verified.head, newest && last.is_none())? {
        // The first record of a group says that everything before it was durable.
        if step.synced + 1 == step.head.seq {
            synced_end = at;
        }
        (verified.head, at) = (step.head, step.end);
        visit(&step.head, step.payload)?;
    }
    if let Some(last) = last
        && (last != verified.head || at != bytes.len())
    {
        return Err(segment.damaged("its records do not end where its footer says"));
    }
    verified.tail = bytes.get(at..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0));
    (verified.end, verified.synced_end, verified.size) = (at, synced_end, bytes.len());
    verified.last = Some(segment.clone());
    Ok(())
}

/// Names the sequences that a damaged sealed segment keeps, and the ways out: it is readable whole or not at all.
fn with_range(error: StoreError, segment: &Segment, before: &Head, following: Option<&Segment>) -> StoreError {
    match error {
        StoreError::Damaged { path, what } if segment.sealed => {
            let end = following.and_then(|following| following.start().ok()).filter(|end| end.seq > before.seq);
            let end = end.map_or_else(|| "an unknown end".to_owned(), |end| end.seq.to_string());
            let what = format!(
                "sequences {} to {end} are sealed in it: {what}. Bring this file back from a backup, or restore the newest \
                 backup into another folder",
                before.seq + 1
            );
            StoreError::Damaged { path, what }
        }
        other => other,
    }
}

/// Hands the payloads of the sequences in `range` to `visit`, reading only the segments that hold them.
///
/// Stops at the journal's end. Records before the range are skipped by their length alone.
pub(in crate::store) fn read(dir: &Path, range: RangeInclusive<u64>, visit: Visit<'_>) -> Result<(), StoreError> {
    walk(dir, range, &mut |step, _| visit(&step.head, step.payload).map(ControlFlow::Continue))
}

/// Is shown each record and says whether to go on.
pub(in crate::store) type VisitWhile<'v> = &'v mut dyn FnMut(&Head, &[u8]) -> Result<ControlFlow<()>, StoreError>;

/// Like [`read`], as long as `visit` says.
pub(in crate::store) fn read_while(
    dir: &Path,
    range: RangeInclusive<u64>,
    visit: VisitWhile<'_>,
) -> Result<(), StoreError> {
    walk(dir, range, &mut |step, _| visit(&step.head, step.payload))
}

/// Is shown each record with the newest sequence that was durable when it was written.
pub(in crate::store) type VisitSynced<'v> = &'v mut dyn FnMut(&Head, u64, &[u8]) -> Result<(), StoreError>;

/// Like [`read`]; with this a record can be written again so that its hash is the same.
pub(in crate::store) fn read_synced(
    dir: &Path,
    range: RangeInclusive<u64>,
    visit: VisitSynced<'_>,
) -> Result<(), StoreError> {
    walk(dir, range, &mut |step, _| visit(&step.head, step.synced, step.payload).map(ControlFlow::Continue))
}

/// Like [`read`], with each record as it lies in the journal: header and payload, the bytes its hash is over.
pub(in crate::store) fn read_whole(dir: &Path, range: RangeInclusive<u64>, visit: Visit<'_>) -> Result<(), StoreError> {
    walk(dir, range, &mut |step, record| visit(&step.head, record).map(ControlFlow::Continue))
}

/// Is shown a record, taken apart and as it lies.
type VisitStep<'v> = &'v mut dyn FnMut(&Step<'_>, &[u8]) -> Result<ControlFlow<()>, StoreError>;

fn walk(dir: &Path, range: RangeInclusive<u64>, visit: VisitStep<'_>) -> Result<(), StoreError> {
    Begin::of(dir)?.refuse_before(*range.start())?;
    let segments = segments(dir)?;
    let begin = segments.partition_point(|segment| segment.start().is_ok_and(|before| before.seq < *range.start()));
    for segment in segments.iter().skip(begin.saturating_sub(1)) {
        let head = segment.start()?;
        if head.seq >= *range.end() {
            break;
        }
        let Loaded { bytes, last } = segment.load(&head)?;
        let (mut head, mut at) = skip(&bytes, head, *range.start());
        while head.seq < *range.end() {
            let Some(step) = next(segment, &bytes, at, &head, last.is_none())? else { break };
            if visit(&step, bytes.get(at..step.end).unwrap_or_default())?.is_break() {
                return Ok(());
            }
            (head, at) = (step.head, step.end);
        }
    }
    Ok(())
}

/// The hash of the record with sequence `seq`, if the journal reaches it and it has not left.
pub(in crate::store) fn hash_at(dir: &Path, seq: u64) -> Result<Option<Hash>, StoreError> {
    let begin = Begin::of(dir)?.head;
    let mut found = (seq == begin.seq).then_some(begin.hash);
    if seq > begin.seq {
        read(dir, seq..=seq, &mut |head, _| {
            found = Some(head.hash);
            Ok(())
        })?;
    }
    Ok(found)
}

struct Step<'a> {
    payload: &'a [u8],
    head: Head,
    synced: u64,
    end: usize,
}

fn next<'a>(
    segment: &Segment,
    bytes: &'a [u8],
    at: usize,
    head: &Head,
    last: bool,
) -> Result<Option<Step<'a>>, StoreError> {
    let seq = head.seq + 1;
    match find(bytes, at, head) {
        Found::Record { payload, head, synced, end } => Ok(Some(Step { payload, head, synced, end })),
        Found::Nothing | Found::Broken { torn: true, .. } if last => match acknowledged_behind(bytes, at, seq) {
            Some(later) => Err(segment.damaged(format!(
                "sequence {seq} is missing or broken, though sequence {later} was written after it was acknowledged"
            ))),
            None => Ok(None),
        },
        // The next segment's header says which sequence must come; a hole here shows there.
        Found::Nothing => Ok(None),
        Found::Broken { what, .. } => Err(segment.damaged(format!("sequence {seq}: {what}"))),
    }
}

/// A record behind `at` that was written when `seq` had already been made durable.
fn acknowledged_behind(bytes: &[u8], at: usize, seq: u64) -> Option<u64> {
    let rest = bytes.get(at..)?;
    memmem::find_iter(rest, &MAGIC)
        .filter_map(|offset| Header::at(bytes, at + offset))
        .find(|header| header.synced >= seq && header.seq > seq)
        .map(|header| header.seq)
}

/// Walks over unharmed headers to just before sequence `to`.
fn skip(bytes: &[u8], mut head: Head, to: u64) -> (Head, usize) {
    let mut at = HEADER_BYTES;
    while head.seq + 1 < to {
        let Some(header) = Header::at(bytes, at).filter(|header| header.seq == head.seq + 1) else { break };
        let end = at + RECORD_HEADER_BYTES + header.length;
        // The hash stands in the next header; without one, the record itself must be read.
        let hash = match Header::at(bytes, end) {
            Some(following) => following.previous,
            None => match find(bytes, at, &head) {
                Found::Record { head, .. } => head.hash,
                _ => break,
            },
        };
        (head, at) = (Head { seq: header.seq, hash }, end);
    }
    (head, at)
}
