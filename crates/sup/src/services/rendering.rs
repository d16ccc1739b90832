//! One pass over all templates of a service (reference: templates §7).

use roost_ident::Hook;
use roost_pkg::{
    package::RunSource,
    write::{Change, Rendered, WriteError, write_rendered},
};
use roost_service::{RenderFailure, RenderedFile, RenderedKind, Rendering};
use serde_json::Value;

use super::built::Built;

/// Largest file `run` of a package that is copied: it may be a program.
const RUN_FILE_BYTES_MAX: u64 = 256 << 20;

/// Renders the hooks, puts `run` into its place, renders the configuration, and writes what
/// differs from the disk. Configuration is all or nothing: with one template that fails no
/// file is written, so a service never starts on half a change.
pub(crate) fn render(built: &Built, context: &Value) -> Rendering {
    let mut rendering = Rendering::default();
    for hook in Hook::RENDER_ORDER {
        render_hook(built, *hook, context, &mut rendering);
    }
    if built.run == RunSource::File {
        copy_run_file(built, &mut rendering);
    }
    if let Err(error) = render_config(built, context, &mut rendering) {
        rendering.failures.push(RenderFailure::Config(error));
    }
    rendering
}

fn render_hook(built: &Built, hook: Hook, context: &Value, rendering: &mut Rendering) {
    let Some(template) = built.hooks.get(&hook) else { return };
    let result = template
        .render(hook.as_str(), context)
        .map_err(|error| error.to_string())
        .and_then(|text| write_hook(built, hook, &text).map_err(|error| error.to_string()));
    match result {
        Ok(change) if change.is_change() => {
            let path = Rendered::Hook(hook).path(&built.svc).display().to_string();
            rendering.files.push(RenderedFile { kind: RenderedKind::Hook(hook), path });
        }
        Ok(_) => {}
        Err(error) => rendering.failures.push(RenderFailure::Hook(hook, error)),
    }
}

/// The run hook also becomes `run`, which is what the launcher starts.
fn write_hook(built: &Built, hook: Hook, text: &str) -> Result<Change, WriteError> {
    let owner = built.credentials.as_ref();
    let change = write_rendered(&built.svc, Rendered::Hook(hook), text.as_bytes(), owner)?;
    if hook == Hook::Run {
        write_rendered(&built.svc, Rendered::Run, text.as_bytes(), owner)?;
    }
    Ok(change)
}

fn copy_run_file(built: &Built, rendering: &mut Rendering) {
    let source = built.package.path.join("run");
    let copied = match roost_files::read(&source, RUN_FILE_BYTES_MAX) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(format!("{}: it does not exist", source.display())),
        Err(error) => Err(error.to_string()),
    };
    let written = copied.and_then(|bytes| {
        write_rendered(&built.svc, Rendered::Run, &bytes, built.credentials.as_ref())
            .map_err(|error| error.to_string())
    });
    if let Err(error) = written {
        rendering.failures.push(RenderFailure::RunFile(error));
    }
}

fn render_config(built: &Built, context: &Value, rendering: &mut Rendering) -> Result<(), String> {
    for (name, text) in built.config.render_all(context).map_err(|error| error.to_string())? {
        let file = Rendered::Config(&name);
        let owner = built.credentials.as_ref();
        let change = write_rendered(&built.svc, file, text.as_bytes(), owner)
            .map_err(|error| error.to_string())?;
        let kind = match change {
            Change::Unchanged => continue,
            Change::Created => RenderedKind::ConfigCreated,
            Change::Modified => RenderedKind::ConfigModified,
        };
        let path = file.path(&built.svc).display().to_string();
        rendering.files.push(RenderedFile { kind, path });
    }
    Ok(())
}

/// Renders `config_install/` and the hooks of installation of a package, right before the
/// install hook runs (reference: templates §3.2). Returns what has changed, as key and text of
/// lines.
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
    let config = roost_template::TemplateSet::with_root(root, sources)
        .map_err(|error| text(&error))?
        .render_all(context)
        .map_err(|error| text(&error))?;
    let mut lines = Vec::new();
    for (name, content) in config {
        let file = Rendered::ConfigInstall(&name);
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
            .map_err(|error| text(&error))?
            .render(hook.as_str(), context)
            .map_err(|error| text(&error))?;
        let file = Rendered::Hook(hook);
        let change = write_rendered(svc, file, rendered.as_bytes(), credentials)
            .map_err(|error| text(&error))?;
        if change.is_change() {
            lines.push(("HK", format!("Modified hook content in {}", file.path(svc).display())));
        }
    }
    Ok(lines)
}
