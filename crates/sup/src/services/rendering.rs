//! Rendering of all templates of a service (reference: templates §7).

use roost_ident::Hook;
use roost_pkg::{
    package::RunSource,
    write::{Change, Rendered as Target, WriteError, write_rendered},
};
use roost_service::{RenderFailure, RenderedFile, RenderedKind, Rendering};
use serde_json::Value;

use super::{
    built::{Built, Places},
    program,
};

/// Largest file `run` of a package that is copied: it may be a binary.
const RUN_FILE_BYTES_MAX: u64 = 256 << 20;

/// The rendered files of a service, before they are written.
#[derive(Debug, Default)]
struct Rendered {
    hooks: Vec<(Hook, String)>,
    /// The package's own `run` file.
    run: Option<Vec<u8>>,
    /// Configuration by path; complete or empty, so that a service never starts with a partial
    /// change.
    config: Vec<(String, String)>,
    failures: Vec<RenderFailure>,
}

/// Renders the hooks, writes `run`, renders the configuration, and writes the files that differ
/// from the disk. With `whole`, one failed template prevents all writes.
pub(crate) fn render(built: &Built, context: &Value, whole: bool) -> Rendering {
    let rendered = in_memory(built, context);
    let monitor = Some(built.monitor.render(context));
    if whole && !rendered.failures.is_empty() {
        return Rendering {
            files: Vec::new(),
            failures: rendered.failures,
            refused: true,
            monitor,
        };
    }
    Rendering { monitor, ..write(built, rendered) }
}

/// Renders everything without changing the disk; returns why the service could not start.
pub(crate) fn check(built: &Built, context: &Value) -> Result<(), String> {
    if let Some(complaint) = built.complaints.first() {
        return Err(complaint.clone());
    }
    let rendered = in_memory(built, context);
    if let Some(failure) = rendered.failures.first() {
        return Err(failure.to_string());
    }
    built.monitor.check(context)?;
    for (hook, text) in &rendered.hooks {
        let path = built.environment.get("PATH").map(String::as_str);
        program::check(text, path)
            .map_err(|error| format!("{}: {error}", built.places.name(&hook_file(*hook), None)))?;
    }
    Ok(())
}

fn hook_file(hook: Hook) -> String {
    format!("hooks/{hook}")
}

fn in_memory(built: &Built, context: &Value) -> Rendered {
    let mut rendered = Rendered::default();
    for hook in Hook::RENDER_ORDER {
        let Some(template) = built.hooks.get(hook) else { continue };
        match template.render(hook.as_str(), context) {
            Ok(text) => rendered.hooks.push((*hook, text)),
            Err(error) => {
                let text = built.places.unrendered(&hook_file(*hook), &error);
                rendered.failures.push(RenderFailure::Hook(*hook, text));
            }
        }
    }
    if built.run == RunSource::File {
        let source = built.package.path.join("run");
        match roost_files::read(&source, RUN_FILE_BYTES_MAX) {
            Ok(Some(bytes)) => rendered.run = Some(bytes),
            Ok(None) => {
                let text = format!("{}: it does not exist", source.display());
                rendered.failures.push(RenderFailure::RunFile(text));
            }
            Err(error) => rendered.failures.push(RenderFailure::RunFile(error.to_string())),
        }
    }
    match built.config.render_all(context) {
        Ok(config) => rendered.config = config,
        Err(error) => {
            let file = format!("config/{}", error.template);
            let text = built.places.unrendered(&file, &error);
            rendered.failures.push(RenderFailure::Config(text));
        }
    }
    rendered
}

fn write(built: &Built, rendered: Rendered) -> Rendering {
    let mut rendering = Rendering { failures: rendered.failures, ..Rendering::default() };
    for (hook, text) in rendered.hooks {
        match write_hook(built, hook, &text) {
            Ok(change) if change.is_change() => {
                let path = Target::Hook(hook).path(&built.svc).display().to_string();
                rendering.files.push(RenderedFile { kind: RenderedKind::Hook(hook), path });
            }
            Ok(_) => {}
            Err(error) => {
                rendering.failures.push(RenderFailure::Hook(hook, error.to_string()));
            }
        }
    }
    if let Some(bytes) = rendered.run
        && let Err(error) =
            write_rendered(&built.svc, Target::Run, &bytes, built.credentials.as_ref())
    {
        rendering.failures.push(RenderFailure::RunFile(error.to_string()));
    }
    for (name, text) in rendered.config {
        let file = Target::Config(&name);
        let kind =
            match write_rendered(&built.svc, file, text.as_bytes(), built.credentials.as_ref()) {
                Ok(Change::Unchanged) => continue,
                Ok(Change::Created) => RenderedKind::ConfigCreated,
                Ok(Change::Modified) => RenderedKind::ConfigModified,
                Err(error) => {
                    rendering.failures.push(RenderFailure::Config(error.to_string()));
                    break;
                }
            };
        let path = file.path(&built.svc).display().to_string();
        rendering.files.push(RenderedFile { kind, path });
    }
    rendering
}

/// The run hook is also written to `run`, which the launcher starts.
fn write_hook(built: &Built, hook: Hook, text: &str) -> Result<Change, WriteError> {
    let owner = built.credentials.as_ref();
    let change = write_rendered(&built.svc, Target::Hook(hook), text.as_bytes(), owner)?;
    if hook == Hook::Run {
        write_rendered(&built.svc, Target::Run, text.as_bytes(), owner)?;
    }
    Ok(change)
}

/// Renders `config_install/` and the installation hooks of a package, right before the install hook
/// runs (reference: templates §3.2). Returns the changes, as key and text of log lines.
pub(crate) fn render_install(
    package: &roost_pkg::Package,
    svc: &roost_pkg::SvcPaths,
    credentials: Option<&roost_pkg::user::Credentials>,
    root: &str,
    context: &Value,
) -> Result<Vec<(&'static str, String)>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let tree = package.path.join("config_install");
    let sources = roost_pkg::sources::config_tree(&tree).map_err(|error| text(&error))?;
    let places = Places::of(package.path.clone());
    let config_file = |name: &str| format!("config_install/{name}");
    let config = roost_template::TemplateSet::with_root(root, sources)
        .map_err(|error| places.unparsed(&config_file(error.name()), &error))?
        .render_all(context)
        .map_err(|error| places.unrendered(&config_file(&error.template), &error))?;
    let mut lines = Vec::new();
    for (name, content) in config {
        let file = Target::ConfigInstall(&name);
        let change = write_rendered(svc, file, content.as_bytes(), credentials)
            .map_err(|error| text(&error))?;
        let verb = match change {
            Change::Unchanged => continue,
            Change::Created => "Created",
            Change::Modified => "Modified",
        };
        lines.push(("CF", format!("{verb} configuration file {}", file.path(svc).display())));
    }
    for hook in [Hook::Install, Hook::Uninstall] {
        let source = roost_pkg::sources::hook(&package.path, hook).map_err(|error| text(&error))?;
        let Some(source) = source else { continue };
        let rendered = roost_template::TemplateSet::with_root(root, [(hook.to_string(), source)])
            .map_err(|error| places.unparsed(&hook_file(hook), &error))?
            .render(hook.as_str(), context)
            .map_err(|error| places.unrendered(&hook_file(hook), &error))?;
        let file = Target::Hook(hook);
        let change = write_rendered(svc, file, rendered.as_bytes(), credentials)
            .map_err(|error| text(&error))?;
        if change.is_change() {
            lines.push(("HK", format!("Modified hook content in {}", file.path(svc).display())));
        }
    }
    Ok(lines)
}
