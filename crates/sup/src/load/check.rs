//! Whether a service with some spec could be started.

use roost_ctl::reply::{ErrorCode, Failure};
use roost_ident::{PackageIdent, ServiceGroup};
use roost_service::{BuildFailure, ServiceSpec};

use super::SpecWriter;
use crate::{
    services::{
        DISK_PATIENCE,
        built::{Blueprint, Built, Purpose},
    },
    vital::{self, guarded},
};

impl SpecWriter {
    /// Checks that a service with this spec could be started, so that its user gets the error at
    /// once; returns what it would be made of. `release` is the one that a plain directory stands
    /// for.
    pub(super) async fn check(
        &self,
        spec: &ServiceSpec,
        release: Option<&PackageIdent>,
        purpose: Purpose,
    ) -> Result<Box<Built>, Unfit> {
        let invalid = |text| Unfit::Refused(Failure::new(ErrorCode::InvalidPayload, text));
        let failed = |text| Unfit::Refused(Failure::new(ErrorCode::Internal, text));
        let ident = spec.ident.clone().validate().map_err(|error| failed(error.to_string()))?;
        let organization = self.config.organization.as_deref();
        ServiceGroup::new(&ident.name, &spec.group, organization)
            .map_err(|error| invalid(error.to_string()))?;
        let blueprint = Blueprint {
            root: self.config.root.clone(),
            spec: spec.clone(),
            pin: release.map(ToString::to_string),
            exact: false,
            directory: None,
            interpreter: self.config.interpreter.clone(),
            prepare: false,
            purpose,
        };
        // One command after the other: a file system that does not answer must not stop them all.
        let checked = vital::spawn_blocking("check of a spec", move || {
            let built = guarded(|| blueprint.build().map(Box::new));
            built.unwrap_or_else(|bug| Err(BuildFailure::Refused(bug)))
        });
        let Ok(checked) = tokio::time::timeout(DISK_PATIENCE, checked).await else {
            return Err(failed(format!(
                "The files of {ident} could not be read within {} secs; does a file system not \
                 answer? Nothing was changed.",
                DISK_PATIENCE.as_secs()
            )));
        };
        match checked {
            Ok(Ok(built)) => Ok(built),
            Ok(Err(BuildFailure::NotInstalled(_))) => Err(Unfit::NotInstalled),
            Ok(Err(BuildFailure::NotRunnable(package))) => {
                let text = format!("Can't start non-runnable service: {package}");
                self.output.line("hab-sup", "UT", &text);
                Err(failed(format!("Package is not runnable: {package}")))
            }
            Ok(Err(BuildFailure::Binds(text))) => Err(invalid(text)),
            Ok(Err(failure)) => Err(failed(failure.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

/// Why a service with some spec could not be started.
#[derive(Debug)]
pub(super) enum Unfit {
    /// No release of its package is installed.
    NotInstalled,
    /// Something else, as clients are answered.
    Refused(Failure),
}

impl Unfit {
    pub(super) fn into_failure(self, spec: &ServiceSpec) -> Failure {
        match self {
            Self::NotInstalled => Failure::new(
                ErrorCode::Internal,
                format!("Cannot find a release of package: {}", spec.ident),
            ),
            Self::Refused(failure) => failure,
        }
    }
}
