//! This process has none of the kernel's transparent huge pages.
//!
//! The first byte written to one costs the zeroing of 2 MiB: on a virtual
//! machine 5 ms were seen, in the middle of a commit. And the kernel's thread
//! that puts small pages together held up a processor for as long.

/// Does without them from now on. Where that is refused, it goes on with them.
pub(crate) fn refuse() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
