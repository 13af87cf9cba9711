//! One readable line for each error cause.

use core::fmt;

use crate::cause::Cause;
use crate::packet::ChunkType;

/// How much of a peer's free text is shown.
const SHOWN_TEXT: usize = 64;

impl Cause<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::InvalidStreamId(_) => "invalid stream identifier",
            Self::MissingParameters(_) => "missing mandatory parameter",
            Self::StaleCookie { .. } => "stale cookie",
            Self::OutOfResource => "out of resource",
            Self::UnresolvableAddress(_) => "unresolvable address",
            Self::UnrecognizedChunk(_) => "unrecognized chunk type",
            Self::InvalidMandatoryParameter => "invalid mandatory parameter",
            Self::UnrecognizedParameters(_) => "unrecognized parameters",
            Self::NoUserData(_) => "no user data",
            Self::CookieWhileShuttingDown => "cookie received while shutting down",
            Self::RestartWithNewAddresses(_) => "restart with new addresses",
            Self::UserInitiatedAbort(_) => "user-initiated abort",
            Self::ProtocolViolation(_) => "protocol violation",
            Self::DeleteLastAddress(_) => "request to delete the last address",
            Self::ResourceShortage(_) => "operation refused due to resource shortage",
            Self::DeleteSource(_) => "request to delete the source address",
            Self::IllegalAsconfAck => "illegal ASCONF-ACK",
            Self::RequestRefused(_) => "request refused: no authorization",
            Self::UnsupportedHmacId(_) => "unsupported HMAC identifier",
            Self::Unknown { .. } => "unknown error cause",
        }
    }
}

/// A short line with name, code and what the cause is about. Text from the peer is cut and
/// escaped, so that it can be logged.
impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.code())?;
        match *self {
            Self::InvalidStreamId(stream) => write!(f, ": stream {stream}"),
            Self::MissingParameters(types) => {
                let mut separator = ": ";
                for kind in types.iter().take(8) {
                    write!(f, "{separator}{kind}")?;
                    separator = ", ";
                }
                if types.len() > 8 {
                    f.write_str(", …")
                } else {
                    Ok(())
                }
            }
            Self::StaleCookie { measure_us: 0 } => Ok(()),
            Self::StaleCookie { measure_us } => write!(f, ": expired {measure_us} µs ago"),
            Self::UnrecognizedChunk(&[kind, ..]) => write!(f, ": {}", ChunkType(kind)),
            Self::NoUserData(tsn) => write!(f, ": TSN {tsn}"),
            Self::UnsupportedHmacId(id) => write!(f, ": {id}"),
            Self::UserInitiatedAbort(text) | Self::ProtocolViolation(text) => write_text(f, text),
            _ => Ok(()),
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &[u8]) -> fmt::Result {
    if text.is_empty() {
        return Ok(());
    }
    let shown = &text[..text.len().min(SHOWN_TEXT)];
    let more = if shown.len() < text.len() { "…" } else { "" };
    write!(f, ": \"{}{more}\"", shown.escape_ascii())
}
