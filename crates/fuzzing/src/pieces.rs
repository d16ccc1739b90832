//! Splitting an input into values.

/// Reads values from the start of an input; beyond its end all values are 0.
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
}

impl<'a> Pieces<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    /// A number below `end`, which must not be 0.
    pub(crate) fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Mostly a small number, sometimes one at the end of the range.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => u64::MAX - 1,
            253 => 1 << 32,
            small => small.into(),
        }
    }

    /// Bytes with a length prefix of two bytes, little-endian; the rest of the input if the length
    /// exceeds it.
    pub(crate) fn block(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_le_bytes([self.byte(), self.byte()]));
        let (block, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        block
    }
}

/// `N` texts from an input, split at NUL; missing ones are empty.
pub(crate) fn texts<const N: usize>(data: &[u8]) -> [String; N] {
    let mut texts = data.splitn(N, |byte| *byte == 0);
    [(); N].map(|()| String::from_utf8_lossy(texts.next().unwrap_or_default()).into_owned())
}

/// The input in pieces of 1 to 16 bytes, split by a number from the input.
pub(crate) fn chunks(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let size = data.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) % 16 + 1;
    data.chunks(size.into())
}
