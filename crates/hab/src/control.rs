//! Communication of commands with a Supervisor: its address, the secret, and the handling of
//! answers (reference: control §10).

use std::{net::SocketAddr, sync::Once, time::Duration};

use anyhow::bail;
use roost_ctl::{
    Answer, AnswerError, Client, ClientError, Request,
    client::dial,
    reply::ErrorCode,
    tls::{ClientTlsFiles, client_config},
};

use crate::{
    address::CtlAddress,
    cli_toml::CliToml,
    context::{Context, surroundings, variable},
    exit::Advised,
};

/// Longest secret file that is read; the Supervisor has the same limit.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// The option that names the Supervisor.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RemoteArg {
    /// Address of the Supervisor's control gateway, HOST[:PORT] [default: listen_ctl of cli.toml,
    /// or 127.0.0.1:9632]
    #[arg(short = 'r', long, value_name = "REMOTE_SUP")]
    remote_sup: Option<CtlAddress>,
}

impl RemoteArg {
    /// The address of the Supervisor. A malformed `cli.toml` is not an error here.
    pub(crate) fn address(&self, context: &Context) -> CtlAddress {
        self.remote_sup.clone().unwrap_or_else(|| {
            let settings = CliToml::read(&context.cli_toml()).unwrap_or_default();
            settings.listen_ctl.unwrap_or_default()
        })
    }
}

/// The end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With an answer.
    Answered,
    /// The Supervisor closed the connection instead.
    Closed,
}

/// Silence after which the Supervisor counts as not responding.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends one request; `on_answer` gets every answer except failures, which become errors.
pub(crate) fn ask(
    context: &Context,
    remote: &CtlAddress,
    request: &Request,
    on_answer: impl FnMut(Answer) -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    // A Supervisor of Habitat may download a package for a long time without a message.
    let patience = (!matches!(request, Request::Load { .. })).then_some(PATIENCE);
    ask_within(context, remote, request, patience, on_answer)
}

/// As [`ask`], with another limit of silence.
pub(crate) fn ask_within(
    context: &Context,
    remote: &CtlAddress,
    request: &Request,
    patience: Option<Duration>,
    mut on_answer: impl FnMut(Answer) -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    let explained = |error| explain(error, remote);
    // Settings are read after connecting: an unreachable Supervisor is the more useful error.
    let socket = dial(remote.address()).map_err(explained)?;
    let settings = CliToml::read(&context.cli_toml())?;
    let host = settings.ctl_server_name_indication.as_deref().unwrap_or(remote.host());
    let files = ClientTlsFiles {
        server_ca: settings.ctl_server_ca_certificate.as_deref().map(|p| context.tls_path(p)),
        key: settings.ctl_client_key.as_deref().map(|path| context.tls_path(path)),
        certificate: settings.ctl_client_certificate.as_deref().map(|p| context.tls_path(p)),
    };
    warn_without_tls(context, &files);
    warn_about_keys(context, &settings);
    let tls = client_config(&files, host)?;
    let secret = Secret::find(context, settings.ctl_secret)?;
    let started = Client::start(socket, tls, &secret.text);
    let mut client = started.map_err(|error| secret.advise(error, remote))?;
    client.request(request, patience).map_err(explained)?;
    while let Some(answer) = client.next_answer().map_err(explained)? {
        if let (Answer::Other(id), true) = (&answer, client.is_finished()) {
            bail!("The Supervisor answered with {id}, which this version of hab does not know.");
        }
        on_answer(answer)?;
    }
    Ok(if client.is_finished() { Ended::Answered } else { Ended::Closed })
}

/// Warns once that a client certificate alone does not encrypt a connection.
fn warn_without_tls(context: &Context, files: &ClientTlsFiles) {
    static TOLD: Once = Once::new();
    if files.server_ca.is_none() && (files.key.is_some() || files.certificate.is_some()) {
        TOLD.call_once(|| {
            context.ui.warn(
                "ctl_client_key and ctl_client_certificate in cli.toml have no effect without \
                 ctl_server_ca_certificate: this connection is not encrypted.",
            );
        });
    }
}

/// Warns once about unknown keys of `cli.toml`.
fn warn_about_keys(context: &Context, settings: &CliToml) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let warnings = settings.warnings(&context.cli_toml());
        warnings.iter().for_each(|warning| context.ui.warn(warning));
    });
}

/// Sends one request and shows the Supervisor's progress messages. A closed connection without an
/// answer, or an unchanged state, is an error.
pub(crate) fn command(
    context: &Context,
    remote: &CtlAddress,
    request: &Request,
) -> anyhow::Result<()> {
    match converse(context, remote, request)? {
        Some(why) => bail!("Nothing was changed: {why}."),
        None => Ok(()),
    }
}

/// As [`command`], but an unchanged state is success and only printed.
pub(crate) fn command_for_state(
    context: &Context,
    remote: &CtlAddress,
    request: &Request,
) -> anyhow::Result<()> {
    if let Some(why) = converse(context, remote, request)? {
        context.ui.info(&format!("Nothing was changed: {why}."));
    }
    Ok(())
}

