//! Damaged state files: a pipe, a directory, zeros after a power failure. The Supervisor sets its
//! own files aside, logs that, and continues.

use std::path::Path;

use crate::metrics::Metrics;

/// Sets a damaged file aside, and logs what replaces it.
pub(crate) fn set_aside(
    metrics: &Metrics,
    file: &'static str,
    path: &Path,
    problem: &str,
    instead: &str,
) {
    metrics.state_file_damaged(file);
    let kept = match roost_files::set_aside(path) {
        Ok(aside) => format!("It is kept as {}.", aside.display()),
        Err(error) => format!("It could not be set aside: {error}"),
    };
    tracing::error!("{} is damaged ({problem}); {instead}. {kept}", path.display());
}

/// Why bytes are not text written by a person or a program; `None` when they are.
pub(crate) fn of_text(bytes: &[u8]) -> Option<&'static str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => Some("it is empty"),
        Ok(text) if text.contains('\0') => Some("it holds NUL bytes, as after a power cut"),
        Ok(text) if text.trim().chars().any(|c| c.is_control() && c != '\t' && c != '\n') => {
            Some("it holds control characters")
        }
        Ok(_) => None,
        Err(_) => Some("it is not text"),
    }
}
