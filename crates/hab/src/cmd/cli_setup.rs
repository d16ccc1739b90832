//! `hab cli setup`: questions whose answers go to `cli.toml`, each stored immediately.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, Read as _, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context as _, bail};
use roost_crypto::{SigningSecretKey, random_bytes};
use toml::Table;

use crate::{
    cli::Run,
    cli_toml::read_text,
    cmd::keys::{CacheArg, new_revision},
    context::Context,
    exit::Exit,
    options::url::BldrUrl,
    ui::Ui,
};

/// Longest answer.
const MAX_ANSWER_BYTES: u64 = 4096;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let path = context.cli_toml();
        let text = read_text(&path)?.unwrap_or_default();
        let settings: Table = text
            .parse()
            .with_context(|| format!("{} is not valid; correct or remove it", path.display()))?;
        let mut setup = Setup { ui: &context.ui, input: io::stdin().lock(), settings };
        let mut save = |settings: &Table| write(&path, settings);
        let Some(origin) = setup.ask_all(&mut save)? else { return Ok(Exit::Success) };
        if let Some(origin) = origin {
            let key = SigningSecretKey::generate(new_revision(&origin)?)?;
            self.cache.open(context).write_pair(&key.public_key(), &key)?;
            context.ui.end(&format!(
                "Generated origin key pair {}.",
                roost_crypto::KeyFile::named_revision(&key)
            ));
        }
        context.ui.end("Setup complete.");
        Ok(Exit::Success)
    }
}

/// The questions, on any input so that tests can answer.
struct Setup<'a, R> {
    ui: &'a Ui,
    input: R,
    settings: Table,
}

type Save<'a> = &'a mut dyn FnMut(&Table) -> anyhow::Result<()>;

impl<R: BufRead> Setup<'_, R> {
    /// Asks all questions. `None` when the user quits, else the origin to make a key for.
    fn ask_all(&mut self, save: Save<'_>) -> anyhow::Result<Option<Option<String>>> {
        self.ui.begin("Setting up the command line");
        let Some(()) = self.ask_url(save)? else { return Ok(None) };
        let Some(origin) = self.ask_origin(save)? else { return Ok(None) };
        for (question, prompt, key) in [
            ("Set a personal access token for Builder?", "Personal access token", "auth_token"),
            ("Set a control gateway secret?", "Control gateway secret", "ctl_secret"),
            ("Set a refresh channel?", "Refresh channel", "refresh_channel"),
        ] {
            let Some(wanted) = self.yes_no(question, false)? else { return Ok(None) };
            if wanted {
                let Some(()) = self.ask_setting(prompt, key, save)? else { return Ok(None) };
            }
        }
        Ok(Some(origin))
    }

    fn ask_url(&mut self, save: Save<'_>) -> anyhow::Result<Option<()>> {
        match self.yes_no("Use an on-premises Builder?", false)? {
            None => return Ok(None),
            Some(false) => return Ok(Some(())),
            Some(true) => {}
        }
        loop {
            let Some(text) = self.text("URL of Builder", "bldr_url")? else { return Ok(None) };
            match text.parse::<BldrUrl>() {
                Ok(url) => {
                    self.store("bldr_url", String::from(url), save)?;
                    return Ok(Some(()));
                }
                Err(error) => self.ui.warn(&format!("{text}: {error}")),
            }
        }
    }

    fn ask_origin(&mut self, save: Save<'_>) -> anyhow::Result<Option<Option<String>>> {
        match self.yes_no("Set a default origin?", true)? {
            None => return Ok(None),
            Some(false) => return Ok(Some(None)),
            Some(true) => {}
        }
        let Some(origin) = self.text("Default origin name", "origin")? else { return Ok(None) };
        self.store("origin", origin.clone(), save)?;
        let question = format!("Create an origin key for `{origin}'?");
        Ok(self.yes_no(&question, true)?.map(|wanted| wanted.then_some(origin)))
    }

    fn ask_setting(
        &mut self,
        prompt: &str,
        key: &str,
        save: Save<'_>,
    ) -> anyhow::Result<Option<()>> {
        let Some(text) = self.text(prompt, key)? else { return Ok(None) };
        self.store(key, text, save)?;
        Ok(Some(()))
    }

    fn store(&mut self, key: &str, text: String, save: Save<'_>) -> anyhow::Result<()> {
        self.settings.insert(key.into(), text.into());
        save(&self.settings)
    }

    /// `None` when the user quits.
    fn yes_no(&mut self, question: &str, default: bool) -> anyhow::Result<Option<bool>> {
        let choices = if default { "[Yes/no/quit]" } else { "[yes/No/quit]" };
        loop {
            self.ui.raw(&format!("{question} {choices} "));
            match self.line()?.to_lowercase().as_str() {
                "" => return Ok(Some(default)),
                "y" | "yes" => return Ok(Some(true)),
                "n" | "no" => return Ok(Some(false)),
                "q" | "quit" => return Ok(None),
                _ => {}
            }
        }
    }

    /// A text; its default is the current setting. `None` when the user quits.
    fn text(&mut self, prompt: &str, key: &str) -> anyhow::Result<Option<String>> {
        let present = self.settings.get(key).and_then(toml::Value::as_str).map(String::from);
        let is_secret = key == "auth_token" || key == "ctl_secret";
        loop {
            match &present {
                Some(_) if is_secret => self.ui.raw(&format!("{prompt} [keep]: ")),
                Some(text) => self.ui.block(&format!("{prompt} [{text}]: ")),
                None => self.ui.raw(&format!("{prompt}: ")),
            }
            match (self.line()?, &present) {
                (answer, Some(text)) if answer.is_empty() => return Ok(Some(text.clone())),
                (answer, _) if answer == "q" => return Ok(None),
                (answer, _) if !answer.is_empty() => return Ok(Some(answer)),
                _ => {}
            }
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let count = (&mut self.input).take(MAX_ANSWER_BYTES).read_line(&mut line)?;
        if count == 0 {
            bail!("The input ended before the last question; the answers so far are stored.");
        }
        Ok(line.trim().into())
    }
}

