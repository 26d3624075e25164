//! Reads the vectors of TLS (RFC 8446 3.4), none of which can be trusted to be whole.

/// Takes bytes from the front, as long as there are enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    pub(super) fn number(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A vector with one byte of length.
    pub(super) fn short_vector(&mut self) -> Option<Self> {
        let length = self.byte()?;
        self.take(usize::from(length)).map(Self)
    }

    /// A vector with two bytes of length.
    pub(super) fn vector(&mut self) -> Option<Self> {
        let length = self.number()?;
        self.take(usize::from(length)).map(Self)
    }

    /// A vector with three bytes of length.
    pub(super) fn long_vector(&mut self) -> Option<Self> {
        let length = self.take(3)?;
        let length = u32::from_be_bytes([0, length[0], length[1], length[2]]);
        self.take(usize::try_from(length).ok()?).map(Self)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rest, two bytes at a time.
    pub(super) fn numbers(self) -> Vec<u16> {
        self.0.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }
}
