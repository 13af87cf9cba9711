//! How a command fails.

use std::process::ExitCode;

use manyway_api::ClientError;

/// One line that says what happened, one that says what to do, and the exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What happened, without a full stop.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    status: u8,
}

impl Failure {
    /// A failure with status 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            status: 1,
        }
    }

    /// The same failure with advice.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with another status.
    #[must_use]
    pub(crate) fn with_status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    /// The exit status.
    pub(crate) fn code(&self) -> ExitCode {
        self.status.into()
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Api(error) => Self {
                hint: error.hint,
                ..Self::new(message)
            },
            ClientError::Gone { .. } => Self::new(message).with_hint("its program has ended"),
            ClientError::TimedOut { .. } => {
                Self::new(message).with_hint("the host may be overloaded; try again")
            }
            _ => Self::new(message),
        }
    }
}
