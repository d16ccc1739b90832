//! Output of commands: headings, status lines, errors, with glyphs and colours (reference: control
//! §11.2). Normal messages go to standard output, warnings and errors to standard error.
//!
//! Colours appear only on a terminal.

use std::{
    io::{self, IsTerminal, Write},
    ops::ControlFlow,
    sync::OnceLock,
};

use roost_ctl::reply::{Color, Console};
use roost_text::block;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::tcgetwinsize,
};

use crate::context::variable;

/// Glyph styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GlyphStyle {
    Full,
    Limited,
    Ascii,
}

/// Glyphs, in their three styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Glyph([&'static str; 3]);

const BEGIN: Glyph = Glyph(["»", "»", " >>"]);
const END: Glyph = Glyph(["★", "≡", "***"]);
const WARN: Glyph = Glyph(["Ø", "Ø", "  0"]);
const FATAL: Glyph = Glyph(["✗✗✗", "XXX", "XXX"]);

const HAND: Glyph = Glyph(["☛", "→", "-->"]);
const CHECK: Glyph = Glyph(["✓", "√", "[x]"]);
const ARROW: Glyph = Glyph(["→", "→", "-->"]);
const CROSS: Glyph = Glyph(["☒", "░", "-X-"]);

/// Verbs of status lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Something is sent.
    Applying,
    /// Something is made.
    Creating,
    /// Something is encrypted.
    Encrypting,
    /// A file is checked.
    Verifying,
    /// A file was checked and is good.
    Verified,
    /// A file is signed.
    Signing,
    /// A hook runs.
    Executing,
    /// A package is installed.
    Installed,
    /// Something already exists.
    Using,
    /// Something was found.
    Found,
    /// Something is looked for.
    Determining,
    /// Something is removed.
    Deleting,
    /// Something would be removed.
    WouldDelete,
    /// Something is kept.
    Skipping,
}

impl Verb {
    /// The colour of glyph and word.
    const fn color(self) -> Color {
        match self {
            Self::Found | Self::Signing => Color::Cyan,
            _ => Color::Green,
        }
    }

    const fn parts(self) -> (Glyph, &'static str) {
        match self {
            Self::Applying => (Glyph(["↑", "↑", "/^\\"]), "Applying"),
            Self::Creating => (Glyph(["Ω", "Ω", "-->"]), "Creating"),
            Self::Encrypting => (HAND, "Encrypting"),
            Self::Verifying => (HAND, "Verifying"),
            Self::Verified => (CHECK, "Verified"),
            Self::Signing => (HAND, "Signing"),
            Self::Executing => (HAND, "Executing"),
            Self::Installed => (CHECK, "Installed"),
            Self::Using => (ARROW, "Using"),
            Self::Found => (ARROW, "Found"),
            Self::Determining => (Glyph(["☁", "⌂", "-->"]), "Determining"),
            Self::Deleting => (CROSS, "Deleting"),
            Self::WouldDelete => (CROSS, "Would be deleted (Dry run)"),
            Self::Skipping => (Glyph(["…", "…", "..."]), "Skipping"),
        }
    }
}

/// Prints messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    glyphs: GlyphStyle,
    color_out: bool,
    color_err: bool,
    /// Standard error is a terminal that can clear a line.
    terminal_err: bool,
    /// Nothing goes to standard error.
    silent: bool,
}

/// ECMA-48: erase to the end of the line.
const CLEAR_LINE: &str = "\x1b[K";

impl Ui {
    /// Reads the environment and checks the terminals.
    pub(crate) fn new() -> Self {
        let capable = variable("TERM").is_some_and(|term| term != "dumb");
        let color = capable && color_wanted();
        Self {
            glyphs: glyph_style(),
            color_out: color && io::stdout().is_terminal(),
            color_err: color && io::stderr().is_terminal(),
            terminal_err: capable && io::stderr().is_terminal(),
            silent: false,
        }
    }

    /// Without warnings and errors: a completing shell would show them.
    pub(crate) fn silent() -> Self {
        Self { silent: true, ..Self::new() }
    }

    /// A heading.
    pub(crate) fn begin(&self, text: &str) {
        let line = format!("{} {}", self.glyph(BEGIN), block(text));
        self.out(&format!("{}\n", paint(&line, Color::Yellow, self.color_out)));
    }

    /// The end of a heading's action.
    pub(crate) fn end(&self, text: &str) {
        let line = format!("{} {}", self.glyph(END), block(text));
        self.out(&format!("{}\n", paint(&line, Color::Magenta, self.color_out)));
    }

    /// A step of the action.
    pub(crate) fn status(&self, verb: Verb, text: &str) {
        let (glyph, word) = verb.parts();
        let head = format!("{} {word}", self.glyph(glyph));
        self.out(&format!(
            "{} {}
",
            paint(&head, verb.color(), self.color_out),
            block(text)
        ));
    }

    /// Whether lines on standard output are coloured.
    pub(crate) fn is_colored(&self) -> bool {
        self.color_out
    }

    /// A line of plain text.
    pub(crate) fn info(&self, text: &str) {
        self.out(&format!("{}\n", block(text)));
    }

