//! What spilled transactions hold back until their commit.
//!
//! Kept in the order in which it was staged, in chunks that a checkpoint writes like pages. Chunks of an ended transaction
//! stay in the database for one checkpoint longer: while pages may be as of the old or the new place, the commit may have to
//! be replayed from the old one.

use std::collections::{BTreeMap, HashMap};

use super::control::StagedImage;
use super::dirt::Dirt;
use super::key::PageKey;
use super::page::PageMark;
use super::segment_use::Segments;
use super::source::Source;
use super::staged::{StagedOperation, decode_chunk, encode_chunk};
use crate::error::Result;
use crate::limits::STAGED_CHUNK;
use crate::position::{QueueId, Seq, StagedId};

/// A queue, a sequence, and whether it is a message: staged twice means moved.
type Name = (QueueId, Seq, bool);

/// All transactions without an end.
#[derive(Default)]
pub(super) struct StagedTable {
    open: BTreeMap<StagedId, Transaction>,
    next: StagedId,
    /// Ended since the last checkpoint began.
    ended: Vec<PageKey>,
    /// Ended before the checkpoint that is running.
    ending: Vec<PageKey>,
    /// Ended before the last stable checkpoint: the next one removes them.
    removable: Vec<PageKey>,
}

#[derive(Default)]
struct Transaction {
    /// None until it is needed.
    operations: Option<Vec<StagedOperation>>,
    /// How many there are, in memory or in the database.
    count: usize,
    places: HashMap<Name, usize>,
    chunks: Vec<Chunk>,
}

#[derive(Clone, Copy, Default)]
struct Chunk {
    stored: Option<PageMark>,
    dirt: Dirt,
}

impl StagedTable {
    pub(super) fn from_image(images: &[StagedImage], next: StagedId) -> Self {
        let open = images.iter().map(|image| {
            let chunks = image.chunks.iter().map(|mark| Chunk {
                stored: Some(*mark),
                dirt: Dirt::Clean,
            });
            let count = usize::try_from(image.operations).unwrap_or(usize::MAX);
            let transaction = Transaction {
                count,
                chunks: chunks.collect(),
                ..Transaction::default()
            };
            (image.id, transaction)
        });
        Self {
            open: open.collect(),
            next,
            ..Self::default()
        }
    }

    pub(super) fn next(&self) -> StagedId {
        self.next
    }

    pub(super) fn ids(&self) -> Vec<StagedId> {
        self.open.keys().copied().collect()
    }

    pub(super) fn note_id(&mut self, id: StagedId) {
        self.next = self.next.max(StagedId(id.0 + 1));
    }

    /// Holds one more operation back, or notes where it was moved to.
    pub(super) fn stage(
        &mut self,
        source: &mut Source,
        segments: &mut Segments,
        id: StagedId,
        operation: StagedOperation,
    ) -> Result<()> {
        self.note_id(id);
        let transaction = self.open.entry(id).or_default();
        transaction.load(source, id)?;
        let (segment, bytes) = operation.pinned();
        segments.add(segment, bytes);
        if let Some(old) = transaction.put(operation) {
            let (segment, bytes) = old.pinned();
            segments.sub(segment, bytes);
        }
        Ok(())
    }

    /// Ends a transaction; answers what was held back, still counted in its segments.
    pub(super) fn end(
        &mut self,
        source: &mut Source,
        id: StagedId,
    ) -> Result<Vec<StagedOperation>> {
        self.note_id(id);
        let Some(transaction) = self.open.get_mut(&id) else {
            return Ok(Vec::new());
        };
        transaction.load(source, id)?;
        let operations = transaction.operations.take().unwrap_or_default();
        for (chunk, number) in transaction.chunks.iter().zip(0u64..) {
            if chunk.stored.is_some() || chunk.dirt.is_writing() {
                self.ended.push(PageKey::Staged {
                    transaction: id,
                    chunk: number,
                });
            }
        }
        self.open.remove(&id);
        Ok(operations)
    }

    pub(super) fn is_open(&self, id: StagedId) -> bool {
        self.open.contains_key(&id)
    }

    /// The operation of this name, if it is still held back.
    pub(super) fn find(
        &mut self,
        source: &mut Source,
        id: StagedId,
        name: Name,
    ) -> Result<Option<&StagedOperation>> {
        let Some(transaction) = self.open.get_mut(&id) else {
            return Ok(None);
        };
        transaction.load(source, id)?;
        let at = transaction.places.get(&name);
        Ok(at.and_then(|at| transaction.operations.as_ref()?.get(*at)))
    }

