//! Packages that are loaded and not installed yet: they are taken from the cache of archives on
//! this machine, with what they depend on (reference: control §6.1, packages §9).
//!
//! Install hooks run when the service starts.

use std::time::Duration;

use roost_crypto::KeyCache;
use roost_ctl::{
    reply::{Color, ErrorCode, Failure},
    responder::Responder,
};
use roost_ident::PackageIdent;
use roost_pkg::{
    artifacts::Artifacts,
    setup::{Setup, SetupError, Step, Wanted},
};
use roost_service::ServiceSpec;
use tokio::sync::mpsc;

use super::SpecWriter;
use crate::{output::Output, vital};

/// How long a client waits for an installation.
const INSTALL_PATIENCE: Duration = Duration::from_secs(300);

/// A piece of what a user sees of an installation.
#[derive(Debug)]
struct Line {
    /// Glyph and word.
    head: String,
    color: Color,
    /// What follows, with the end of the line.
    rest: String,
}

impl Line {
    fn begin(ident: &PackageIdent) -> Self {
        let head = format!("» Installing {ident}");
        Self { head, color: Color::Yellow, rest: "\n".into() }
    }

    fn step(step: Step<'_>, channel: &str) -> Self {
        let (head, rest) = match step {
            Step::Determining(ident) => {
                ("☁ Determining", format!("latest version of {ident} in the '{channel}' channel"))
            }
            Step::Verifying(ident) => ("☛ Verifying", ident.to_string()),
            Step::Using(ident) => ("→ Using", ident.to_string()),
            Step::Installed(ident) => ("✓ Installed", ident.to_string()),
        };
        Self { head: head.into(), color: Color::Green, rest: format!(" {rest}\n") }
    }

    fn end(ident: &PackageIdent, new_packages: usize) -> Self {
        let head =
            format!("★ Install of {ident} complete with {new_packages} new packages installed.");
        Self { head, color: Color::Magenta, rest: "\n".into() }
    }

    fn show(self, output: &Output, client: Option<&Responder>) {
        output.line("hab-sup", "AG", &format!("{}{}", self.head, self.rest.trim_end()));
        if let Some(client) = client {
            client.colored(self.head, Some(self.color), true);
            client.colored(self.rest, None, false);
        }
    }
}

impl SpecWriter {
    /// Installs the package of a spec. Lines about it go to the log and to the client.
    pub(super) async fn install_cached(
        &self,
        spec: &ServiceSpec,
        client: Option<&Responder>,
    ) -> Result<(), Failure> {
        let failed = |text: String| Failure::new(ErrorCode::Internal, text);
        let (lines, mut shown) = mpsc::unbounded_channel();
        let (config, ident) = (self.config.clone(), spec.ident.clone());
        let channel = spec.channel.clone();
        let installing = vital::spawn_blocking("installation", move || {
            // Without a receiver the result is not needed; work in progress is finished.
            let send = |line| drop(lines.send(line));
            send(Line::begin(&ident));
            let setup = Setup {
                root: &config.root,
                beside: None,
                artifacts: Artifacts::new(&config.artifacts),
                keys: config.public_keys.iter().map(KeyCache::new).collect(),
            };
            let wanted = Wanted::Ident(ident);
            let outcome = setup.install(&wanted, &mut |step| send(Line::step(step, &channel)))?;
            send(Line::end(&outcome.ident, outcome.new_packages));
            Ok(())
        });
        let installed = tokio::time::timeout(INSTALL_PATIENCE, async {
            while let Some(line) = shown.recv().await {
                line.show(&self.output, client);
            }
            installing.await
        });
        match installed.await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(SetupError::NothingLocal(ident)))) => Err(failed(format!(
                "Cannot find a release of package: {ident}. It is neither installed below {} nor \
                 is an archive of it in {}. Installing packages from Builder is not supported \
                 yet: install an archive (hab pkg install FILE.hart), or load a plain directory.",
                self.config.root.pkgs().display(),
                self.config.artifacts.display()
            ))),
            Ok(Ok(Err(error))) => Err(failed(error.to_string())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!(
                "{} could not be installed within {} secs; does a file system not answer?",
                spec.ident,
                INSTALL_PATIENCE.as_secs()
            ))),
        }
    }
}
