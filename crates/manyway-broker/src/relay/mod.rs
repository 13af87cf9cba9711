//! The data path: a program's loopback socket on one side, an association on the other.

mod down;
mod up;

use std::io;

use bytes::Bytes;
use manyway::{Association, RecvError, SendError};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::flow::Flow;
use crate::records::{Record, RecordError};

/// How the bytes of a flow are put into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Records, as between brokers: each direction ends by itself.
    Records,
    /// Bare messages, as a plain peer has them. SCTP has no half-closed state (RFC 9260, section 1.5.1), so the
    /// flow ends with the association.
    Plain,
}

/// Why a flow was cut off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// The program reset its connection or is gone.
    #[error("the program's connection failed: {0}")]
    Program(io::Error),
    /// The association did not take any more.
    #[error("the association failed: {0}")]
    Send(SendError),
    /// The association ended without a proper end.
    #[error("the association failed: {0}")]
    Receive(RecvError),
    /// The peer broke the rules.
    #[error("the peer broke the protocol: {0}")]
    Record(#[from] RecordError),
    /// The peer sent a record that has no place after the opening.
    #[error("the peer broke the protocol: a record came out of turn")]
    OutOfTurn,
}

/// How one direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// This direction has ended; the other may go on.
    Eof,
    /// The peer shut the association down: neither direction can go on.
    Shutdown,
}

/// Moves bytes both ways until both directions have ended, and ends the association with everything delivered.
///
/// `first` holds bytes that the peer sent before the relay began. When `drain` turns true the program is gone:
/// the relay ends as soon as what the program sent is delivered. A reset on one side becomes a reset on the other.
///
/// # Errors
/// When the flow was cut off; both sides have been reset then.
pub(crate) async fn relay(
    mut stream: TcpStream,
    flow: &Flow,
    framing: Framing,
    first: Option<Bytes>,
    drain: watch::Receiver<bool>,
) -> Result<(), RelayError> {
    // Without this a program's small writes would wait for acknowledgements on loopback too.
    let _ = stream.set_nodelay(true);
    let result = match move_both_ways(&mut stream, flow, framing, first, drain).await {
        Ok(()) => flow.association.shutdown().await.map_err(|_| {
            // The bytes the program sent last did not arrive; it is told as TCP would tell it.
            RelayError::Program(io::ErrorKind::ConnectionReset.into())
        }),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        flow.association.abort(error.to_string().as_bytes());
        reset(&stream);
    }
    result
}

async fn move_both_ways(
    stream: &mut TcpStream,
    flow: &Flow,
    framing: Framing,
    first: Option<Bytes>,
    mut drain: watch::Receiver<bool>,
) -> Result<(), RelayError> {
    let (read, write) = stream.split();
    let mut up = std::pin::pin!(up::program_to_peer(read, flow, framing));
    let mut down = std::pin::pin!(down::peer_to_program(write, flow, first));
    let (mut up_ended, mut down_ended) = (false, false);
    while !(up_ended && down_ended) {
        tokio::select! {
            ended = &mut up, if !up_ended => {
                ended?;
                up_ended = true;
            }
            ended = &mut down, if !down_ended => {
                if ended? == End::Shutdown {
                    break;
                }
                down_ended = true;
            }
            ended = wait_for_end(&flow.association), if down_ended => {
                ended?;
                break;
            }
            () = program_is_gone(&mut drain), if up_ended => break,
        }
        flow.mark_closing();
    }
    Ok(())
}

/// Watches an association whose peer has finished sending. Cancel safe.
async fn wait_for_end(association: &Association) -> Result<(), RelayError> {
    match association.recv().await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(RelayError::OutOfTurn),
        Err(error) => Err(RelayError::Receive(error)),
    }
}

async fn program_is_gone(drain: &mut watch::Receiver<bool>) {
    if drain.wait_for(|gone| *gone).await.is_err() {
        // Nobody can say it any more; the flow ends by itself.
        std::future::pending::<()>().await;
    }
}

/// Makes the close of the socket a reset.
fn reset(stream: &TcpStream) {
    if let Err(error) = SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO)) {
        tracing::debug!(%error, "a program's connection is closed instead of reset");
    }
}

/// The bytes that a record carries into the program's stream; `None` at the end of the direction.
fn into_bytes(record: Record) -> Result<Option<Bytes>, RelayError> {
    match record {
        Record::Data(bytes) | Record::Plain(bytes) => Ok(Some(bytes)),
        Record::Eof => Ok(None),
        Record::Open { .. } | Record::Opened { .. } => Err(RelayError::OutOfTurn),
    }
}
