//! Limits of one rendering: loop rounds, nested partials, bytes of output.

use std::{
    fmt::Display,
    io,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use handlebars::{Output, RenderError, RenderErrorReason};

use crate::{
    error::EXPLANATION_MARK,
    limits::{MAX_PARTIAL_STACK_BYTES, MAX_RENDERED_BYTES, MAX_STEPS},
};

/// Remaining work of one rendering. Helpers must be `Sync`, hence the atomic; only one thread uses
/// it.
#[derive(Debug)]
pub(crate) struct Budget {
    steps_left: AtomicU64,
    stack_at_start: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { steps_left: AtomicU64::new(MAX_STEPS), stack_at_start: stack_position() }
    }

    /// Charges one use of a repeated body or a partial.
    ///
    /// The depth of partials is measured by the stack in use, since the engine reports the start of
    /// a partial to a helper but not its end.
    pub(crate) fn spend(&self, steps: u64) -> Result<(), RenderError> {
        if self.stack_at_start.abs_diff(stack_position()) > MAX_PARTIAL_STACK_BYTES {
            return Err(refusal("partials include each other too deeply".into()));
        }
        let left =
            self.steps_left.load(Relaxed).checked_sub(steps).ok_or_else(|| {
                refusal(format!("more than {MAX_STEPS} loop rounds and partials"))
            })?;
        self.steps_left.store(left, Relaxed);
        Ok(())
    }
}

/// Approximate stack pointer: the address of a local variable.
#[inline(never)]
fn stack_position() -> usize {
    let marker = 0_u8;
    std::hint::black_box(&raw const marker) as usize
}

pub(crate) fn refusal(reason: String) -> RenderError {
    RenderErrorReason::Other(reason).into()
}

/// An error with Habitat's reason and an explanation for the author.
pub(crate) fn explained(reason: &dyn Display, explanation: &str) -> RenderError {
    refusal(format!("{reason}{EXPLANATION_MARK}{explanation}"))
}

/// Collects rendered text up to [`MAX_RENDERED_BYTES`].
#[derive(Debug, Default)]
pub(crate) struct BoundedOutput(String);

impl BoundedOutput {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl Output for BoundedOutput {
    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.0.len() + text.len() > MAX_RENDERED_BYTES {
            return Err(io::Error::other(format!(
                "the rendered text is longer than {MAX_RENDERED_BYTES} bytes"
            )));
        }
        self.0.push_str(text);
        Ok(())
    }
}
