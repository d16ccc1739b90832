//! Messages to systemd (`sd_notify(3)`). The launcher sends all of them, because the unit lets
//! systemd accept messages only from its main process: that the launcher is alive and has no
//! Supervisor, and the Supervisor's own notices.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::{Duration, Instant},
};

/// The socket of systemd, if systemd started us.
pub(crate) struct Systemd {
    socket: UnixDatagram,
    address: SocketAddr,
    /// With a watchdog: the interval of keep-alive messages, and the next one.
    beat: Option<(Duration, Instant)>,
}

impl Systemd {
    /// From `NOTIFY_SOCKET` and `WATCHDOG_USEC`. `None` without the former, or when its address is
    /// unusable: services must run anyway.
    pub(crate) fn from_env(now: Instant) -> Option<Systemd> {
        let name = env::var_os("NOTIFY_SOCKET")?;
        let name = name.as_bytes();
        let address = match name.strip_prefix(b"@") {
            Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
            None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)),
        };
        let socket = || -> io::Result<UnixDatagram> {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let watchdog = env::var("WATCHDOG_USEC").ok().and_then(|number| number.parse().ok());
        // half of the watchdog interval, as systemd recommends
        let beat = watchdog
            .filter(|microseconds| *microseconds > 0)
            .map(|microseconds| (Duration::from_micros(microseconds) / 2, now));
        Some(Systemd { socket: socket().ok()?, address: address.ok()?, beat })
    }

    /// Time when [`Self::on_time`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.beat.map(|(_, next)| next)
    }

    /// Sends a keep-alive message to the watchdog when it is due.
    pub(crate) fn on_time(&mut self, now: Instant) {
        if let Some((period, next)) = &mut self.beat
            && now >= *next
        {
            *next = now + *period;
            self.notify("WATCHDOG=1");
        }
    }

    /// One line for `systemctl status`.
    pub(crate) fn status(&self, line: &str) {
        // one line is one assignment, whatever its content
        let line = line.replace(['\n', '\0'], " ");
        self.notify(&format!("STATUS={line}"));
    }

    /// The Supervisor has started everything.
    pub(crate) fn ready(&self) {
        self.notify("READY=1");
    }

    /// The Supervisor is stopping everything.
    pub(crate) fn stopping(&self) {
        self.notify("STOPPING=1");
    }

    fn notify(&self, text: &str) {
        // a failure of systemd must not stop the launcher
        let _ = self.socket.send_to_addr(text.as_bytes(), &self.address);
    }
}
