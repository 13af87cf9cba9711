//! Sending and counting the bulk.

use std::time::{Duration, Instant};

use bytes::Bytes;
use manyway::{Association, Message};

use super::protocol::Word;
use super::report::{EndReport, cpu_time};
use crate::failure::Failure;

/// The largest message sent.
const MAX_MESSAGE: usize = 64 << 10;

/// CPU time from its creation on.
#[derive(Debug)]
pub(super) struct CpuClock(Duration);

impl CpuClock {
    /// Starts to measure.
    pub(super) fn start() -> Self {
        Self(cpu_time())
    }

    fn seconds(&self) -> f64 {
        cpu_time().saturating_sub(self.0).as_secs_f64()
    }
}

/// Sends for so long, or until `stop` is ready or the receiver asks for the end, then says that this is the end.
pub(super) async fn send(
    association: &Association,
    time: Duration,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let bulk = Bytes::from(vec![0; MAX_MESSAGE]);
    let deadline = Instant::now() + time;
    let sending = async {
        while Instant::now() < deadline {
            let length = association.max_message_payload().clamp(1, MAX_MESSAGE);
            let word = Word::Data(bulk.slice(..length));
            association
                .send(word.into_message())
                .await
                .map_err(broken)?;
        }
        Ok::<(), Failure>(())
    };
    tokio::select! {
        sent = sending => sent?,
        () = stop => {}
        asked = wait_for_end(association) => asked?,
    }
    association
        .send(Word::End.into_message())
        .await
        .map_err(broken)
}

async fn wait_for_end(association: &Association) -> Result<(), Failure> {
    match next(association).await? {
        Word::End => Ok(()),
        _ => Err(Failure::new(
            "the other end speaks another version of the test",
        )),
    }
}

/// Counts what arrives until the sender says that this was the end. When `stop` is ready, the sender is asked to
/// end. Sets `bytes` and `seconds` of the report.
pub(super) async fn receive(
    association: &Association,
    stop: impl Future<Output = ()>,
) -> Result<EndReport, Failure> {
    let mut count = Count::default();
    let mut stop = std::pin::pin!(stop);
    let mut asked = false;
    loop {
        let message = tokio::select! {
            biased;
            message = association.recv() => message.map_err(broken)?,
            () = &mut stop, if !asked => {
                asked = true;
                association.send(Word::End.into_message()).await.map_err(broken)?;
                continue;
            }
        };
        let mut message = Some(message.ok_or_else(hung_up)?);
        while let Some(now) = message {
            match count.take(now)? {
                Taken::Data => {}
                Taken::Question(number) => {
                    let answer = Word::Answer(number);
                    association
                        .send(answer.into_message())
                        .await
                        .map_err(broken)?;
                }
                Taken::End => return Ok(count.report()),
            }
            message = association.try_recv();
        }
    }
}

#[derive(Debug, Default)]
struct Count {
    bytes: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    longest_gap: Duration,
}

/// What a message was.
enum Taken {
    Data,
    /// To be answered.
    Question(u64),
    End,
}

impl Count {
    /// Counts a message.
    fn take(&mut self, message: Message) -> Result<Taken, Failure> {
        match Word::from_message(message) {
            Some(Word::Data(bytes)) => {
                self.add(bytes.len());
                Ok(Taken::Data)
            }
            Some(Word::Message(bytes)) => {
                let number = bytes.first_chunk().copied();
                let number = number.ok_or_else(|| Failure::new("a message without its number"))?;
                self.add(bytes.len());
                Ok(Taken::Question(u64::from_be_bytes(number)))
            }
            Some(Word::End) => Ok(Taken::End),
            _ => Err(Failure::new(
                "the other end speaks another version of the test",
            )),
        }
    }

    fn add(&mut self, bytes: usize) {
        let now = Instant::now();
        let before = self.last.replace(now);
        self.first.get_or_insert(now);
        let gap = before.map_or(Duration::ZERO, |before| now - before);
        self.longest_gap = self.longest_gap.max(gap);
        self.bytes += bytes as u64;
    }

    fn report(&self) -> EndReport {
        let time = match (self.first, self.last) {
            (Some(first), Some(last)) => last.duration_since(first),
            _ => Duration::ZERO,
        };
        EndReport {
            bytes: self.bytes,
            seconds: time.as_secs_f64(),
            longest_gap_seconds: self.longest_gap.as_secs_f64(),
            ..EndReport::default()
        }
    }
}

/// Completes a report with what this end spent.
pub(super) fn complete(report: EndReport, association: &Association, cpu: &CpuClock) -> EndReport {
    EndReport {
        cpu_seconds: cpu.seconds(),
        retransmitted_bytes: association.stats().retransmitted_bytes,
        ..report
    }
}

/// The next message of the test.
pub(super) async fn next(association: &Association) -> Result<Word, Failure> {
    let message = association
        .recv()
        .await
        .map_err(broken)?
        .ok_or_else(hung_up)?;
    Word::from_message(message)
        .ok_or_else(|| Failure::new("the other end speaks another version of the test"))
}

/// The association failed.
pub(super) fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("the test was cut off: {error}"))
}

fn hung_up() -> Failure {
    Failure::new("the other end hung up before the test had ended")
}
