//! From the program to the peer.

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::ReadHalf;

use super::{End, Framing, RelayError};
use crate::flow::Flow;
use crate::records::Record;

/// The least and the most that is read at a time, in bytes.
const MIN_READ: usize = 16 << 10;
const MAX_READ: usize = 256 << 10;

/// Reads what the program sends and sends it on, until the program has finished.
///
/// Each read goes into one buffer that is then cut into messages without copying. The association's send waits when
/// its buffer is full; nothing is read meanwhile, so the program's own socket fills up and blocks the program.
pub(super) async fn program_to_peer(
    mut read: ReadHalf<'_>,
    flow: &Flow,
    framing: Framing,
) -> Result<End, RelayError> {
    let mut buffer = ReadBuffer::new();
    loop {
        let room = buffer.prepare();
        let length = read.read_buf(room).await.map_err(RelayError::Program)?;
        if length == 0 {
            break;
        }
        buffer.adapt(length);
        let most = flow.association.max_message_payload().max(1);
        while !buffer.bytes.is_empty() {
            let message = buffer.bytes.split_to(most.min(buffer.bytes.len())).freeze();
            let length = message.len();
            send(flow, framing.wrap(message)).await?;
            flow.count_sent(length);
        }
    }
    match framing {
        Framing::Records => send(flow, Record::Eof).await?,
        Framing::Plain => {
            // The peer may still be sending; what it sends is received while the shutdown waits for it.
            flow.association
                .shutdown()
                .await
                .map_err(|_| RelayError::Program(std::io::ErrorKind::ConnectionReset.into()))?;
        }
    }
    Ok(End::Eof)
}

async fn send(flow: &Flow, record: Record) -> Result<(), RelayError> {
    flow.association
        .send(record.into_message())
        .await
        .map_err(RelayError::Send)
}

impl Framing {
    fn wrap(self, bytes: bytes::Bytes) -> Record {
        match self {
            Self::Records => Record::Data(bytes),
            Self::Plain => Record::Plain(bytes),
        }
    }
}

/// A buffer to read into whose size follows the program: an idle or chatty flow keeps little memory, a bulk flow
/// reads much at a time.
#[derive(Debug)]
struct ReadBuffer {
    bytes: BytesMut,
    size: usize,
}

impl ReadBuffer {
    fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            size: MIN_READ,
        }
    }

    /// The buffer, with room for a read of the present size.
    fn prepare(&mut self) -> &mut BytesMut {
        if self.bytes.capacity() < self.size / 2 {
            // Takes the old block again when every message in it has been released.
            self.bytes.reserve(self.size);
        }
        &mut self.bytes
    }

    fn adapt(&mut self, length: usize) {
        if length >= self.size / 2 {
            self.size = (self.size * 2).min(MAX_READ);
        } else if length < self.size / 16 {
            self.size = (self.size / 2).max(MIN_READ);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_grow_with_bulk_and_shrink_with_small_talk() {
        let mut buffer = ReadBuffer::new();
        for _ in 0..10 {
            let room = buffer.prepare().capacity();
            assert!(room >= MIN_READ / 2);
            buffer.adapt(room);
        }
        assert_eq!(buffer.size, MAX_READ);
        for _ in 0..10 {
            buffer.adapt(64);
        }
        assert_eq!(buffer.size, MIN_READ);
    }

    #[test]
    fn small_messages_share_a_block() {
        let mut buffer = ReadBuffer::new();
        let start = buffer.prepare().capacity();
        buffer.bytes.extend_from_slice(&[0; 64]);
        let message = buffer.bytes.split().freeze();
        assert_eq!(buffer.prepare().capacity(), start - 64);
        drop(message);
    }
}