    /// Hands changed chunks to a checkpoint (all that are in memory if `full`), and the keys that can go.
    /// What stays in the old generation is put into `kept`.
    pub(super) fn freeze(
        &mut self,
        full: bool,
        kept: &mut Vec<(PageKey, PageMark)>,
    ) -> Vec<(PageKey, Option<Vec<u8>>)> {
        let mut out = Vec::new();
        self.ending = std::mem::take(&mut self.ended);
        out.extend(self.removable.drain(..).map(|key| (key, None)));
        for (id, transaction) in &mut self.open {
            let operations = transaction.operations.as_deref();
            for (chunk, number) in transaction.chunks.iter_mut().zip(0u64..) {
                let key = PageKey::Staged {
                    transaction: *id,
                    chunk: number,
                };
                let Some(operations) = operations else {
                    kept.extend(chunk.stored.map(|mark| (key, mark)));
                    continue;
                };
                if full || chunk.dirt == Dirt::Dirty {
                    chunk.dirt.freeze();
                    out.push((key, Some(encode_chunk(chunk_of(operations, number)))));
                }
            }
        }
        out
    }

    /// What the control file is to say; chunks being written get their marks later.
    pub(super) fn image(&self) -> Vec<StagedImage> {
        let images = self.open.iter().map(|(id, transaction)| StagedImage {
            id: *id,
            operations: transaction.count as u64,
            chunks: transaction
                .chunks
                .iter()
                .map(|chunk| chunk.stored.unwrap_or_default())
                .collect(),
        });
        images.collect()
    }

    /// The checkpoint with this chunk ended.
    pub(super) fn thaw(&mut self, id: StagedId, number: u64, mark: Option<PageMark>, stable: bool) {
        let transaction = self.open.get_mut(&id);
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(chunk) = transaction.and_then(|transaction| transaction.chunks.get_mut(at)) {
            chunk.dirt.thaw(stable);
            if stable {
                chunk.stored = mark;
            }
        }
    }

    /// The checkpoint ended as a whole.
    pub(super) fn thawed(&mut self, stable: bool) {
        // After a failure the next checkpoint writes a new generation, without them.
        let ending = std::mem::take(&mut self.ending);
        if stable {
            self.removable.extend(ending);
        }
    }
}

impl Transaction {
    fn load(&mut self, source: &mut Source, id: StagedId) -> Result<()> {
        if self.operations.is_some() {
            return Ok(());
        }
        let mut operations = Vec::new();
        for (chunk, number) in self.chunks.iter().zip(0u64..) {
            let Some(mark) = chunk.stored else { continue };
            let body = source.page(
                PageKey::Staged {
                    transaction: id,
                    chunk: number,
                },
                mark,
            )?;
            let Some(mut more) = decode_chunk(&body) else {
                return Err(
                    source.condemn(format!("chunk {number} of a staged transaction is damaged"))
                );
            };
            operations.append(&mut more);
        }
        // A chunk written by a checkpoint that did not become stable may hold more than is to be replayed onto.
        operations.truncate(self.count);
        if operations.len() < self.count {
            let reason = format!(
                "a staged transaction has {} operations, want {}",
                operations.len(),
                self.count
            );
            return Err(source.condemn(reason));
        }
        self.places = operations
            .iter()
            .enumerate()
            .map(|(at, operation)| (name(operation), at))
            .collect();
        self.operations = Some(operations);
        Ok(())
    }

    /// Adds an operation, or replaces the one of that name.
    fn put(&mut self, operation: StagedOperation) -> Option<StagedOperation> {
        let operations = self.operations.get_or_insert_default();
        let at = *self
            .places
            .entry(name(&operation))
            .or_insert(operations.len());
        let old = if at < operations.len() {
            Some(std::mem::replace(&mut operations[at], operation))
        } else {
            operations.push(operation);
            None
        };
        self.count = operations.len();
        let chunk = at / STAGED_CHUNK;
        self.chunks
            .resize(self.chunks.len().max(chunk + 1), Chunk::default());
        self.chunks[chunk].dirt.touch();
        old
    }
}

fn name(operation: &StagedOperation) -> Name {
    (operation.queue, operation.seq, operation.is_message())
}

fn chunk_of(operations: &[StagedOperation], number: u64) -> &[StagedOperation] {
    let from = usize::try_from(number)
        .unwrap_or(usize::MAX)
        .saturating_mul(STAGED_CHUNK)
        .min(operations.len());
    &operations[from..operations.len().min(from + STAGED_CHUNK)]
}
