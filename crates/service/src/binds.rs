//! Binds: validation against the package, and the log lines about unsatisfied ones (reference:
//! services §11.1).

use roost_ident::BindState;

use crate::spec::ServiceSpec;

/// The binds of a spec do not match its package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindsError {
    /// Binds that the package requires are not mapped.
    #[error("Missing required bind(s), {}{}", .missing.join(", "), hint(.missing))]
    Missing {
        /// Their names.
        missing: Vec<String>,
    },
    /// Mapped binds that the package does not know.
    #[error("Invalid bind(s), {}{}", .invalid.join(", "), known(.required, .optional))]
    Invalid {
        /// Their names.
        invalid: Vec<String>,
        /// Names of the binds that the package requires.
        required: Vec<String>,
        /// Names of the optional binds.
        optional: Vec<String>,
    },
}

/// Advice on mapping the missing binds.
fn hint(missing: &[String]) -> String {
    let options: Vec<String> =
        missing.iter().map(|name| format!("--bind {name}:SERVICE.GROUP")).collect();
    format!(". Name the service group of each: {}", options.join(" "))
}

/// The binds of the package, for the message.
fn known(required: &[String], optional: &[String]) -> String {
    let optional = optional.iter().map(|name| format!("{name} (optional)"));
    let names: Vec<String> = required.iter().cloned().chain(optional).collect();
    if names.is_empty() {
        return ". The package has no binds".into();
    }
    format!(". The package has: {}", names.join(", "))
}

/// Checks the binds of a spec against the names in the package's `BINDS` and
/// `BINDS_OPTIONAL`.
///
/// # Errors
/// When a required one is not mapped, or a mapped one is unknown; the first kind wins.
pub fn validate_binds(
    spec: &ServiceSpec,
    required: &[String],
    optional: &[String],
) -> Result<(), BindsError> {
    let is_mapped = |name: &&String| spec.binds.iter().any(|bind| bind.name == **name);
    let missing: Vec<String> = required.iter().filter(|name| !is_mapped(name)).cloned().collect();
    if !missing.is_empty() {
        return Err(BindsError::Missing { missing });
    }
    let names = spec.binds.iter().map(|bind| &bind.name);
    let invalid: Vec<String> = names
        .filter(|name| !required.contains(name) && !optional.contains(name))
        .cloned()
        .collect();
    if invalid.is_empty() {
        return Ok(());
    }
    let (required, optional) = (required.to_vec(), optional.to_vec());
    Err(BindsError::Invalid { invalid, required, optional })
}

/// The state of one mapped bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindReport {
    /// Name of the bind.
    pub name: String,
    /// The mapped group.
    pub group: String,
    /// Its state.
    pub state: BindState,
}

impl BindReport {
    /// True when the group satisfies the bind.
    #[must_use]
    pub fn is_satisfied(&self) -> bool {
        self.state == BindState::Satisfied
    }

    /// The line for the user, preamble group, key `SR`.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { name, group, state } = self;
        match state {
            BindState::Satisfied => format!("The group '{group}' satisfies the `{name}` bind"),
            BindState::Absent => format!(
                "The specified service group '{group}' for binding '{name}' is not (yet?) present \
                 in the census data."
            ),
            BindState::Inactive => format!(
                "The specified service group '{group}' for binding '{name}' is present in the \
                 census, but currently has no active members."
            ),
            BindState::MissingExports(fields) => format!(
                "The group '{group}' cannot satisfy the `{name}` bind because it does not export \
                 the following required fields: {}",
                fields.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use roost_ident::PackageIdent;

    use super::*;

    fn spec_with(binds: &[&str]) -> ServiceSpec {
        let mut spec = ServiceSpec::new(PackageIdent::new("o", "n", None, None));
        spec.binds = binds.iter().map(|bind| bind.parse().expect("a bind")).collect();
        spec
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn required_binds_must_be_mapped_and_unknown_ones_not() {
        let check = |binds: &[&str]| {
            validate_binds(&spec_with(binds), &names(&["a", "b"]), &names(&["c"]))
                .map_err(|error| error.to_string())
        };
        assert_eq!(check(&["a:x.y", "b:x.y"]), Ok(()));
        assert_eq!(check(&["c:x.y", "b:x.y", "a:x.y"]), Ok(()));
        let missing = "Missing required bind(s), a, b. Name the service group of each: --bind \
                       a:SERVICE.GROUP --bind b:SERVICE.GROUP";
        assert_eq!(check(&[]), Err(missing.into()));
        assert_eq!(check(&["z:x.y"]), Err(missing.into()));
        assert_eq!(
            check(&["z:x.y", "a:x.y", "q:x.y", "b:x.y"]),
            Err("Invalid bind(s), z, q. The package has: a, b, c (optional)".into())
        );
        let none = validate_binds(&spec_with(&["z:x.y"]), &[], &[]).map_err(|it| it.to_string());
        assert_eq!(none, Err("Invalid bind(s), z. The package has no binds".into()));
    }

    #[test]
    fn lines_about_binds_name_what_is_missing() {
        let line = |state| {
            BindReport { name: "database".into(), group: "db.default".into(), state }.line()
        };
        assert_eq!(
            line(BindState::Absent),
            "The specified service group 'db.default' for binding 'database' is not (yet?) \
             present in the census data."
        );
        let fields = ["port", "host"].map(Into::into).into();
        assert_eq!(
            line(BindState::MissingExports(fields)),
            "The group 'db.default' cannot satisfy the `database` bind because it does not export \
             the following required fields: host, port"
        );
        assert_eq!(
            line(BindState::Satisfied),
            "The group 'db.default' satisfies the `database` bind"
        );
    }
}
