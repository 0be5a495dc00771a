//! Messages of one datagram, read without trust in their lengths.

use netlink_packet_core::{NLA_TYPE_MASK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR};

use super::Refusal;

const HEADER_LEN: usize = 16;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One message, not yet understood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
    flags: u16,
}

impl Message<'_> {
    /// The table changed while it was dumped.
    pub(super) const fn dump_interrupted(&self) -> bool {
        self.flags & NLM_F_DUMP_INTR != 0
    }

    /// What an `NLMSG_ERROR` or `NLMSG_DONE` says; `None` is success.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let errno = read_i32(self.payload)?.checked_neg()?;
        (errno != 0).then(|| Refusal {
            errno,
            reason: self.reason(),
        })
    }

    /// The extended acknowledgement: the error code and the request come before it.
    fn reason(&self) -> Option<String> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let echoed = if self.flags & NLM_F_CAPPED != 0 {
            HEADER_LEN
        } else {
            aligned(usize::try_from(read_u32(self.payload.get(4..)?)?).ok()?)
        };
        find(self.payload.get(4 + echoed..)?, NLMSGERR_ATTR_MSG).map(text_of)
    }
}

/// The messages of a datagram, up to the first that is cut short.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(read_u32(datagram)?).ok()?;
        let message = Message {
            payload: datagram.get(HEADER_LEN..length)?,
            kind: read_u16(datagram.get(4..)?)?,
            flags: read_u16(datagram.get(6..)?)?,
            sequence: read_u32(datagram.get(8..)?)?,
        };
        datagram = datagram.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes`, each with its kind, up to the first that is cut short.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(read_u16(bytes)?);
        let kind = read_u16(bytes.get(2..)?)? & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of `kind`.
pub(super) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes)
        .find(|(found, _)| *found == kind)
        .map(|(_, value)| value)
}

/// A string attribute, with or without its final zero.
pub(super) fn text_of(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

pub(super) fn read_u16(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_ne_bytes)
}

pub(super) fn read_u32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

fn read_i32(bytes: &[u8]) -> Option<i32> {
    bytes.first_chunk().copied().map(i32::from_ne_bytes)
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_LEN + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(payload);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    #[test]
    fn a_message_cut_short_ends_the_datagram() {
        let mut datagram = message(16, 0, b"abcde");
        datagram.extend(message(17, 0, b"abcd"));
        assert_eq!(
            messages(&datagram).map(|m| m.kind).collect::<Vec<_>>(),
            [16, 17]
        );
        datagram.pop();
        assert_eq!(
            messages(&datagram).map(|m| m.kind).collect::<Vec<_>>(),
            [16]
        );
        for length in 0..datagram.len() {
            assert!(messages(&datagram[..length]).count() <= 1);
        }
    }

    #[test]
    fn an_attribute_cut_short_ends_the_list() {
        let bytes = [5, 0, 3, 0x80, b'x', 0, 0, 0, 8, 0, 4, 0, 1, 2, 3];
        assert_eq!(
            attributes(&bytes).collect::<Vec<_>>(),
            [(3, b"x".as_slice())]
        );
    }

    #[test]
    fn a_length_of_zero_does_not_loop_for_ever() {
        assert_eq!(messages(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[0; 64]).count(), 0);
    }

    #[test]
    fn a_refusal_carries_the_kernels_own_words() {
        let mut payload = (-17_i32).to_ne_bytes().to_vec();
        payload.extend([0; HEADER_LEN]);
        payload.extend([9, 0, 1, 0]);
        payload.extend(b"gone\0");
        let datagram = message(2, NLM_F_ACK_TLVS | NLM_F_CAPPED, &payload);
        let refusal = messages(&datagram).next().unwrap().refusal().unwrap();
        assert_eq!(
            refusal,
            Refusal {
                errno: 17,
                reason: Some("gone".to_owned())
            }
        );
    }

    #[test]
    fn an_error_of_zero_is_an_acknowledgement() {
        let datagram = message(2, 0, &[0; 20]);
        assert_eq!(messages(&datagram).next().unwrap().refusal(), None);
    }
}
