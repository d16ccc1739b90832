//! Recorded scenarios of Habitat 2.1.78, played again with the real program: the same packages,
//! command lines, commands of `hab` and requests, and what was answered then.
//!
//! What is compared and what is not:
//!
//! - **Settled states.** A request is repeated until the answer is the recorded one; only states
//!   that pass on their way are listed as `[[transient]]`, and then only the head counts.
//! - **Heads** with status line and headers in order, `date` and lengths aside; bodies as JSON:
//!   values, types, spelling and order of keys. Maps keyed by ids, groups or file names have no
//!   order, nor has the list of services. `changed` of the census describes only the last
//!   snapshot, so any bool matches.
//! - Member ids, pids, times, addresses, roots, host name and version are placeholders: the same
//!   placeholder has the same value throughout a scenario.
//! - **Commands** of `hab`: exit code, standard output and error.
//! - **Files**: content and modes.
//! - **Lines** on the console, in order, except periodic ones.
//!
//! `fixtures/differences.toml` lists the intentional differences of Roost: a difference that is not
//! listed fails, and so does an unused entry.

mod compare;
mod console;
mod differences;
mod exchange;
mod metrics;
mod names;
mod play;
mod recorded;

macro_rules! scenarios {
    ($($name:ident: $folder:literal,)*) => {
        $(
            #[test]
            fn $name() {
                play::scenario($folder);
            }
        )*
    };
}

scenarios! {
    scenario_01_empty: "01-empty",
    scenario_02_standalone_full: "02-standalone-full",
    scenario_03_stopped: "03-stopped",
    scenario_04_health: "04-health",
    scenario_05_org: "05-org",
    scenario_06_binds: "06-binds",
    scenario_07_leader_ring: "07-leader-ring",
    scenario_08_crash_backoff: "08-crash-backoff",
    scenario_09_auth: "09-auth",
    scenario_10_redact: "10-redact",
    scenario_11_odd_requests: "11-odd-requests",
    scenario_12_config_layers: "12-config-layers",
    scenario_13_leader_simultaneous: "13-leader-simultaneous",
}
