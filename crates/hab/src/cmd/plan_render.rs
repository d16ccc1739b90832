//! `hab plan render`: renders one template without a Supervisor, as a trial (reference: templates
//! §9.1). A template error exits with code 1.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use roost_pkg::read::read_text;
use roost_template::{
    limits::{MAX_CONFIG_BYTES, MAX_TEMPLATE_BYTES},
    plan_render::{self, PlanRenderError},
};

use crate::{cli::Run, cmd::payload::parse_file, context::Context, exit::Exit, ui::Verb};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Path to the template to render
    #[arg(value_name = "TEMPLATE_PATH", value_parser = parse_file)]
    template_path: String,
    /// Path to default.toml
    #[arg(short = 'd', long, default_value = "./default.toml")]
    default_toml: PathBuf,
    /// Path to user.toml
    #[arg(short = 'u', long)]
    user_toml: Option<PathBuf>,
    /// Path to a JSON file with the values of a running service: svc, bind, sys, pkg, ...
    #[arg(short = 'm', long)]
    mock_data: Option<PathBuf>,
    /// Print the rendered text
    #[arg(short = 'p', long)]
    print: bool,
    /// Directory for the rendered file
    #[arg(short = 'r', long, default_value = "./results")]
    render_dir: PathBuf,
    /// Do not write the rendered file; useful with --print
    #[arg(short = 'n', long)]
    no_render: bool,
    /// Print only the text requested with --print
    #[arg(short = 'q', long)]
    quiet: bool,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let say = |text: String| {
            if !self.quiet {
                context.ui.begin(&text);
            }
        };
        let template = &self.template_path;
        let Some(name) = Path::new(template).file_name().map(Path::new) else {
            bail!("{template} does not name a file.");
        };
        let (dir, file) = (self.render_dir.display(), name.display());
        say(format!("Rendering: {template} into: {dir} as: {file}"));
        if !self.quiet {
            context.ui.info("");
        }

        let template_text = read(Path::new(template), MAX_TEMPLATE_BYTES)?;
        say(format!("Importing default.toml: {}", self.default_toml.display()));
        let default_text = read(&self.default_toml, MAX_CONFIG_BYTES)?;
        let user_text = self.user_toml.as_ref().map(|path| {
            say(format!("Importing user.toml: {}", path.display()));
            read(path, MAX_CONFIG_BYTES)
        });
        let mock_text = self.mock_data.as_ref().map(|path| {
            say(format!("Importing override file: {}", path.display()));
            read(path, MAX_CONFIG_BYTES)
        });
        let data = plan_render::context(
            &default_text,
            user_text.transpose()?.as_deref(),
            mock_text.transpose()?.as_deref(),
        )?;
        let root = context.root.path().to_string_lossy();
        let text = plan_render::render(&root, &template_text, &data)
            .map_err(|error| anyhow!(fault(template, &error)))?;

        if self.print {
            self.print(context, &text);
        }
        if !self.no_render {
            let path = self.render_dir.join(name);
            if !self.quiet {
                context.ui.status(Verb::Creating, &format!("file: {}", path.display()));
            }
            make_directory(&self.render_dir)
                .and_then(|()| fs::write(&path, text))
                .with_context(|| format!("Cannot write {}", path.display()))?;
        }
        Ok(Exit::Success)
    }
}

impl Arguments {
    fn print(&self, context: &Context, text: &str) {
        let mark = |text: &str| {
            if !self.quiet {
                context.ui.warn(&format!("{text}: {}", self.template_path));
            }
        };
        mark("###======== Rendered template");
        context.ui.info(text);
        mark("========### End rendered template");
    }
}

/// Creates the directory for rendered files. A new one excludes itself from a service directory
/// that contains it, so that a trial does not change a running service.
fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::write(path.join(".habignore"), "# Written by 'hab plan render'.\n*\n")
}

/// A template error for its author: file, line and column come first.
fn fault(path: &str, error: &PlanRenderError) -> String {
    let (position, reason) = match error {
        PlanRenderError::Template(error) => (error.position(), error.reason()),
        PlanRenderError::Render(error) => (error.position, error.explanation.as_str()),
        other => return other.to_string(),
    };
    let place = position.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
    format!("{path}{place}: {reason}")
}

fn read(path: &Path, limit_bytes: usize) -> anyhow::Result<String> {
    match read_text(path, limit_bytes as u64)? {
        Some(text) => Ok(text),
        None => bail!("Cannot read {}: no such file.", path.display()),
    }
}
