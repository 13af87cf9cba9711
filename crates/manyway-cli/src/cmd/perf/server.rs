//! The end that serves tests.

use std::process::ExitCode;
use std::time::Duration;

use manyway::Association;

use super::protocol::Word;
use super::report::EndReport;
use super::transfer::{CpuClock, broken, complete, next, receive, send};
use super::tuning::follow;
use super::{Args, bind, thin};
use crate::cmd::signals::EndSignals;
use crate::failure::Failure;
use crate::printer::Printer;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves tests, one at a time, until interrupted.
pub(super) async fn run(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    let mut signals = EndSignals::new()
        .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    let endpoint = bind(args, args.udp_port).await?;
    let mut listener = endpoint
        .listen(args.port)
        .map_err(|error| Failure::new(error.to_string()))?;
    match args.raw_ip {
        true => printer.say(format_args!(
            "serving tests over IP itself, port {}",
            args.port
        )),
        false => printer.say(format_args!(
            "serving tests on UDP port {}, port {}",
            args.udp_port, args.port
        )),
    }
    loop {
        let association = tokio::select! {
            association = listener.accept() => association,
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        };
        let association = association.ok_or_else(|| Failure::new("the endpoint has stopped"))?;
        let client = association
            .remote_addresses()
            .first()
            .map(ToString::to_string);
        let client = client.unwrap_or_else(|| "a client".to_owned());
        tokio::select! {
            result = serve(&association) => match result {
                Ok(()) => printer.say(format_args!("{client}: done")),
                Err(failure) => printer.warn(format_args!("{client}: {}", failure.message)),
            },
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn serve(association: &Association) -> Result<(), Failure> {
    let word = tokio::time::timeout(PATIENCE, next(association))
        .await
        .map_err(|_elapsed| Failure::new("it did not say what it wants"))??;
    let Word::Start(start) = word else {
        return Err(Failure::new("it began with something other than a start"));
    };
    let cpu = CpuClock::start();
    if start.messages.is_some_and(|messages| !messages.is_sane()) {
        return Err(Failure::new("it wants messages that do not exist"));
    }
    follow(association, &start);
    let time = Duration::from_secs(start.seconds.into());
    let report = if let (true, Some(messages)) = (start.reverse, start.messages) {
        thin::send(association, messages, time, std::future::pending()).await?
    } else if start.reverse {
        send(association, time, std::future::pending()).await?;
        EndReport::default()
    } else {
        receive(association, std::future::pending()).await?
    };
    let report = complete(report, association, &cpu);
    association
        .send(Word::Report(Box::new(report)).into_message())
        .await
        .map_err(broken)?;
    // The client ends the association when it has the report; until then nothing more is expected.
    while let Ok(Some(_)) = association.recv().await {}
    Ok(())
}
