//! Install and uninstall hooks that the command line runs (reference: packages §9.6).

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use roost_ident::{Hook, PackageIdent};
use roost_launch::{
    line::{Line, Style},
    once::{self, run_hook},
    wire::{Ids, WireStatus},
};
use roost_logs::Stream;
use roost_pkg::{env::interpreter_ident, package, read::read_text, setup::Outcome};
use roost_sup::installation::{self, InstallHook};

use crate::{
    context::{Context, variable},
    exit::HookError,
    options::run_config::hook_timeouts,
    ui::Verb,
};

/// Most bytes of output kept in the log of a hook.
const LOG_BYTES_MAX: usize = 1 << 20;
/// Longer lines are split.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// File with the exit code of an install hook.
const STATUS_FILE: &str = "INSTALL_HOOK_STATUS";

/// Runs the install hooks that have not succeeded yet: those of all dependencies, the deepest
/// first, then that of the release.
///
/// # Errors
/// The error of the first failed hook.
pub(crate) fn install(
    context: &Context,
    outcome: &Outcome,
    token: Option<&str>,
) -> anyhow::Result<()> {
    for ident in outcome.dependencies.iter().rev().chain([&outcome.ident]) {
        let directory = context.root.pkg_path(ident);
        if !directory.join("hooks/install").is_file() || has_succeeded(&directory)? {
            continue;
        }
        context.ui.status(Verb::Executing, &format!("install hook for '{ident}'"));
        let status = run(context, ident, Hook::Install, token)?;
        if let WireStatus::Code(code) = status {
            package::write_install_hook_status(&directory, code)?;
        }
        judge(ident, Hook::Install, status, context)?;
    }
    Ok(())
}

/// Runs the uninstall hook of a release, if it has one; while other releases are installed, it does
/// not run, and a message reports that.
///
/// # Errors
/// When it fails.
pub(crate) fn uninstall(
    context: &Context,
    ident: &PackageIdent,
    releases: usize,
) -> anyhow::Result<()> {
    if !context.root.pkg_path(ident).join("hooks/uninstall").is_file() {
        return Ok(());
    }
    if releases > 1 {
        let text = format!(
            "execution of uninstall hook for {ident}. {releases} packages are installed for {}/{}",
            ident.origin, ident.name
        );
        context.ui.status(Verb::Skipping, &text);
        return Ok(());
    }
    context.ui.status(Verb::Executing, &format!("uninstall hook for '{ident}'"));
    let status = run(context, ident, Hook::Uninstall, None)?;
    judge(ident, Hook::Uninstall, status, context)
}

/// Only the first line of the status file counts.
fn has_succeeded(directory: &std::path::Path) -> anyhow::Result<bool> {
    let path = directory.join(STATUS_FILE);
    let Some(text) = read_text(&path, 4096)? else { return Ok(false) };
    match text.lines().next().map(str::parse::<i32>) {
        Some(Ok(code)) => Ok(code == 0),
        _ => bail!("Unable to decode contents of INSTALL_STATUS file, {}", path.display()),
    }
}

