//! How commands talk to a Supervisor: which one, with which secret, and what they do with the
//! answers (reference: control §10).

use std::{net::SocketAddr, sync::Once, time::Duration};

use anyhow::bail;
use roost_ctl::{
    Answer, Client, ClientError, Request,
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

/// Longest secret file that is read, as the Supervisor does.
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
    /// The Supervisor meant. A broken `cli.toml` is no reason to stop here.
    pub(crate) fn address(&self, context: &Context) -> CtlAddress {
        self.remote_sup.clone().unwrap_or_else(|| {
            let settings = CliToml::read(&context.cli_toml()).unwrap_or_default();
            settings.listen_ctl.unwrap_or_default()
        })
    }
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With an answer.
    Answered,
    /// The Supervisor closed the connection instead.
    Closed,
}

/// Time without a word of the Supervisor after which it counts as not answering.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks one thing; `on_answer` sees every answer but failures, which are errors.
pub(crate) fn ask(
    context: &Context,
    remote: &CtlAddress,
    request: &Request,
    on_answer: impl FnMut(Answer) -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    // A package may be on its way for long before a Supervisor of Habitat says more.
    let patience = (!matches!(request, Request::Load { .. })).then_some(PATIENCE);
    ask_within(context, remote, request, patience, on_answer)
}

/// As [`ask`], with another time without a word.
pub(crate) fn ask_within(
    context: &Context,
    remote: &CtlAddress,
    request: &Request,
    patience: Option<Duration>,
    mut on_answer: impl FnMut(Answer) -> anyhow::Result<()>,
) -> anyhow::Result<Ended> {
    let explained = |error| explain(error, remote);
    // Settings are read after connecting: that nobody listens is the better news.
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

/// Says once that a certificate of the client does not make a connection secure.
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

/// Names once the keys of `cli.toml` that do not exist.
fn warn_about_keys(context: &Context, settings: &CliToml) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let warnings = settings.warnings(&context.cli_toml());
        warnings.iter().for_each(|warning| context.ui.warn(warning));
    });
}

/// Asks one thing and shows what the Supervisor sends on the way. That it closes the connection
/// without an answer, or that nothing was changed, is an error.
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

/// As [`command`], for what is reached as well when nothing had to be changed: that is printed.
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

/// Gives the reason when nothing was changed.
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

/// The failure code when a Supervisor refused.
pub(crate) fn refusal_code(error: &anyhow::Error) -> Option<i32> {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Refused(failure)) => Some(failure.code),
        _ => None,
    }
}

/// True when nobody listens at the address, or who does is just ending or beginning.
pub(crate) fn is_away(error: &anyhow::Error) -> bool {
    let is_silent = matches!(
        error.downcast_ref::<ClientError>(),
        Some(ClientError::TimedOut | ClientError::Silent(_) | ClientError::Rest)
    );
    error.is::<NotRunning>() || error.is::<Closed>() || is_silent
}

#[derive(Debug, thiserror::Error)]
#[error(
    "Unable to contact the Supervisor.\n\nNobody listens at {0}. If it should run on this machine, \
     it probably does not. Run one in the foreground with:\n\nhab sup run\n\nOr restart it \
     through the init process of the system, if that started it."
)]
struct NotRunning(SocketAddr);

#[derive(Debug, thiserror::Error)]
#[error(
    "The connection was unexpectedly closed.\n\nThe Supervisor may be shutting down or restarting, \
     for example\nbecause it was asked to. Its own output tells."
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

/// The secret of the control gateway and where it was found.
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

    /// Adds to a refused secret where it came from.
    fn advise(&self, error: ClientError, remote: &CtlAddress) -> anyhow::Error {
        let refused = matches!(
            &error,
            ClientError::Refused(failure) if failure.code == ErrorCode::Unauthorized as i32
        );
        let error = explain(error, remote);
        if !refused {
            return error;
        }
        let advice = format!(
            "{} {}\nThe Supervisor at {remote} has another one, in hab/sup/default/CTL_SECRET below \
             its own root. Set FS_ROOT as it is set for that Supervisor, or give its secret as \
             HAB_CTL_SECRET.",
            self.source,
            surroundings()
        );
        Advised::wrap(error, advice)
    }
}
