//! Internal parsers of this crate, for the fuzz targets.

/// Reads a file with peers. Returns those given as addresses.
#[must_use]
pub fn peers(text: &str) -> Vec<std::net::SocketAddr> {
    crate::peers::literals(&crate::peers::lines(text))
}
