//! What systemd is told (`sd_notify(3)`). The launcher sends everything, because the unit lets
//! systemd take messages from its main process only: that the launcher lives and has no Supervisor,
//! and what the Supervisor wants told.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The socket of systemd, when that started us.
pub(crate) struct Systemd {
    socket: UnixDatagram,
    address: SocketAddr,
    /// With a watchdog: how often it is told that we live, and when next.
    beat: Option<(Duration, Instant)>,
}

impl Systemd {
    /// From `NOTIFY_SOCKET` and `WATCHDOG_USEC`. `None` without the former, or when it names
    /// nothing that can be sent to: that is no reason not to run services.
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
        // half of what it demands, as systemd advises
        let beat = watchdog
            .filter(|microseconds| *microseconds > 0)
            .map(|microseconds| (Duration::from_micros(microseconds) / 2, now));
        Some(Systemd { socket: socket().ok()?, address: address.ok()?, beat })
    }

    /// When [`Self::on_time`] has something to tell.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.beat.map(|(_, next)| next)
    }

    /// Tells the watchdog, when that is due, that the launcher lives.
    pub(crate) fn on_time(&mut self, now: Instant) {
        if let Some((period, next)) = &mut self.beat
            && now >= *next
        {
            *next = now + *period;
            self.tell("WATCHDOG=1");
        }
    }

    /// One line for `systemctl status`.
    pub(crate) fn status(&self, line: &str) {
        // one line is one statement, whatever is in it
        let line = line.replace(['\n', '\0'], " ");
        self.tell(&format!("STATUS={line}"));
    }

    /// The Supervisor has started everything.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The Supervisor is stopping everything.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, text: &str) {
        // a systemd that does not listen is no reason to stop
        let _ = self.socket.send_to_addr(text.as_bytes(), &self.address);
    }
}