/// Replaces the file atomically; it holds secrets, so only its owner can read it.
fn write(path: &Path, settings: &Table) -> anyhow::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let number = u64::from_le_bytes(random_bytes()?);
    let temporary = directory.join(format!(".cli.toml.{number:016x}"));
    let text = toml::to_string(settings)?;
    let written = roost_files::create_directories(directory, roost_files::PUBLIC_DIRECTORY)
        .and_then(|()| OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary))
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(directory)?.sync_all());
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(input: &str) -> (anyhow::Result<Option<Option<String>>>, Table) {
        let ui = Ui::new();
        let mut saved = Table::new();
        let mut setup = Setup { ui: &ui, input: input.as_bytes(), settings: Table::new() };
        let result = setup.ask_all(&mut |settings| {
            saved = settings.clone();
            Ok(())
        });
        (result, saved)
    }

    #[test]
    fn answers_are_stored_immediately() {
        let (result, saved) = answer("y\nx\nhttp://b.example\n\nacme\nn\nn\ny\ns3cret\nn\n");
        assert_eq!(result.expect("answered"), Some(None));
        assert_eq!(saved["bldr_url"].as_str(), Some("http://b.example/"));
        assert_eq!(saved["origin"].as_str(), Some("acme"));
        assert_eq!(saved["ctl_secret"].as_str(), Some("s3cret"));
        assert_eq!(saved.len(), 3);
    }

    #[test]
    fn quitting_and_the_end_of_input_end_the_questions() {
        assert_eq!(answer("n\ny\nacme\nq\n").0.expect("quit"), None);
        let (result, saved) = answer("n\ny\nacme\n");
        assert!(result.is_err());
        assert_eq!(saved["origin"].as_str(), Some("acme"));
    }
}
