//! What a directory cannot change without its operator.

use std::path::Path;

use roost_ident::PackageIdent;

use super::{StageOptions, error::StageError};
use crate::user;

/// Properties that an operator agreed to by loading a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Origin of the package.
    pub origin: String,
    /// Name of the package and the service.
    pub name: String,
    /// User and group, if the directory sets them.
    pub rights: Rights,
}

/// User and group set by a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// User.
    pub user: Option<String>,
    /// Group.
    pub group: Option<String>,
}

/// Refuses a change of pinned properties; returns the refusal that applies to any other change, if
/// there is one.
pub(super) fn frozen(
    dir: &Path,
    ident: &PackageIdent,
    rights: &Rights,
    stranger: Option<String>,
    options: &StageOptions,
    warnings: &mut Vec<String>,
) -> Result<Option<StageError>, StageError> {
    let refuse = |problem| StageError::Pinned { dir: dir.to_owned(), problem };
    // A different package is a different service, whoever may write the directory.
    if let Some(Pinned { origin, name, .. }) = &options.pinned
        && (*origin != ident.origin || *name != ident.name)
    {
        return Err(refuse(format!(
            "it is now named {}/{}, and was loaded as {origin}/{name}",
            ident.origin, ident.name
        )));
    }
    let Some(stranger) = stranger else { return Ok(None) };
    let advice = "Let only root write there (chown -R root, chmod -R go-w)";
    if let Some(Pinned { rights: pinned, .. }) = &options.pinned
        && pinned != rights
    {
        let show = |rights: &Rights| {
            let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "default".into());
            format!("{}:{}", part(&rights.user), part(&rights.group))
        };
        return Err(refuse(format!(
            "the service would run as {} instead of {}, and {stranger}, which cannot change that. \
             {advice}",
            show(rights),
            show(pinned)
        )));
    }
    // A service that runs as root does not follow a directory that others may write.
    if !user::is_privileged(rights.user.as_deref()) {
        return Ok(None);
    }
    let text = format!(
        "the service runs as root, and {stranger}, so a change of its files is not followed. \
         {advice}, or set 'user' in roost.toml"
    );
    match options.pinned {
        Some(_) => Ok(Some(refuse(text))),
        None => {
            warnings.push(format!("{}: {text}", dir.display()));
            Ok(None)
        }
    }
}
