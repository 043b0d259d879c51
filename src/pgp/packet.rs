//! Packets and the parts that they are made of (RFC 9580, sections 3 and 4).

use super::PgpError;

/// Kinds of packets.
pub(super) mod tag {
    pub(in crate::pgp) const SESSION_KEY: u8 = 1;
    pub(in crate::pgp) const SIGNATURE: u8 = 2;
    pub(in crate::pgp) const PRIVATE_KEY: u8 = 5;
    pub(in crate::pgp) const PUBLIC_KEY: u8 = 6;
    pub(in crate::pgp) const PRIVATE_SUBKEY: u8 = 7;
    pub(in crate::pgp) const LITERAL: u8 = 11;
    pub(in crate::pgp) const USER_ID: u8 = 13;
    pub(in crate::pgp) const PUBLIC_SUBKEY: u8 = 14;
    pub(in crate::pgp) const USER_ATTRIBUTE: u8 = 17;
    pub(in crate::pgp) const ENCRYPTED: u8 = 18;
    pub(in crate::pgp) const MODIFICATION: u8 = 19;
}

const CUT_SHORT: PgpError = PgpError::Malformed("it is cut short");

/// Reads the parts of a packet, or packets, from their beginning.
#[derive(Clone, Copy)]
pub(super) struct PacketParts<'a>(pub(super) &'a [u8]);

impl<'a> PacketParts<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], PgpError> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PgpError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, PgpError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<usize, PgpError> {
        self.array().map(|bytes| u16::from_be_bytes(bytes).into())
    }

    pub(super) fn u32(&mut self) -> Result<u32, PgpError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a number of many digits, without its leading zeros.
    pub(super) fn mpi(&mut self) -> Result<&'a [u8], PgpError> {
        let bits = self.u16()?;
        let bytes = self.take(bits.div_ceil(8))?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(bytes.get(zeros..).unwrap_or_default())
    }

    /// Takes the next packet: its kind and its body; `None` at the end.
    pub(super) fn packet(&mut self) -> Result<Option<(u8, &'a [u8])>, PgpError> {
        if self.is_empty() {
            return Ok(None);
        }
        let first = self.byte()?;
        let (kind, length) = match first {
            0xc0.. => (first & 0x3f, self.length()?),
            0x80.. => {
                let length = match first & 3 {
                    0 => self.byte()?.into(),
                    1 => self.u16()?,
                    2 => self.long_length()?,
                    _ => return Err(PgpError::Malformed("a packet has no length")),
                };
                (first >> 2 & 0x0f, length)
            }
            _ => {
                return Err(PgpError::Malformed(
                    "there is no packet where one should begin",
                ));
            }
        };
        Ok(Some((kind, self.take(length)?)))
    }

    /// Takes the length of a packet or a subpacket, of one, two or five bytes.
    pub(super) fn length(&mut self) -> Result<usize, PgpError> {
        Ok(match self.byte()? {
            short @ ..192 => short.into(),
            high @ 192..224 => ((usize::from(high) - 192) << 8) + usize::from(self.byte()?) + 192,
            255 => self.long_length()?,
            _ => return Err(PgpError::Malformed("a packet comes in parts")),
        })
    }

    fn long_length(&mut self) -> Result<usize, PgpError> {
        usize::try_from(self.u32()?).map_err(|_| CUT_SHORT)
    }
}

/// Appends a packet to `out`.
pub(super) fn push_packet(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    push_header(out, kind, body.len());
    out.extend_from_slice(body);
}

/// Appends the header of a packet to `out`.
pub(super) fn push_header(out: &mut Vec<u8>, kind: u8, body_bytes: usize) {
    out.push(0xc0 | kind);
    match u8::try_from(body_bytes) {
        Ok(short) if short < 192 => out.push(short),
        _ => {
            let long = u32::try_from(body_bytes).expect("bodies made here are short");
            out.push(255);
            out.extend(long.to_be_bytes());
        }
    }
}

/// Appends a number of many digits to `out`.
pub(super) fn push_mpi(out: &mut Vec<u8>, number: &[u8]) {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let top = number.first().map_or(0, |first| first.leading_zeros());
    let bits = u32::try_from(number.len() * 8).expect("numbers made here are short") - top;
    out.extend(
        u16::try_from(bits)
            .expect("at most RSA_BITS_MAX")
            .to_be_bytes(),
    );
    out.extend_from_slice(number);
}
