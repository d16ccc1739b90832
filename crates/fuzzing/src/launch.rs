//! Messages between launcher and Supervisor, and what the launcher reads from files.

use roost_launch::{
    codec::{self, DecodeError, Decoder, Message},
    decoders,
    wire::{LauncherEvent, Request},
};

fn read<'a, M: Message>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<M>, Option<DecodeError>) {
    let mut decoder = Decoder::<M>::new();
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next().err().as_ref(), Some(&error));
                    return (messages, Some(error));
                }
            }
        }
    }
    (messages, None)
}

fn same<M: Message + PartialEq + std::fmt::Debug>(data: &[u8]) {
    let whole = read::<M>(std::iter::once(data));
    assert_eq!(read(crate::pieces::chunks(data)), whole);
    for message in whole.0 {
        let mut bytes = Vec::new();
        // What was left out by its sender is written as its default.
        if codec::append(&mut bytes, &message).is_err() {
            continue;
        }
        assert_eq!(read(std::iter::once(&*bytes)), (vec![message], None));
    }
}

/// Reads the bytes as requests and as events, in pieces of any size.
pub fn wire(data: &[u8]) {
    same::<Request>(data);
    same::<LauncherEvent>(data);
}

/// Reads the text as the process table of a launcher that was killed, of this boot and of another.
pub fn process_table(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let of_boot = |boot_id| decoders::process_table(&text, boot_id);
    let lines = text.lines().count();
    assert!(of_boot("b").is_ok_and(|found| found <= lines) || of_boot("b").is_err());
    assert_eq!(of_boot("another boot").unwrap_or_default(), 0);
}

/// Reads the bytes as the beginning of a script.
pub fn shebang(data: &[u8]) {
    if let Some((program, argument)) = decoders::shebang(data) {
        let program = program.into_os_string().into_encoded_bytes();
        assert!(!program.is_empty() && !program.contains(&b' ') && !program.contains(&b'\n'));
        let argument = argument.map(std::ffi::OsString::into_encoded_bytes);
        assert!(argument.is_none_or(|argument| !argument.is_empty()));
    }
}
