//! Changing a running flow.

use manyway::{Association, PathId, PathInfo, PathState, Wish};
use manyway_api::{ApiError, ErrorCode, SetRequest};

use crate::view::Interfaces;

/// Makes the changes that are asked for.
///
/// # Errors
/// When the request makes no sense or names no path of the flow; nothing has been changed then.
pub(crate) fn apply(
    association: &Association,
    interfaces: &Interfaces,
    request: &SetRequest,
) -> Result<(), ApiError> {
    let paths = association.paths();
    let primary = match &request.primary {
        Some(name) => Some(best(&select(&paths, interfaces, name)?)),
        None => None,
    };
    let wished: Vec<PathId> = match (&request.path, request.wish) {
        (Some(name), Some(_)) => select(&paths, interfaces, name)?
            .iter()
            .map(|path| path.id)
            .collect(),
        (None, None) if primary.is_some() => Vec::new(),
        (None, None) => return Err(bad("nothing is to be changed")),
        (Some(_), None) => return Err(bad("a path is named, but not what to do with it")),
        (None, Some(_)) => return Err(bad("a wish needs a path")),
    };
    if let Some(path) = primary {
        association.set_primary(path).map_err(conflict)?;
    }
    if let Some(wish) = request.wish {
        let wish = match wish {
            manyway_api::Wish::Active => Wish::Active,
            manyway_api::Wish::Backup => Wish::Backup,
        };
        for path in wished {
            association.set_wish(path, wish).map_err(conflict)?;
        }
    }
    Ok(())
}

/// The paths that a name means: a number, `path N`, or an interface.
fn select<'a>(
    paths: &'a [PathInfo],
    interfaces: &Interfaces,
    name: &str,
) -> Result<Vec<&'a PathInfo>, ApiError> {
    let number = name
        .strip_prefix("path ")
        .unwrap_or(name)
        .parse::<u32>()
        .ok();
    let found: Vec<&PathInfo> = paths
        .iter()
        .filter(|path| {
            number == Some(path.id.number())
                || interfaces.of(path.four_tuple.local.ip()) == Some(name)
        })
        .collect();
    if found.is_empty() {
        let error = ApiError::new(
            ErrorCode::NotFound,
            format!("the flow has no path `{name}`"),
        );
        return Err(error.with_hint(format!("its paths are {}", names(paths, interfaces))));
    }
    Ok(found)
}

fn names(paths: &[PathInfo], interfaces: &Interfaces) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| match interfaces.of(path.four_tuple.local.ip()) {
            Some(interface) => format!("{} ({interface})", path.id.number()),
            None => path.id.number().to_string(),
        })
        .collect();
    names.join(", ")
}

/// Of several paths the one that works with the least delay.
fn best(paths: &[&PathInfo]) -> PathId {
    paths
        .iter()
        .min_by_key(|path| {
            let rank = match path.state {
                PathState::Active => 0,
                PathState::Suspect => 1,
                PathState::Unconfirmed => 2,
                PathState::Failed => 3,
            };
            (rank, path.srtt.is_none(), path.srtt, path.id)
        })
        .map(|path| path.id)
        .expect("a selection holds at least one path")
}

fn bad(message: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message)
        .with_hint("name a `primary`, or a `path` with a `wish` of active or backup")
}

fn conflict(error: impl ToString) -> ApiError {
    ApiError::new(ErrorCode::Conflict, error.to_string())
}
