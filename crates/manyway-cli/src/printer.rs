//! The only place that prints: data on stdout, talk on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    color: bool,
}

/// Whether stderr shows colours: it is a terminal and nobody objects (<https://no-color.org>).
pub(crate) fn stderr_has_color() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Printer {
    /// A printer that fits where its output goes.
    pub(crate) fn new() -> Self {
        Self {
            color: stderr_has_color(),
        }
    }

    /// Writes data to stdout. A reader that has read enough, such as `head`, is no failure: it returns false.
    ///
    /// # Errors
    /// When stdout takes no more for another reason.
    pub(crate) fn data(&self, text: &str) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"))),
        }
    }

    /// Writes data to stdout as one JSON text.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub(crate) fn json<T: Serialize>(&self, value: &T, pretty: bool) -> Result<bool, Failure> {
        let text = if pretty {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        let text = text.map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
        self.data(&(text + "\n"))
    }

    /// Says something on stderr.
    pub(crate) fn say(&self, text: impl Display) {
        // With stderr gone there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Warns on stderr.
    pub(crate) fn warn(&self, text: impl Display) {
        self.say(format_args!("{} {text}", self.paint("warning:", "1;33")));
    }

    /// Says what failed and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.say(format_args!(
            "{} {}",
            self.paint("error:", "1;31"),
            failure.message
        ));
        if let Some(hint) = &failure.hint {
            self.say(format_args!("{} {hint}", self.paint("hint:", "1;36")));
        }
    }

    fn paint(self, text: &str, style: &str) -> String {
        if self.color {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
