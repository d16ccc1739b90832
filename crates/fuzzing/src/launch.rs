//! Messages between launcher and Supervisor.

use roost_launch::{
    codec::{self, DecodeError, Decoder, Message},
    wire::{Event, Request},
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

fn same<M: Message + PartialEq + std::fmt::Debug>(data: &[u8], append: impl Fn(&mut Vec<u8>, &M)) {
    let whole = read::<M>(std::iter::once(data));
    assert_eq!(read(crate::pieces::chunks(data)), whole);
    for message in whole.0 {
        let mut bytes = Vec::new();
        append(&mut bytes, &message);
        assert_eq!(read(std::iter::once(&*bytes)), (vec![message], None));
    }
}

/// Reads the bytes as requests and as events, in pieces of any size.
pub fn wire(data: &[u8]) {
    same(data, |bytes, request: &Request| {
        codec::append_request(bytes, request).expect("what was read fits");
    });
    same(data, |bytes, event: &Event| {
        codec::append_event(bytes, event).expect("what was read fits");
    });
}
