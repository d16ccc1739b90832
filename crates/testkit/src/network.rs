//! Separate machines for Supervisors, as Linux network namespaces on one switch, so that a test can
//! disconnect them.
//!
//! The namespaces have no names: open files of the test process and the processes inside keep them
//! alive, so that nothing remains however the test ends.

use std::{
    fs::File,
    io::Read,
    net::Ipv4Addr,
    os::fd::{AsFd, AsRawFd},
    panic::resume_unwind,
    process::{Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::skip;

/// A network namespace.
#[derive(Debug)]
struct Space(File);

impl Space {
    fn new() -> Result<Self, String> {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo ready; read end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut said = [0; 5];
        let stdout = holder.stdout.as_mut().ok_or("no standard output")?;
        let space = match stdout.read_exact(&mut said) {
            Ok(()) => {
                File::open(format!("/proc/{}/ns/net", holder.id())).map_err(|e| e.to_string())
            }
            Err(_) => Err("unshare --net is not allowed here".into()),
        };
        // Its input is closed; from now on the file keeps the namespace.
        let output = holder.wait_with_output().map_err(|error| error.to_string())?;
        space
            .map(Self)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Runs a closure on a thread inside the namespace.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let there = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("a process that may create a namespace may enter it");
                work()
            });
            there.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Runs `ip` in the namespace.
    fn ip(&self, args: &str) -> Result<(), String> {
        let run = || Command::new("ip").args(args.split(' ')).stdin(Stdio::null()).output();
        let output = self.inside(run).map_err(|error| format!("ip: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("ip {args}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Path of the namespace for `ip`.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Machines connected by a switch.
#[derive(Debug)]
pub struct Network {
    switch: Space,
    machines: Vec<Space>,
}

impl Network {
    /// Creates connected machines. `None` where this is not allowed or `ip` is missing: the test
    /// should then return; a line outside of the harness's capture reports that it was skipped.
    #[must_use]
    pub fn new(machines: usize) -> Option<Self> {
        Self::build(machines).map_err(|why| skip(&why)).ok()
    }

    fn build(machines: usize) -> Result<Self, String> {
        let switch = Space::new()?;
        // Two bridges: a machine reaches only those on the same bridge.
        for bridge in ["near", "far"] {
            switch.ip(&format!("link add name {bridge} type bridge"))?;
            switch.ip(&format!("link set dev {bridge} up"))?;
        }
        let mut network = Self { switch, machines: Vec::new() };
        for number in 0..machines {
            let machine = Space::new()?;
            let cable = format!("link add name port{number} type veth peer name eth0 netns");
            network.switch.ip(&format!("{cable} {}", machine.path()))?;
            let address = Self::address(number);
            machine.ip(&format!("address add {address}/24 dev eth0"))?;
            machine.ip("link set dev eth0 up")?;
            machine.ip("link set dev lo up")?;
            network.switch.ip(&format!("link set dev port{number} master near up"))?;
            network.machines.push(machine);
        }
        Ok(network)
    }

    /// The address of a machine, numbered from 0.
    ///
    /// # Panics
    /// When there are more than 254 machines.
    #[must_use]
    pub fn address(machine: usize) -> Ipv4Addr {
        let last = u8::try_from(machine + 1).expect("few machines");
        Ipv4Addr::new(10, 77, 0, last)
    }

    /// Runs a closure on a thread of that machine; processes that it starts run there too.
    pub fn on<T: Send>(&self, machine: usize, work: impl FnOnce() -> T + Send) -> T {
        self.machines[machine].inside(work)
    }

    /// Separates these machines from the others; they stay connected with each other.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn separate(&self, machines: &[usize]) {
        self.plug(machines, "far");
    }

    /// Reconnects these machines with the others.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn reconnect(&self, machines: &[usize]) {
        self.plug(machines, "near");
    }

    fn plug(&self, machines: &[usize], bridge: &str) {
        for number in machines {
            let moved = self.switch.ip(&format!("link set dev port{number} master {bridge}"));
            moved.expect("a port can be moved");
        }
    }
}
