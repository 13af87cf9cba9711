//! Changing a running flow.

use serde::{Deserialize, Serialize};

use crate::{FlowView, Wish};

/// Changes to one flow; all that are named are made, or none.
///
/// Paths are named by number (`"2"`), by name (`"c1"`, `"path 2"`) or by the interface they start at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetRequest {
    /// The path to make primary. Of several on one interface, the one that works with the least delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The path that `wish` is about. An interface's name means each path on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How `path` is to be used. Needs `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
}

/// The flow right after the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetResponse {
    /// The flow with its paths.
    pub flow: FlowView,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_field_is_refused_instead_of_ignored() {
        assert!(serde_json::from_str::<SetRequest>(r#"{"primray":"c1"}"#).is_err());
    }
}
