//! Values of a recording's placeholders in this run.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

/// Clocks of files and of documents may be rounded differently.
const CLOCK_SLACK_S: u64 = 2;
/// The longest back-off of the scenarios: `next_restart_at` is in the future.
const LONGEST_WAIT_S: u64 = 20;

/// Values of placeholders: the first value found is used from then on.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    texts: BTreeMap<String, String>,
    pids: BTreeMap<String, u64>,
    addresses: Vec<(SocketAddr, SocketAddr)>,
    began_s: u64,
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            texts: BTreeMap::new(),
            pids: BTreeMap::new(),
            addresses: Vec::new(),
            began_s: now_s(),
        }
    }

    /// Sets the value of a text placeholder.
    pub(crate) fn know(&mut self, placeholder: String, text: String) {
        self.texts.insert(placeholder, text);
    }

    /// Sets the address that replaces a recorded one.
    pub(crate) fn map(&mut self, recorded: SocketAddr, ours: SocketAddr) {
        self.addresses.push((recorded, ours));
    }

    /// A recorded text with the values of this run.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (placeholder, value) in &self.texts {
            text = text.replace(placeholder, value);
        }
        for (recorded, ours) in &self.addresses {
            text = text.replace(&recorded.to_string(), &ours.to_string());
        }
        text
    }

    /// Whether the found value matches a recorded text or number.
    pub(crate) fn same(&mut self, key: &str, expected: &Value, found: &Value) -> bool {
        match expected {
            Value::Number(number) if key.ends_with("_port") => {
                let mut ports = self.addresses.iter().map(|(from, to)| (from.port(), to.port()));
                let port = ports.find(|(from, _)| number.as_u64() == Some((*from).into()));
                port.map_or(expected == found, |(_, port)| found.as_u64() == Some(port.into()))
            }
            Value::String(text) => self.same_text(key, text, found),
            _ => expected == found,
        }
    }

    fn same_text(&mut self, key: &str, expected: &str, found: &Value) -> bool {
        if expected.starts_with("${PID_") {
            return found.as_u64().is_some_and(|pid| self.same_pid(expected, pid));
        }
        if expected.starts_with("${TIME+") {
            let times = self.began_s - CLOCK_SLACK_S..=now_s() + LONGEST_WAIT_S + CLOCK_SLACK_S;
            return found.as_u64().is_some_and(|time| times.contains(&time));
        }
        let Some(found) = found.as_str() else { return false };
        match expected {
            "${IP}" | "${HOSTNAME}" => {
                let known = self.texts.entry(expected.into()).or_insert_with(|| found.into());
                known == found && !found.is_empty()
            }
            "2.1.78" if key == "version" => found.starts_with("2.1.78+roost."),
            _ if key.ends_with("_ip") || key == "address" => {
                let mut ips = self.addresses.iter().map(|(from, to)| (from.ip(), to.ip()));
                let ip = ips.find(|(from, _)| from.to_string() == expected);
                ip.map_or(self.fill(expected) == found, |(_, ip)| found == ip.to_string())
            }
            _ => self.fill(expected) == found,
        }
    }

    /// Different placeholders are different processes.
    fn same_pid(&mut self, placeholder: &str, pid: u64) -> bool {
        match self.pids.get(placeholder) {
            Some(known) => *known == pid,
            None if pid == 0 || self.pids.values().any(|known| *known == pid) => false,
            None => {
                self.pids.insert(placeholder.into(), pid);
                true
            }
        }
    }

    /// A recorded file content, with pids replaced.
    pub(crate) fn same_content(&mut self, expected: &str, found: &str) -> bool {
        match found.trim_end().parse() {
            Ok(pid) if expected.starts_with("${PID_") => self.same_pid(expected, pid),
            _ => self.fill(expected) == found,
        }
    }
}
