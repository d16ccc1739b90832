//! Machines of their own for Supervisors, as Linux network namespaces on one switch, so that a
//! test can pull cables.
//!
//! The namespaces have no names: they are held by open files of the test process and by what
//! runs in them, so that nothing is left of them however the test ends.

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
        // Its input ends; from now on the file holds the namespace.
        let output = holder.wait_with_output().map_err(|error| error.to_string())?;
        space
            .map(Self)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Runs something on a thread that is inside.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let there = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("who may make a namespace may enter it");
                work()
            });
            there.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Runs `ip` inside.
    fn ip(&self, args: &str) -> Result<(), String> {
        let run = || Command::new("ip").args(args.split(' ')).stdin(Stdio::null()).output();
        let output = self.inside(run).map_err(|error| format!("ip: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("ip {args}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Path under which `ip` finds it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Machines joined by a switch.
#[derive(Debug)]
pub struct Network {
    switch: Space,
    machines: Vec<Space>,
}

impl Network {
    /// As many machines, all connected. `None` where this is not allowed or `ip` is missing: the
    /// test is to end, and a line that no harness captures says that it was skipped.
    #[must_use]
    pub fn new(machines: usize) -> Option<Self> {
        Self::build(machines).map_err(|why| skip(&why)).ok()
    }

    fn build(machines: usize) -> Result<Self, String> {
        let switch = Space::new()?;
        // Two bridges: whoever is plugged into the other one reaches only those who are there.
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

    /// The address of a machine, by number from 0 on.
    ///
    /// # Panics
    /// When there are more than 254 machines.
    #[must_use]
    pub fn address(machine: usize) -> Ipv4Addr {
        let last = u8::try_from(machine + 1).expect("few machines");
        Ipv4Addr::new(10, 77, 0, last)
    }

    /// Runs something on a thread that is on that machine; so is every process it starts.
    pub fn on<T: Send>(&self, machine: usize, work: impl FnOnce() -> T + Send) -> T {
        self.machines[machine].inside(work)
    }

    /// Separates these machines from the others; among themselves they stay connected.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn separate(&self, machines: &[usize]) {
        self.plug(machines, "far");
    }

    /// Connects these machines with the others again.
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
