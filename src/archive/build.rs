//! Listings become segments.

use std::{panic::resume_unwind, path::Path, thread};

use super::{
    ArchiveError,
    segment::{BLOCK, Block, Writer, io_error},
};
use crate::model::Listing;

/// Listings that are packed together, on all threads.
const CHUNK: usize = 4096;

/// Packs listings into segments of one folder as they come.
pub(super) struct Builder<'a> {
    folder: &'a Path,
    /// What the names of the segments begin with.
    name: String,
    threads: usize,
    waiting: Vec<Listing>,
    writer: Option<Writer>,
    segments: Vec<String>,
}

impl<'a> Builder<'a> {
    pub fn new(folder: &'a Path, name: String, threads: usize) -> Self {
        let (waiting, writer, segments) = (Vec::with_capacity(CHUNK), None, Vec::new());
        Self { folder, name, threads: threads.max(1), waiting, writer, segments }
    }

    /// Takes in one listing; none comes twice.
    pub fn push(&mut self, listing: Listing) -> Result<(), ArchiveError> {
        self.waiting.push(listing);
        if self.waiting.len() >= CHUNK { self.pack() } else { Ok(()) }
    }

    /// Writes what is left; gives the segments' names.
    pub fn finish(mut self) -> Result<Vec<String>, ArchiveError> {
        self.pack()?;
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        Ok(self.segments)
    }

    fn pack(&mut self) -> Result<(), ArchiveError> {
        // A block takes what belongs together, and each thread a row of blocks.
        let each = self.waiting.len().div_ceil(self.threads).next_multiple_of(BLOCK).max(BLOCK);
        let blocks: Vec<std::io::Result<Vec<Block>>> = thread::scope(|scope| {
            let workers: Vec<_> = self
                .waiting
                .chunks(each)
                .map(|part| scope.spawn(move || part.chunks(BLOCK).map(Block::pack).collect()))
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|wrong| resume_unwind(wrong))).collect()
        });
        self.waiting.clear();
        for block in blocks {
            for block in block.map_err(|error| io_error(self.folder, error))? {
                self.put(block)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, block: Block) -> Result<(), ArchiveError> {
        let full = self.writer.as_ref().is_some_and(Writer::is_full);
        if let Some(writer) = self.writer.take_if(|_| full) {
            writer.finish()?;
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let name = format!("{}-{:05}.seg", self.name, self.segments.len());
                let writer = Writer::create(&self.folder.join(&name))?;
                self.segments.push(name);
                none.insert(writer)
            }
        };
        writer.push(block)
    }
}