    /// Several lines of text without a final line end.
    pub(crate) fn block(&self, text: &str) {
        self.out(&block(text));
    }

    /// Literal text that is not foreign: a key, a script, a formatted line.
    pub(crate) fn raw(&self, text: &str) {
        self.out(text);
    }

    /// A warning.
    pub(crate) fn warn(&self, text: &str) {
        let line = format!("{} {}", self.glyph(WARN), block(text));
        self.err(&format!("{}\n", paint(&line, Color::Yellow, self.color_err)));
    }

    /// The error that ends the command.
    pub(crate) fn fatal(&self, text: &str) {
        let glyph = self.glyph(FATAL);
        let mut block = format!("{}\n", paint(glyph, Color::Red, self.color_err));
        for line in roost_text::block(text).lines() {
            let line = format!("{glyph} {line}");
            block.push_str(&paint(&line, Color::Red, self.color_err));
            block.push('\n');
        }
        block.push_str(&paint(glyph, Color::Red, self.color_err));
        block.push('\n');
        self.err(&block);
    }

    /// A wrong command line.
    pub(crate) fn usage(&self, text: &str) {
        self.err(&format!("error: {}\n\nFor more information, try '--help'.\n", block(text)));
    }

    /// A wrong command line, described in one line.
    pub(crate) fn usage_line(&self, text: &str) {
        self.err(&format!("{text}\n"));
    }

    /// A piece of text from a Supervisor.
    pub(crate) fn console(&self, piece: &Console) {
        let text = block(&piece.text);
        if !self.color_out {
            return self.out(&text);
        }
        let bold = if piece.bold { "\x1b[1m" } else { "" };
        let color = piece.color.map(|color| format!("\x1b[{}m", color.ansi()));
        let color = color.unwrap_or_default();
        self.out(&format!("\x1b[0m\x1b[0m{bold}{color}{text}\x1b[0m"));
    }

    /// Shows on one line of the terminal what a command waits for, replacing the former text. Does
    /// nothing elsewhere.
    pub(crate) fn progress(&self, text: &str) {
        if self.terminal_err {
            let width = tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col));
            let line: String = block(text).chars().take(width.saturating_sub(1)).collect();
            self.err(&format!("\r{CLEAR_LINE}{line}"));
        }
    }

    /// Clears the line of [`Ui::progress`].
    pub(crate) fn end_progress(&self) {
        if self.terminal_err {
            self.err(&format!("\r{CLEAR_LINE}"));
        }
    }

    fn glyph(&self, glyph: Glyph) -> &'static str {
        glyph.0[self.glyphs as usize]
    }

    fn out(&self, text: &str) {
        let _ = self.stream(text);
    }

    /// Prints a piece of a stream as it is; breaks when nothing more can be printed.
    #[expect(clippy::unused_self, reason = "printing belongs to the Ui")]
    pub(crate) fn stream(&self, text: &str) -> ControlFlow<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => return ControlFlow::Continue(()),
            // The reader has closed the pipe, so a message would not arrive either.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                LOST_OUTPUT.get_or_init(|| error.to_string());
            }
            Err(_) => {}
        }
        ControlFlow::Break(())
    }

    /// False when the program that read standard output has closed it: a command that waits before
    /// it prints again would not notice.
    #[expect(clippy::unused_self, reason = "printing belongs to the Ui")]
    pub(crate) fn has_reader(&self) -> bool {
        let out = io::stdout();
        let mut fds = [PollFd::new(&out, PollFlags::empty())];
        let at_once = Timespec::default();
        poll(&mut fds, Some(&at_once)).is_err() || !fds[0].revents().contains(PollFlags::ERR)
    }

    fn err(&self, text: &str) {
        if !self.silent {
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// Error of standard output, once a write has failed.
static LOST_OUTPUT: OnceLock<String> = OnceLock::new();

/// The error of a failed write to standard output, for example to a full disk. A closed pipe is not
/// an error.
pub(crate) fn check_output() -> anyhow::Result<()> {
    match LOST_OUTPUT.get() {
        None => Ok(()),
        Some(error) => anyhow::bail!("cannot write to standard output: {error}"),
    }
}

fn paint(text: &str, color: Color, on: bool) -> String {
    if on {
        format!("\x1b[0m\x1b[0m\x1b[1m\x1b[{}m{text}\x1b[0m", color.ansi())
    } else {
        text.into()
    }
}

fn color_wanted() -> bool {
    let refused = variable("HAB_NOCOLORING").is_some_and(|value| value == "1" || value == "true");
    !refused && variable("NO_COLOR").is_none()
}

/// An empty variable counts here: it is an unknown style.
fn glyph_style() -> GlyphStyle {
    let Some(value) = std::env::var_os("HAB_GLYPH_STYLE") else { return GlyphStyle::Full };
    let value = value.to_string_lossy();
    match value.to_lowercase().as_str() {
        "full" => GlyphStyle::Full,
        "limited" => GlyphStyle::Limited,
        "ascii" => GlyphStyle::Ascii,
        _ => {
            let text = format!("Unknown symbol style '{value}'\nSetting GlyphStyle to full\n");
            let _ = io::stderr().lock().write_all(text.as_bytes());
            GlyphStyle::Full
        }
    }
}
