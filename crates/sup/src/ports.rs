//! Advice about an unavailable port.

use std::io;

/// The option and the variable of a listener.
pub(crate) type Setting = (&'static str, &'static str);

/// Of the HTTP gateway.
pub(crate) const HTTP: Setting = ("--listen-http", "HAB_LISTEN_HTTP");
/// Of the control gateway.
pub(crate) const CTL: Setting = ("--listen-ctl", "HAB_LISTEN_CTL");
/// Of gossip.
pub(crate) const GOSSIP: Setting = ("--listen-gossip", "HAB_LISTEN_GOSSIP");

/// Why the port is not available, and which option selects another one.
pub(crate) fn remedy(error: &io::Error, (option, variable): Setting) -> String {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "Another process listens there; stop it, or choose".to_owned(),
        io::ErrorKind::AddrNotAvailable => "This machine has no such address; choose".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "Only root and CAP_NET_BIND_SERVICE may use this port; choose".to_owned()
        }
        _ => format!("{error}. Choose"),
    };
    format!("{why} another address with {option} ({variable}).")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_named_whatever_the_reason_is() {
        for code in [1, 13, 24, 98, 99] {
            let text = remedy(&io::Error::from_raw_os_error(code), CTL);
            assert!(
                text.ends_with(" another address with --listen-ctl (HAB_LISTEN_CTL)."),
                "{text}"
            );
        }
        let taken = remedy(&io::Error::from_raw_os_error(98), HTTP);
        assert!(taken.starts_with("Another process listens there; stop it, or choose "), "{taken}");
    }
}
