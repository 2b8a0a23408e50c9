//! Every limit of the store, named, with its reason.

use std::time::Duration;

/// Unit of placement in a segment: every batch starts on such a boundary (FORMAT.md 2).
pub(crate) const BLOCK_BYTES: u64 = BLOCK as u64;
/// The same where memory is meant.
pub(crate) const BLOCK: usize = 4096;
/// Default length of a segment: large enough that rolling is rare, small enough that space comes back in small steps.
pub(crate) const SEGMENT_BYTES: u64 = 32 << 20;
/// First segment of an epoch: a takeover waits for its zeros to be synced.
pub(crate) const FIRST_SEGMENT_BYTES: u64 = 1 << 20;
/// Shortest segment: a header, a seal and one small batch.
pub(crate) const MIN_SEGMENT_BYTES: u64 = 4 * BLOCK_BYTES;
/// A limited journal must at least hold the one written, the one being compacted, a spare and the reserve.
pub(crate) const MIN_SEGMENTS: u64 = 4;
/// Replay reads at some 500 MB/s, so this much tail costs a takeover well under 100 ms.
pub(crate) const CHECKPOINT_BYTES: u64 = 16 << 20;
/// Enough for one sync to carry hundreds of producers, small enough that it lasts under a millisecond on a fast disk.
pub(crate) const MAX_BATCH_BYTES: usize = 1 << 20;
/// One unit of work in memory; a larger transaction is staged in parts.
pub(crate) const MAX_WORK_BYTES: usize = 256 << 20;
/// Names, producer ids and transaction ids have a 16-bit length on disk.
pub(crate) const MAX_ID_BYTES: usize = u16::MAX as usize;
/// Removals in one record have a 16-bit count on disk.
pub(crate) const MAX_REMOVED_SEQS: usize = u16::MAX as usize;
/// Memory for clean pages of the index.
pub(crate) const PAGE_CACHE_BYTES: usize = 64 << 20;
/// Memory for changed ones, which cannot leave before a checkpoint: acknowledgements scattered over a large backlog
/// change a page each, long before their journal is worth one.
pub(crate) const DIRTY_BYTES: usize = PAGE_CACHE_BYTES;
/// Clients that were away for a week do not resend what they sent before.
pub(crate) const PRODUCER_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A client in doubt asks again as soon as it has found the new master; its longest pause between two tries is 30 s.
pub(crate) const OUTCOME_AGE: Duration = Duration::from_secs(600);
/// Outcomes remembered, or the oldest quarter leaves before its time: at ten thousand commits a second those of the
/// last 37 s are still known, in some 50 MB of disk and 32 MB of live journal.
pub(crate) const OUTCOMES: usize = 500_000;
/// The next segment is zero-filled in pieces this large: a batch that waits behind one is hardly later for it. Beside
/// a writer of 1,000 batches a second, pieces of 1 MiB one after another doubled its p99.
pub(crate) const FILL_BYTES: u64 = 128 << 10;
/// And in pieces this large where the writer waits for it anyway: each may cost a round trip to a server.
pub(crate) const URGENT_FILL_BYTES: u64 = 1 << 20;
/// After each such piece the disk is left to the writer for so many times as long: 32 MiB are ready in a third of a second.
pub(crate) const PREPARE_REST: u32 = 4;
/// The room of a removed segment is given back in pieces this large: with `discard`, a disk stands still over 32 MiB for
/// some 9 ms, over this for less than 1 ms.
pub(crate) const SHRINK_BYTES: u64 = if cfg!(test) { 16 << 10 } else { 2 << 20 };
/// Recovery reads the journal in pieces this large.
pub(crate) const READ_AHEAD_BYTES: usize = 1 << 20;
/// Compaction reads it in pieces this large and rests after each: whole segments at the disk's full speed would make a
/// batch wait up to 20 ms.
pub(crate) const COMPACTION_READ_BYTES: usize = if cfg!(test) { 16 << 10 } else { 256 << 10 };
/// After each such piece, as after each that is moved or given back, clients have the disk and the processors so many times as
/// long. With once as long a segment took a quarter of a second in which two cores carried 95 messages in the time of 127
/// that came.
pub(crate) const UPKEEP_REST: u32 = 4;
/// So far ahead of its reads recovery tells the disk what it will read: several requests in flight double its speed.
pub(crate) const ANNOUNCED_BYTES: u64 = 2 << 20;
/// Behind the journal's end it reads in pieces of this size.
pub(crate) const LAST_READ_BYTES: usize = 128 << 10;
/// Segments kept open for reading messages back: 4 GiB of backlog without reopening, well below the usual 1,024 files.
pub(crate) const OPEN_SEGMENTS: usize = if cfg!(test) { 4 } else { 128 };
/// The segments of an epoch grow by this factor up to full size, so that neither the takeover nor the first roll
/// after it waits long for zeros.
pub(crate) const SEGMENT_GROWTH: u64 = 8;
/// Segments made ready ahead of need: one to roll into, one held in reserve for acknowledgements on a full disk.
pub(crate) const SPARE_SEGMENTS: usize = 2;
/// A batch buffer larger than this is given back after use: one huge transaction must not cost memory for ever.
pub(crate) const KEPT_BATCH_BYTES: usize = 4 << 20;
/// Records of one batch: above every allowed unit of work, below what its 32-bit length can say.
pub(crate) const MAX_FRAME_BYTES: usize = 1 << 30;
/// When this many times of what makes a checkpoint due has come together while one is being written, committing goes at
/// half its speed, so that the checkpoint catches up.
pub(crate) const OVERDUE_FACTOR: u64 = 2;
/// And when this many times has, it waits: a recovery must not have to replay more, nor memory hold more.
pub(crate) const LONG_OVERDUE_FACTOR: u64 = 4;
/// While it waits, one batch gets through in this time.
pub(crate) const CHECKPOINT_WAIT: Duration = Duration::from_secs(1);
/// Writes that a disk is judged by.
pub(crate) const GATHER_HISTORY: usize = 8;
/// Below this a pause costs more than the sync that it may spare.
pub(crate) const GATHER_FROM: Duration = Duration::from_micros(300);
/// What a disk of 1 GB/s needs.
pub(crate) const GATHER_NS_PER_BYTE: u32 = 1;
/// Parts of a sync by which the pause shrinks and grows: it is at most one sync, at least an eighth.
pub(crate) const GATHER_SHARES: u32 = 8;
/// Whether they keep coming is looked at when the last of so many parts of the pause begins, and a part apart from then on.
pub(crate) const GATHER_LOOKS: u32 = 4;
/// They keep coming while one in so many of those together has come since the last look.
pub(crate) const GATHER_FLOW: usize = 8;
/// While they keep coming it is up to so many times as long: busy processors bring 64 producers back within a millisecond, and
/// that is twice a sync of 0.3 ms with its write.
pub(crate) const GATHER_STRETCH: u32 = 4;
/// Batches without a pause after one that did not pay at its shortest.
pub(crate) const GATHER_REST: u32 = 32;
/// The pause is never longer than this, however slow the disk.
pub(crate) const GATHER_LONGEST: Duration = Duration::from_millis(2);
/// Nor than this while they keep coming.
pub(crate) const GATHER_IN_ALL: Duration = Duration::from_millis(4);
/// After so many batches with one waiter each there is a lone producer: several at once hardly ever look like that.
pub(crate) const LONE_RUN: u32 = 16;
/// Batches for which the thread sleeps after it watched in vain: a producer that comes more slowly costs little then.
pub(crate) const LONE_REST: u32 = 4;
/// Its next message comes 60 to 120 us after the answer, with the stock client on the same machine.
pub(crate) const LONE_WAIT: Duration = Duration::from_micros(150);
/// Steps from batch to batch up to this are close: of so short a time wake-ups are a good part. With 1 ms, transactions of 100
/// messages were 8 % slower, and so was a lone producer on a disk of 1 ms.
pub(crate) const BUSY_STEP: Duration = Duration::from_millis(2);
/// So many close steps more than were undone make the store busy.
pub(crate) const BUSY_RUN: u32 = 16;
/// One that is not close undoes so many: a disk that stumbles while somebody waits is no quieter for it.
pub(crate) const BUSY_STUMBLE: u32 = 4;
/// So long after the beginning of a batch the store is no longer busy if none followed.
pub(crate) const BUSY_END: Duration = Duration::from_millis(3);
/// A durable write that takes so long is worth a warning: clients notice, and on most disks it takes a thousandth.
pub(crate) const SLOW_WRITE: Duration = Duration::from_millis(500);
/// And one that takes so long a line at debug level: it explains late answers.
pub(crate) const NOTED_WRITE: Duration = Duration::from_millis(5);
/// So long there is no further warning after one.
pub(crate) const SLOW_WRITE_SILENCE: Duration = Duration::from_secs(10);
/// An injected delay sleeps so much less and spins for the rest: sleepers wake up to 0.1 ms late, a disk of 1 ms does not.
pub(crate) const OVERSLEEP: Duration = Duration::from_micros(100);
/// Buffers that go round between callers and the committing thread: one filled, one written, one to spare.
pub(crate) const SPARE_CHUNKS: usize = 2;
/// What nobody waits for goes to disk this late, after the write under way: acknowledgements alone make a thousand batches a second then.
/// No longer is a nap of a busy committing thread, which need not be woken for them.
pub(crate) const UNAWAITED_WAIT: Duration = Duration::from_millis(1);
/// How often a full journal is tried again when nobody reports that space came back.
pub(crate) const FULL_RETRY: Duration = Duration::from_millis(100);
/// The journal may exceed twice its live bytes by this many segments before old ones are emptied.
pub(crate) const SLACK_SEGMENTS: u64 = 8;
/// The same while clients wait for room, or acknowledgements have begun the reserve.
pub(crate) const SLACK_SEGMENTS_FULL: u64 = 1;
/// Compaction writes batches of about this size: small, since producers wait behind each of them.
pub(crate) const MOVE_BYTES: usize = 256 << 10;
/// How often maintenance looks whether it still makes sense to wait for the committing thread.
pub(crate) const MOVE_WAIT: Duration = Duration::from_millis(200);
/// A slave warms up after this: a takeover beside it is over by then.
pub(crate) const WARM_UP_AFTER: Duration = Duration::from_secs(1);
/// Maintenance looks at least this often whether a checkpoint would shorten the next takeover or give space back: a short
/// tail replays in a few milliseconds, one of 16 MiB in 25, and a client sleeps through another of its doubling delays then.
pub(crate) const UPKEEP_LOOK: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 250 });
/// It leaves this many times as long between two looks as the last checkpoint took, because one of a large index is dear, but no
/// longer than this.
pub(crate) const UPKEEP_LOOK_FACTOR: u32 = 100;
pub(crate) const UPKEEP_LOOK_AT_LAST: Duration = Duration::from_secs(5);
/// While room is wanted, rounds of maintenance keep this distance: each writes a checkpoint.
pub(crate) const FULL_UPKEEP: Duration = Duration::from_millis(100);
/// Less tail than this is not worth a checkpoint of its own: it replays in a few milliseconds.
pub(crate) const IDLE_TAIL_BYTES: u64 = 1 << 20;
/// A replay of this part of what makes a checkpoint due is short enough for a stop.
pub(crate) const SHORT_REPLAY: u64 = 16;
/// A checkpoint that is under way when the store is stopped may still be finished within this time; then it is given up
/// between two writes.
pub(crate) const STOP_GRACE: Duration = Duration::from_millis(10);
/// A clean stop waits this long for a maintenance thread that hangs in one file operation, then gives the lock back all the
/// same, without the note that nothing of us is left.
pub(crate) const UPKEEP_STOP_WAIT: Duration = Duration::from_millis(500);
/// And this long for a spare segment that is just being made. It need not wait at all: no other master reads that file.
pub(crate) const PREPARER_STOP_WAIT: Duration = Duration::from_millis(5);
/// A producer sequence that was noted but never became durable is forgotten after this long.
pub(crate) const PRODUCER_GIVE_UP: Duration = Duration::from_secs(600);
/// Messages read back with one system call when they lie this close together.
pub(crate) const READ_GAP_BYTES: u64 = 16 << 10;
/// Most bytes read with one system call when messages are read back.
pub(crate) const READ_SPAN_BYTES: u64 = 1 << 20;
/// Sequences per page of the index (FORMAT.md 6): a full page takes about 2.3 KB in the database. Small in tests, like
/// the other steps of the index below, so that the edges are met in every one of them.
pub(crate) const PAGE_ENTRIES: u64 = if cfg!(test) { 8 } else { 256 };
/// Staged operations per value: sixteen values share a node of sled, which must stay below its 256 KiB for one item.
pub(crate) const STAGED_CHUNK: usize = if cfg!(test) { 3 } else { 64 };
/// Ids up to this length are keys as they are, longer ones as a hash; the same bound as for [`STAGED_CHUNK`].
pub(crate) const SHORT_ID_BYTES: usize = 128;
/// Measured: larger batches make sled 0.34.7 leak memory and disk without bound.
pub(crate) const DATABASE_BATCH_OPS: usize = if cfg!(test) { 5 } else { 128 };
/// Sled's own cache; the pages in use are in ours.
pub(crate) const DATABASE_CACHE_BYTES: u64 = 16 << 20;
/// A quarter of this is the largest item that sled keeps inside its file; larger ones would go unsynced beside it.
pub(crate) const DATABASE_SEGMENT_BYTES: usize = 1 << 20;
/// A database that takes longer to open is taken for damaged: reading the journal again is then the quicker way.
pub(crate) const DATABASE_OPEN_TIME: Duration = Duration::from_secs(5);
/// On top of that for every page in it.
pub(crate) const DATABASE_OPEN_TIME_PER_PAGE: Duration = Duration::from_micros(100);
/// How long to wait for the lock on a database that its last user is just closing.
pub(crate) const DATABASE_LOCK_TIME: Duration = Duration::from_millis(200);
/// How often to look whether it was let go.
pub(crate) const DATABASE_LOCK_LOOK: Duration = Duration::from_millis(5);
/// Disk that must be free before a checkpoint starts: a full disk poisons an open sled database.
pub(crate) const DATABASE_SPARE_BYTES: u64 = 16 << 20;
/// An index up to this size is one file, written whole at each checkpoint in a few milliseconds: some 100,000 messages.
pub(crate) const FILE_INDEX_BYTES: u64 = if cfg!(test) { 1024 } else { 1 << 20 };
/// An index this many times larger or smaller than that moves.
pub(crate) const FILE_INDEX_SLACK: u64 = 4;
/// A database this large and [`DATABASE_BLOAT_FACTOR`] times what is in it is written anew.
pub(crate) const DATABASE_BLOAT_BYTES: u64 = 64 << 20;
/// Sled rewrites nodes of sixteen values and frees what it no longer needs late.
pub(crate) const DATABASE_BLOAT_FACTOR: u64 = 4;
/// Producers, and likewise outcomes, remembered in memory beyond those not yet in the database: some 10 MB.
pub(crate) const LOOKUP_CACHE_ENTRIES: usize = if cfg!(test) { 4 } else { 65_536 };
/// Producers looked at for their age per checkpoint, and outcomes forgotten without letting others at the index: some
/// milliseconds at most.
pub(crate) const EXPIRE_STEP: usize = if cfg!(test) { 3 } else { 1024 };
/// What a changed producer or outcome takes in memory until it is in the database, about.
pub(crate) const DIRTY_NOTE_BYTES: usize = 256;
/// Pause between two such steps: the lock on the index is not fair, and committing wants it.
pub(crate) const EXPIRE_PAUSE: Duration = Duration::from_millis(1);
/// A replay is reported this often unless the settings say otherwise: often enough for a person who watches.
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// A replay that has changed more of the index than this writes a checkpoint on the way: memory stays bounded.
pub(crate) const REPLAY_DIRTY_BYTES: usize = 256 << 20;
/// A stretch of zeros this long behind the last batch, and the rest of the segment is only sampled: reading all 32 MiB
/// would cost every takeover 40 ms and more. Less would cost less (1 MiB: some 5 ms), and miss more damage.
pub(crate) const QUIET_BYTES: u64 = 4 << 20;
/// Samples are taken at multiples of this; a shorter run of batches behind such a hole goes unnoticed.
pub(crate) const SAMPLE_BYTES: u64 = 1 << 20;
