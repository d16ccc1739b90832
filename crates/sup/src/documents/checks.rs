//! `/v1/services/{sg}/health`: the health of a service, and the last results of its checks.

use std::sync::Arc;

use roost_api::documents::v1::{CheckResultV1, CheckV1, ServiceHealthV1};
use roost_fleet::{Release, Service};
use roost_ident::time::rfc3339_ms;
use roost_service::{CheckHistory, CheckResult, Status};

/// The document of a service at this moment. What checks printed is left out of it when the API is
/// redacted: it may hold what the configuration does.
pub(crate) fn document<R: Release>(
    service: &Service<R>,
    status: &Status,
    redact: bool,
) -> ServiceHealthV1 {
    let result = |result: &CheckResult| CheckResultV1 {
        status: result.status.into(),
        exit_code: result.exit_code,
        at: rfc3339_ms(result.at_unix_ms),
        duration_ms: result.duration_ms,
        output: result.output.as_ref().filter(|_| !redact).map(Arc::clone),
    };
    let check = |history: &CheckHistory| CheckV1 {
        name: history.name.clone(),
        results: history.results.iter().rev().map(result).collect(),
    };
    let since_ms = status.health_since_unix_ms;
    let last = status.account.check.as_ref();
    ServiceHealthV1 {
        id: service.group().to_string(),
        status: status.health.into(),
        since: (since_ms > 0).then(|| rfc3339_ms(since_ms)),
        checked_at: last.map(|last| rfc3339_ms(last.at_unix_ms)),
        exit_code: last.and_then(|last| last.exit_code),
        duration_ms: last.map(|last| last.duration_ms),
        next_at: service.next_check_unix_ms().map(rfc3339_ms),
        consecutive_failures: service.consecutive_failures(),
        restart_after: service.restart_after(),
        checks: service.check_histories().checks().iter().map(check).collect(),
    }
}
