//! The parsers of this crate that are not part of its interface, for the fuzz targets.

/// Reads a file with peers. Returns those that need no name server.
#[must_use]
pub fn peers(text: &str) -> Vec<std::net::SocketAddr> {
    crate::peers::literals(&crate::peers::lines(text))
}
