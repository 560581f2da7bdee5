//! Receipt handles: opaque to the caller, fresh at every receive, and recognisably ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// A message and the receive that the handle came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) queue: i64,
    pub(super) seq: i64,
    pub(super) receipt: i64,
}

impl Handle {
    /// The handle of a new receive.
    pub(super) fn fresh(queue: i64, seq: i64) -> Self {
        // Zero is the receipt of a message that was never received.
        let receipt = fastrand::i64(..) | 1;
        Self {
            queue,
            seq,
            receipt,
        }
    }

    pub(super) fn encode(self) -> String {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&self.queue.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.receipt.to_be_bytes());
        let check = Md5::digest(&bytes[..24]);
        bytes[24..].copy_from_slice(&check);
        STANDARD.encode(bytes)
    }

    /// `None` for anything that [`Handle::encode`] did not make.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 40] = STANDARD.decode(text).ok()?.try_into().ok()?;
        let number = |at: usize| {
            bytes
                .get(at..at + 8)?
                .try_into()
                .ok()
                .map(i64::from_be_bytes)
        };
        let handle = Self {
            queue: number(0)?,
            seq: number(8)?,
            receipt: number(16)?,
        };
        (Md5::digest(&bytes[..24])[..] == bytes[24..]).then_some(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_reads_back_and_a_changed_one_does_not() {
        let handle = Handle::fresh(7, 42);
        let text = handle.encode();
        assert_eq!(Handle::decode(&text), Some(handle));
        assert_eq!(Handle::decode(&text.replacen('A', "B", 1)), None);
        assert_eq!(Handle::decode("not a handle"), None);
        assert_ne!(Handle::fresh(7, 42), handle, "every receive has its own");
    }
}
