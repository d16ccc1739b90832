//! Writes to a file in a separate thread.
//!
//! A file on a hanging disk blocks its writer, whatever its flags. Here only the thread is blocked.
//! It holds at most one batch of lines; further lines wait with the caller, as for a full pipe.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use rustix::event::{EventfdFlags, eventfd};

use crate::disk;

/// The caller's end. The thread ends with the process: one blocked by the disk cannot be stopped.
#[derive(Debug)]
pub(crate) struct FileWriter {
    shared: Arc<Shared>,
}

/// The result of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Line feeds among the bytes that could not be written; `None` when all were written.
    pub(crate) lost_lines: Option<u64>,
}

#[derive(Debug)]
struct Shared {
    slot: Mutex<Slot>,
    handed_over: Condvar,
    /// Readable after each write.
    wake: OwnedFd,
}

#[derive(Debug, Default)]
struct Slot {
    bytes: Vec<u8>,
    /// From the handover until the bytes are written or lost.
    busy: bool,
    written: Option<Written>,
}

impl FileWriter {
    pub(crate) fn start(file: OwnedFd) -> io::Result<FileWriter> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (slot, handed_over) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { slot, handed_over, wake });
        let theirs = Arc::clone(&shared);
        disk::spawn("output", move || theirs.serve(&file))?;
        Ok(FileWriter { shared })
    }

    /// Hands over bytes; false while earlier ones are being written.
    pub(crate) fn offer(&self, bytes: &[u8]) -> bool {
        let mut slot = self.shared.lock();
        if slot.busy {
            return false;
        }
        slot.bytes.extend_from_slice(bytes);
        slot.busy = true;
        self.shared.handed_over.notify_one();
        true
    }

    /// The result of the last handover, once.
    pub(crate) fn take_result(&self) -> Option<Written> {
        // an empty counter is fine: the slot decides
        let _ = rustix::io::read(&self.shared.wake, &mut [0; 8]);
        self.shared.lock().written.take()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.shared.lock().busy
    }
}

impl AsFd for FileWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // the content is consistent whenever it is unlocked
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, file: &OwnedFd) {
        let mut slot = self.lock();
        loop {
            if !slot.busy {
                slot = self.handed_over.wait(slot).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let bytes = std::mem::take(&mut slot.bytes);
            drop(slot);
            let written = write_all(file, &bytes);
            slot = self.lock();
            slot.written = Some(written);
            slot.busy = false;
            // a full counter wakes the caller too
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Written {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(count) if count > 0 => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => (),
            _ => {
                let lost = bytes.iter().filter(|b| **b == b'\n').count();
                return Written { lost_lines: Some(lost as u64) };
            }
        }
    }
    Written { lost_lines: None }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn wait(writer: &FileWriter) -> Written {
        loop {
            if let Some(written) = writer.take_result() {
                return written;
            }
            let mut fds = [PollFd::new(writer, PollFlags::IN)];
            poll(&mut fds, None).expect("woken");
        }
    }

    /// A full pipe that blocks its writers simulates a hanging disk.
    #[test]
    fn a_write_that_blocks_holds_up_the_thread_alone() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let size = rustix::pipe::fcntl_setpipe_size(&writer, 4096).expect("a size");
        let writer = FileWriter::start(writer.into()).expect("a thread");
        assert!(writer.offer(&vec![b'x'; size + 1]), "nothing is under way");
        assert!(!writer.offer(b"more"), "the thread is blocked");
        assert_eq!(writer.take_result(), None);
        assert!(writer.is_busy());
        reader.read_exact(&mut vec![0; size + 1]).expect("what was handed over");
        assert_eq!(wait(&writer), Written { lost_lines: None });
        assert!(writer.offer(b"more"));
        assert_eq!(wait(&writer), Written { lost_lines: None });
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
        let writer = FileWriter::start(full.into()).expect("a thread");
        assert!(writer.offer(b"one\ntwo\n"));
        assert_eq!(wait(&writer), Written { lost_lines: Some(2) });
    }
}
