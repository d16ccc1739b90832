//! The options of the event stream (reference: event-stream §1).

use std::{path::Path, time::Duration};

use roost_nats::{
    address::{AddressError, ServerAddress, masked},
    link,
};
use roost_sup::config::EventStreamConfig;

use super::run::RunOptions;
use crate::exit::UsageError;

/// Checks a token.
pub(super) fn parse_token(text: &str) -> Result<String, String> {
    match text.is_empty() {
        true => Err(format!("Invalid event stream token provided: '{text}'")),
        false => Ok(text.to_owned()),
    }
}

/// Checks a pair of a name and a value.
pub(super) fn parse_meta(text: &str) -> Result<String, String> {
    pair(text).map(|_| text.to_owned()).ok_or_else(|| {
        format!(
            "Invalid key-value pair given (must be '='-delimited pair of non-empty strings): {text}"
        )
    })
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let is_pair = !key.is_empty() && !value.is_empty() && !value.contains('=');
    is_pair.then(|| (key.to_owned(), value.to_owned()))
}

/// The server of an address; the error hides credentials.
///
/// # Errors
/// When the text does not stand for an address.
pub(crate) fn server(url: &str) -> Result<ServerAddress, UsageError> {
    url.parse().map_err(|error: AddressError| invalid("url", &masked(url), &error))
}

/// The event stream that the options ask for; `None` without an address.
///
/// # Errors
/// When a value cannot be used, which files of options can contain, or one is missing.
pub(super) fn config(options: &RunOptions) -> Result<Option<EventStreamConfig>, UsageError> {
    let Some(url) = &options.event_stream_url else { return Ok(None) };
    let server = server(url)?;
    let needed = [
        ("application", &options.event_stream_application),
        ("environment", &options.event_stream_environment),
        ("token", &options.event_stream_token),
    ];
    let missing: Vec<String> = needed
        .iter()
        .filter(|(_, value)| value.as_ref().is_none_or(String::is_empty))
        .map(|(name, _)| {
            format!("\n  --event-stream-{name} <EVENT_STREAM_{}>", name.to_uppercase())
        })
        .collect();
    if !missing.is_empty() {
        let text = "the following required arguments were not provided:";
        return Err(UsageError(format!("{text}{}", missing.concat())));
    }
    let [application, environment, token] =
        needed.map(|(_, value)| value.clone().unwrap_or_default());
    let meta = options.event_meta.iter().map(|text| {
        pair(text).ok_or_else(|| {
            let error = parse_meta(text).err().unwrap_or_default();
            UsageError(format!("invalid value '{text}' for '--event-meta <KEY=VALUE>...': {error}"))
        })
    });
    let authorities = options.event_stream_server_certificate.as_deref().map(|path: &Path| {
        link::read_certificates(path)
            .map_err(|error| invalid("server-certificate", &path.display(), &error))
    });
    Ok(Some(EventStreamConfig {
        server,
        token,
        authorities: authorities.transpose()?.unwrap_or_default(),
        connect_timeout: Duration::from_secs(options.event_stream_connect_timeout.unwrap_or(0)),
        application,
        environment,
        site: options.event_stream_site.clone().filter(|site| !site.is_empty()),
        meta: meta.collect::<Result<_, _>>()?,
    }))
}

fn invalid(
    option: &str,
    value: &dyn std::fmt::Display,
    error: &dyn std::fmt::Display,
) -> UsageError {
    let name = option.to_uppercase().replace('-', "_");
    UsageError(format!(
        "invalid value '{value}' for '--event-stream-{option} <EVENT_STREAM_{name}>': {error}"
    ))
}
