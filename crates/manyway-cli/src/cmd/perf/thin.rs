//! Sending messages that are answered one by one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use manyway::Association;

use super::latency::Histogram;
use super::protocol::Word;
use super::report::EndReport;
use super::transfer::{broken, next};
use super::tuning::Messages;
use crate::failure::Failure;

/// How long answers may take after the last message.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages on their way: number and time of each, and how long the others took.
#[derive(Debug, Default)]
struct Flow {
    sent: u64,
    waiting: VecDeque<Instant>,
    times: Histogram,
    /// No more are sent.
    ended: bool,
}

impl Flow {
    /// The time in this end's buffer counts as well.
    fn on_sending(&mut self) {
        self.sent += 1;
        self.waiting.push_back(Instant::now());
    }
}

/// Sends messages for so long, or until `stop` is ready or the receiver asks for the end; then
/// says that this is the end and waits for the last answers.
pub(super) async fn send(
    association: &Association,
    messages: Messages,
    time: Duration,
    stop: impl Future<Output = ()>,
) -> Result<EndReport, Failure> {
    let flow = RefCell::new(Flow::default());
    let sending = async {
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < time {
            let number = flow.borrow().sent;
            if let Some(rate) = messages.rate {
                #[expect(clippy::cast_precision_loss, reason = "fewer than 2⁵³ are sent")]
                let due = begun + Duration::from_secs_f64(number as f64 / rate);
                if due >= begun + time {
                    tokio::time::sleep_until(begun + time).await;
                    break;
                }
                tokio::time::sleep_until(due).await;
            }
            let word = Word::Message(payload(number, messages.size));
            flow.borrow_mut().on_sending();
            association
                .send(word.into_message())
                .await
                .map_err(broken)?;
        }
        Ok::<(), Failure>(())
    };
    let mut answers = std::pin::pin!(take_answers(association, &flow));
    let asked = tokio::select! {
        sent = sending => { sent?; false }
        () = stop => false,
        asked = &mut answers => { asked?; true }
    };
    association
        .send(Word::End.into_message())
        .await
        .map_err(broken)?;
    flow.borrow_mut().ended = true;
    if !asked && !flow.borrow().waiting.is_empty() {
        match tokio::time::timeout(PATIENCE, answers).await {
            Ok(answered) => answered?,
            Err(_elapsed) => tracing::warn!("some messages were not answered"),
        }
    }
    let flow = flow.borrow();
    Ok(EndReport {
        messages_sent: flow.sent,
        latency: flow.times.summary(),
        ..EndReport::default()
    })
}

/// Its number, and zeros.
fn payload(number: u64, size: usize) -> Bytes {
    let mut payload = BytesMut::zeroed(size);
    payload[..8].copy_from_slice(&number.to_be_bytes());
    payload.freeze()
}

/// Takes answers until the last one, or until the receiver asks for the end.
async fn take_answers(association: &Association, flow: &RefCell<Flow>) -> Result<(), Failure> {
    loop {
        match next(association).await? {
            Word::Answer(number) => {
                let mut flow = flow.borrow_mut();
                // They come in the order of the messages.
                let expected = flow.sent - flow.waiting.len() as u64;
                let sent = flow.waiting.pop_front().filter(|_| number == expected);
                let sent = sent.ok_or_else(|| Failure::new("an answer to no message"))?;
                flow.times.add(sent.elapsed());
                if flow.ended && flow.waiting.is_empty() {
                    return Ok(());
                }
            }
            Word::End => return Ok(()),
            _ => {
                return Err(Failure::new(
                    "the other end speaks another version of the test",
                ));
            }
        }
    }
}
