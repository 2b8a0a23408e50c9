//! Open files of the simulated file system. They outlive their names.

use std::io;

use super::fault::OpKind;
use super::op::{Data, Op};
use super::simfs::SimFs;
use crate::fs::contract::{ReadFile, Remains, SegmentFile};
use crate::limits::BLOCK_BYTES;

pub(super) struct SimRead {
    fs: SimFs,
    inode: u64,
}

impl SimRead {
    pub(super) fn new(fs: SimFs, inode: u64) -> Self {
        Self { fs, inode }
    }
}

impl ReadFile for SimRead {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut shared = self.fs.shared();
        shared.look(OpKind::Read)?;
        let content = shared.content(self.inode);
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(content.len());
        let len = buf.len().min(content.len() - from);
        buf[..len].copy_from_slice(&content[from..from + len]);
        Ok(len)
    }

    fn file_len(&self) -> io::Result<u64> {
        Ok(self.fs.shared().content(self.inode).len() as u64)
    }
}

pub(super) struct SimRemains {
    fs: SimFs,
    inode: u64,
}

impl SimRemains {
    pub(super) fn new(fs: SimFs, inode: u64) -> Self {
        Self { fs, inode }
    }
}

impl Remains for SimRemains {
    fn shrink(&mut self, bytes: u64) -> io::Result<bool> {
        let mut shared = self.fs.shared();
        let len = shared.content(self.inode).len() as u64;
        if len == 0 {
            return Ok(false);
        }
        shared.change(Op::Shrink {
            inode: self.inode,
            len: len.saturating_sub(bytes),
        })?;
        Ok(true)
    }
}

pub(super) struct SimSegment {
    fs: SimFs,
    inode: u64,
    /// As its owner knows it: somebody else may have removed and shrunk it.
    len: u64,
    finished: bool,
    locked: bool,
}

impl SimSegment {
    pub(super) fn new(fs: SimFs, inode: u64, len: u64) -> Self {
        Self {
            fs,
            inode,
            len,
            finished: false,
            locked: false,
        }
    }
}

impl SegmentFile for SimSegment {
    fn fill(&mut self, offset: u64, len: u64) -> io::Result<()> {
        assert!(!self.finished, "fill comes before finish");
        self.fs.shared().change(Op::Write {
            inode: self.inode,
            offset,
            data: Data::Zeros(len),
        })
    }

    fn finish(&mut self) -> io::Result<()> {
        self.fs.shared().change(Op::Sync { inode: self.inode })?;
        self.finished = true;
        Ok(())
    }

    fn lock(&mut self) -> io::Result<()> {
        self.fs.shared().lock(self.inode)?;
        self.locked = true;
        Ok(())
    }

    fn write_durable(&mut self, offset: u64, aligned: &[u8]) -> io::Result<()> {
        assert!(
            self.finished && self.locked,
            "durable writes come after finish and lock"
        );
        assert!(
            offset.is_multiple_of(BLOCK_BYTES),
            "writes start on a block boundary"
        );
        assert!(
            (aligned.len() as u64).is_multiple_of(BLOCK_BYTES),
            "whole blocks are written"
        );
        let end = offset + aligned.len() as u64;
        assert!(end <= self.len, "writes stay within the segment");
        let data = Data::Bytes(aligned.into());
        self.fs.shared().change(Op::WriteDurable {
            inode: self.inode,
            offset,
            data,
        })
    }

    fn grow(&mut self, from: u64, to: u64) -> io::Result<()> {
        let mut shared = self.fs.shared();
        shared.check_space(to - from)?;
        shared.change(Op::Write {
            inode: self.inode,
            offset: from,
            data: Data::Zeros(to - from),
        })?;
        shared.change(Op::Sync { inode: self.inode })?;
        self.len = to;
        Ok(())
    }
}

impl Drop for SimSegment {
    fn drop(&mut self) {
        if self.locked {
            self.fs.shared().unlock(self.inode);
        }
    }
}