/// Returns the reason when nothing was changed.
fn converse(
    context: &Context,
    remote: &CtlAddress,
    request: &Request,
) -> anyhow::Result<Option<String>> {
    let mut unchanged = None;
    let ended = ask(context, remote, request, |answer| {
        match answer {
            Answer::Console(piece) => context.ui.console(&piece),
            Answer::Unchanged(why) => unchanged = Some(why),
            _ => {}
        }
        Ok(())
    })?;
    expect_answer(ended)?;
    Ok(unchanged)
}

/// Turns a missing answer into an error.
pub(crate) fn expect_answer(ended: Ended) -> anyhow::Result<()> {
    if ended == Ended::Closed {
        return Err(Closed.into());
    }
    Ok(())
}

/// The failure code when the Supervisor refused.
pub(crate) fn refusal_code(error: &anyhow::Error) -> Option<i32> {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Answer(AnswerError::Refused(failure))) => Some(failure.code),
        _ => None,
    }
}

/// True when no Supervisor listens at the address, or it is just starting or ending.
pub(crate) fn is_away(error: &anyhow::Error) -> bool {
    let is_silent = matches!(
        error.downcast_ref::<ClientError>(),
        Some(ClientError::TimedOut | ClientError::Silent(_) | ClientError::Rest)
    );
    error.is::<NotRunning>() || error.is::<Closed>() || is_silent
}

#[derive(Debug, thiserror::Error)]
#[error(
    "Unable to contact the Supervisor.\n\nNo Supervisor listens at {0}. If it should run on this machine, \
     it probably does not. Run one in the foreground with:\n\nhab sup run\n\nOr restart it \
     through the init process of the system, if that started it."
)]
struct NotRunning(SocketAddr);

#[derive(Debug, thiserror::Error)]
#[error(
    "The connection was unexpectedly closed.\n\nThe Supervisor may be shutting down or restarting, \
     for example\non request. Its own output shows the reason."
)]
struct Closed;

fn explain(error: ClientError, remote: &CtlAddress) -> anyhow::Error {
    match error {
        ClientError::NotRunning => NotRunning(remote.address()).into(),
        ClientError::Closed => Closed.into(),
        ClientError::Io(error) => {
            anyhow::Error::new(error).context(format!("cannot talk to {}", remote.address()))
        }
        other => other.into(),
    }
}

/// The secret of the control gateway and its source.
struct Secret {
    text: String,
    source: String,
}

impl Secret {
    /// From the environment, then `cli.toml`, then the file of a Supervisor on this machine.
    fn find(context: &Context, configured: Option<String>) -> anyhow::Result<Self> {
        if let Some(text) = variable("HAB_CTL_SECRET") {
            return Ok(Self { text, source: "The secret came from HAB_CTL_SECRET.".into() });
        }
        if let Some(text) = configured {
            let source =
                format!("The secret came from ctl_secret in {}.", context.cli_toml().display());
            return Ok(Self { text, source });
        }
        let path = context.root.sup().ctl_secret();
        let shown = path.display();
        match roost_files::read_text(&path, MAX_SECRET_BYTES) {
            Ok(Some(text)) => Ok(Self {
                text: text.trim_end().into(),
                source: format!("The secret came from {shown}."),
            }),
            // Without a secret the Supervisor answers that it does not match.
            Ok(None) => Ok(Self {
                text: String::new(),
                source: format!(
                    "There is no secret: {shown} does not exist, and neither HAB_CTL_SECRET nor \
                     ctl_secret in cli.toml is set."
                ),
            }),
            Err(error) => {
                let code = ErrorCode::Io as i32;
                if path.is_dir() {
                    bail!(
                        "[Err: {code}] Expected file but found directory when reading ctl secret, \
                         {shown}"
                    );
                }
                let text =
                    format!("[Err: {code}] cannot read ctl secret, {shown}: {}", error.reason());
                Err(Advised::wrap(
                    anyhow::anyhow!(text),
                    format!(
                        "{} Run the command as root or as the user of the Supervisor, or give the \
                         secret as HAB_CTL_SECRET.",
                        surroundings()
                    ),
                ))
            }
        }
    }

    /// Adds the source of a refused secret to the error.
    fn advise(&self, error: ClientError, remote: &CtlAddress) -> anyhow::Error {
        let refused = matches!(
            &error,
            ClientError::Answer(AnswerError::Refused(failure)) if failure.code == ErrorCode::Unauthorized as i32
        );
        let error = explain(error, remote);
        if !refused {
            return error;
        }
        let advice = format!(
            "{} {}\nThe Supervisor at {remote} has a different one, in hab/sup/default/CTL_SECRET below \
             its own root. Set FS_ROOT as it is set for that Supervisor, or give its secret as \
             HAB_CTL_SECRET.",
            self.source,
            surroundings()
        );
        Advised::wrap(error, advice)
    }
}
