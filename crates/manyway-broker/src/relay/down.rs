//! From the peer to the program.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::WriteHalf;

use super::{End, RelayError, into_bytes};
use crate::flow::Flow;
use crate::records::Record;

/// The most messages written by one call.
const MAX_SLICES: usize = 64;

/// The most bytes gathered before they are written.
const MAX_BATCH: usize = 256 << 10;

/// Receives what the peer sends and writes it to the program, until the peer has finished.
///
/// While the program does not read, nothing is received, so the association's window closes and the peer waits.
pub(super) async fn peer_to_program(
    mut write: WriteHalf<'_>,
    flow: &Flow,
    first: Option<Bytes>,
) -> Result<End, RelayError> {
    let mut batch: VecDeque<Bytes> = first.into_iter().collect();
    let mut end = None;
    loop {
        let length: usize = batch.iter().map(Bytes::len).sum();
        write_all(&mut write, &mut batch)
            .await
            .map_err(RelayError::Program)?;
        flow.count_received(length);
        if let Some(end) = end {
            // The program is told; that it may have closed already does not matter.
            let _ = write.shutdown().await;
            return Ok(end);
        }
        end = gather(flow, &mut batch).await?;
    }
}

/// Waits for a message and takes those that have also arrived.
async fn gather(flow: &Flow, batch: &mut VecDeque<Bytes>) -> Result<Option<End>, RelayError> {
    let Some(message) = flow.association.recv().await.map_err(RelayError::Receive)? else {
        return Ok(Some(End::Shutdown));
    };
    let mut next = Some(message);
    let mut length = 0;
    while let Some(message) = next {
        match into_bytes(Record::from_message(message)?)? {
            Some(bytes) => {
                length += bytes.len();
                batch.push_back(bytes);
            }
            None => return Ok(Some(End::Eof)),
        }
        if batch.len() == MAX_SLICES || length >= MAX_BATCH {
            break;
        }
        next = flow.association.try_recv();
    }
    Ok(None)
}

/// Writes everything, as many pieces by one call as the system takes.
async fn write_all<W: AsyncWrite + Unpin>(
    write: &mut W,
    batch: &mut VecDeque<Bytes>,
) -> io::Result<()> {
    batch.retain(|bytes| !bytes.is_empty());
    while !batch.is_empty() {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(batch.iter()) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        let written = write.write_vectored(&slices[..used]).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        consume(batch, written);
    }
    Ok(())
}

/// Takes `written` bytes off the front.
fn consume(batch: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(front) = batch.front_mut() {
        if written < front.len() {
            front.advance(written);
            return;
        }
        written -= front.len();
        batch.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn consuming_takes_exactly_the_written_bytes(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..9),
            share in 0.0..=1.0f64,
        ) {
            let whole: Vec<u8> = pieces.concat();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "a share of a small number")]
            let written = (whole.len() as f64 * share) as usize;
            let mut batch: VecDeque<Bytes> = pieces.into_iter().map(Bytes::from).collect();
            consume(&mut batch, written);
            let rest: Vec<u8> = batch.iter().flatten().copied().collect();
            prop_assert_eq!(&rest[..], &whole[written..]);
        }
    }

    #[tokio::test]
    async fn everything_is_written_in_order_through_a_narrow_pipe() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let mut batch: VecDeque<Bytes> = (0..200u8)
            .map(|n| Bytes::from(vec![n; usize::from(n % 5)]))
            .collect();
        let expected: Vec<u8> = batch.iter().flatten().copied().collect();
        let writer = async {
            write_all(&mut near, &mut batch).await.unwrap();
            drop(near);
        };
        let mut read = Vec::new();
        let (_, result) = tokio::join!(
            writer,
            tokio::io::AsyncReadExt::read_to_end(&mut far, &mut read)
        );
        result.unwrap();
        assert_eq!(read, expected);
    }
}