fn run(
    context: &Context,
    ident: &PackageIdent,
    hook: Hook,
    token: Option<&str>,
) -> anyhow::Result<WireStatus> {
    let interpreter = interpreter_ident(variable("HAB_INTERPRETER_IDENT").as_deref())?;
    let prepared = installation::prepare(&context.root, ident, &interpreter);
    let prepared = prepared.map_err(anyhow::Error::msg)?;
    for (key, text) in &prepared.lines {
        print(context, &ident.name, key, text);
    }
    let mut environment = prepared.environment.clone();
    if let Some(token) = token {
        environment.insert("HAB_AUTH_TOKEN".into(), token.into());
    }
    let environment = installation::complete(&ident.name, &environment);
    let user = prepared.credentials.as_ref().map(|ids| Ids {
        uid: ids.uid,
        gid: ids.gid,
        groups: ids.groups.clone(),
    });
    let program = prepared.svc.hook(hook);
    let mut logs = Logs::create(&prepared, hook)?;
    let stated =
        prepared.timeouts_s.get(&hook).map(|seconds| Duration::from_secs((*seconds).into()));
    let limit = stated.unwrap_or_else(|| Duration::from_millis(hook_timeouts().ms(hook)));
    let process = once::Hook { program: &program, env: &environment, user: user.as_ref(), limit };
    let preamble = format!("{} hook[{hook}]:", ident.name);
    let status = run_hook(&process, |stream, bytes| {
        for line in logs.push(stream, bytes) {
            print(context, &preamble, "HK", &line);
        }
    });
    for line in logs.finish() {
        print(context, &preamble, "HK", &line);
    }
    status.with_context(|| format!("{ident} {hook} hook failed: {}", program.display()))
}

/// The error for a hook's outcome, and the exit code of this program.
fn judge(
    ident: &PackageIdent,
    hook: Hook,
    status: WireStatus,
    context: &Context,
) -> anyhow::Result<()> {
    let what = if hook == Hook::Install { "Installation" } else { "Uninstallation" };
    let (line, end, code) = match status {
        WireStatus::Code(0) => return Ok(()),
        WireStatus::Code(code) => (
            format!("{what} failed! '{hook}' exited with status code {code}"),
            format!("exited with status {code}"),
            u8::try_from(code).unwrap_or(1),
        ),
        WireStatus::Signal(signal) => (
            format!("{hook} was terminated by signal Some({signal})"),
            "exited without status".into(),
            1,
        ),
    };
    print(context, &ident.name, "HK", &line);
    Err(HookError { text: format!("{ident} {hook} hook failed: {end}"), code }.into())
}

fn print(context: &Context, preamble: &str, key: &str, text: &str) {
    let style = Style { color: context.ui.is_colored(), ..Style::default() };
    context.ui.raw(&Line::new(preamble, key, text).format(style));
}

/// Output of a hook: split into lines, kept in its log files.
struct Logs {
    files: [BufWriter<File>; 2],
    written_bytes: [usize; 2],
    partial: [Vec<u8>; 2],
}

impl Logs {
    fn create(prepared: &InstallHook, hook: Hook) -> anyhow::Result<Self> {
        let create = |path: std::path::PathBuf| {
            File::create(&path).map(BufWriter::new).with_context(|| path.display().to_string())
        };
        let files =
            [create(prepared.svc.stdout_log(hook))?, create(prepared.svc.stderr_log(hook))?];
        Ok(Self { files, written_bytes: [0; 2], partial: Default::default() })
    }

    fn push(&mut self, stream: Stream, bytes: &[u8]) -> Vec<String> {
        let at = usize::from(stream == Stream::Stderr);
        let mut lines = Vec::new();
        for byte in bytes {
            if *byte == b'\n' || self.partial[at].len() >= LINE_BYTES_MAX {
                lines.push(self.end_line(at));
            }
            if *byte != b'\n' {
                self.partial[at].push(*byte);
            }
        }
        lines
    }

    fn finish(&mut self) -> Vec<String> {
        let open = (0..2).filter(|at| !self.partial[*at].is_empty()).collect::<Vec<_>>();
        let lines = open.into_iter().map(|at| self.end_line(at)).collect();
        for file in &mut self.files {
            // A log write error does not change the result of the hook.
            let _ = file.flush();
        }
        lines
    }

    fn end_line(&mut self, at: usize) -> String {
        let bytes = std::mem::take(&mut self.partial[at]);
        self.written_bytes[at] += bytes.len() + 1;
        if self.written_bytes[at] <= LOG_BYTES_MAX {
            let _ = self.files[at].write_all(&bytes).and_then(|()| self.files[at].write_all(b"\n"));
        }
        String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(&bytes)).into_owned()
    }
}
