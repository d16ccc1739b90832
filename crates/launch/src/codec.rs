//! How [`crate::wire`] messages are written as bytes.
//!
//! A frame is `u32 length` (of what follows) `u16 kind`, then fields `u8 tag, u32 length, bytes`,
//! all numbers little-endian; a number in a field takes eight bytes, a list repeats its tag, a
//! structure is a field of fields. Unknown kinds and tags are skipped, which is what lets old and
//! new programs talk. Tags and kinds are never used for another meaning.
//!
//! A [`crate::wire::Event::Welcome`] may be larger than a frame, so its entries travel as frames of their own
//! before it; the [`Decoder`] puts them together.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{DecodeError, Decoder, Message};
pub use write::{EncodeError, append_event, append_request};

/// Bytes of the length before each frame.
const LENGTH_BYTES: usize = 4;

// kinds of requests
const HELLO: u16 = 1;
const SPAWN: u16 = 2;
const SIGNAL: u16 = 3;
const REMEMBER: u16 = 4;
const FORGET: u16 = 5;
const ALIVE: u16 = 6;
const NOTIFY: u16 = 7;
// kinds of events
const WELCOME: u16 = 101;
const WELCOME_RUNNING: u16 = 102;
const WELCOME_ENDED: u16 = 103;
const WELCOME_SURVIVOR: u16 = 104;
const WELCOME_REMEMBERED: u16 = 105;
const SPAWNED: u16 = 110;
const SPAWN_FAILED: u16 = 111;
const NOTICE: u16 = 112;
const OUTPUT: u16 = 113;
const HOOK_ENDED: u16 = 114;
const EXITED: u16 = 115;
const GROUP_GONE: u16 = 116;
const SHUTDOWN: u16 = 117;
const RESTART: u16 = 118;
const OUT_OF_REACH: u16 = 119;

// tags shared by all messages; one meaning each
const ID: u8 = 1;
const NAME: u8 = 2;
const PID: u8 = 3;
const BYTES: u8 = 4;
const TEXT: u8 = 5;
const AT_MS: u8 = 6;
const SIGNAL_NUMBER: u8 = 7;
const VERSION: u8 = 8;
const KIND: u8 = 9;
const PROGRAM: u8 = 10;
const ARG: u8 = 11;
const ENV_KEY: u8 = 12;
const ENV_VALUE: u8 = 13;
const USER: u8 = 14;
const GROUP: u8 = 15;
const SUPPLEMENTARY: u8 = 16;
const SUPPLEMENTARY_SET: u8 = 17;
const SCOPE: u8 = 18;
const STREAM: u8 = 19;
const EXIT_CODE: u8 = 20;
const EXIT_SIGNAL: u8 = 21;
const ERRNO: u8 = 22;
const START_TICKS: u8 = 23;
const NEXT_ID: u8 = 24;
const COLOR: u8 = 25;
const JSON: u8 = 26;
const VERBOSE: u8 = 27;
const TIME: u8 = 39;
const WITHIN_MS: u8 = 28;
const SHUTDOWN_TIMEOUT_MS: u8 = 29;
const LAST_WORDS: u8 = 30;
const GROUP_ALIVE: u8 = 32;
const NOTICE_KIND: u8 = 31;

// values of NOTICE_KIND
const NOTICE_READY: u64 = 1;
const NOTICE_STOPPING: u64 = 2;
const NOTICE_STATUS: u64 = 3;
