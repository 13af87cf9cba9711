//! What an answer that is not 2xx says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a failure, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// No such resource, flow or path.
    NotFound,
    /// The request contradicts itself or names something that cannot be.
    BadRequest,
    /// The caller is neither root nor the owner of the broker.
    Forbidden,
    /// The flow is not in a state in which this can be done.
    Conflict,
    /// A code that this version of the client does not know.
    #[serde(other)]
    Other,
}

/// A failure, as the broker reports it and the CLI prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// The kind of the failure.
    pub code: ErrorCode,
    /// What happened, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ApiError {
    /// A failure without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_later_version_is_understood_as_other() {
        let error: ApiError =
            serde_json::from_str(r#"{"code":"teapot","message":"short and stout"}"#).unwrap();
        assert_eq!(error.code, ErrorCode::Other);
        assert_eq!(error.to_string(), "short and stout");
    }
}
