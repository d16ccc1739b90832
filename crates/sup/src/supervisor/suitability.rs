//! Suitability hooks: how fit a member is to lead its group (reference: services §11.3).

use roost_ident::Hook;
use roost_ring::Command;
use roost_service::HookOutcome;

use super::{Supervisor, effects::SIGKILL, managed::Managed};
use crate::services::hook_run::Limit;

/// An election that waits for a suitability hook.
#[derive(Debug)]
pub(super) struct Asked {
    group: String,
    term: u64,
}

impl Supervisor {
    /// An election asks how fit the service of a group is: its hook knows, once it runs.
    pub(super) fn find_suitability(&mut self, group: &str, term: u64) {
        let of_group = |managed: &&Managed| managed.group().as_str() == group;
        let service = self.services.values().find(of_group).and_then(|managed| {
            let built = managed.built.clone()?;
            let asks = managed.machine.status().initialized
                && built.hooks.contains_key(&Hook::Suitability);
            asks.then(|| (managed.name.clone(), built))
        });
        let Some((name, built)) = service else {
            return self.answer_suitability(group.into(), term, 0);
        };
        let id = self.new_id();
        self.suitability.insert(id, Asked { group: group.into(), term });
        let hook = Hook::Suitability;
        self.hooks.begin(id, (&name, group), hook, hook.to_string(), &built.svc);
        self.limit_hook(id, hook, built.package.hook_timeouts_s.get(&hook).copied());
        self.start_hook(id, group, Hook::Suitability, &built);
    }

    /// Sets how long a hook may run that no state machine looks after.
    /// What its package states counts before the setting.
    pub(super) fn limit_hook(&mut self, id: u64, hook: Hook, stated_s: Option<u32>) {
        let stated_ms = stated_s.map(|seconds| u64::from(seconds) * 1_000);
        let timeout_ms = stated_ms.unwrap_or_else(|| self.world.config.hook_timeouts.ms(hook));
        let limit = Limit::new(self.world.clock.now().mono_ms, timeout_ms);
        self.hooks.limit(id, limit);
    }

    /// Ends such hooks that run too long: elections and starts wait for them.
    pub(super) fn end_late_hooks(&mut self) {
        for id in self.hooks.take_late(self.world.clock.now().mono_ms) {
            self.signal(id, SIGKILL);
        }
    }

    pub(super) fn suitability_ended(
        &mut self,
        id: u64,
        service: &str,
        outcome: &HookOutcome,
        printed: &str,
    ) {
        let Some(Asked { group, term, .. }) = self.suitability.remove(&id) else { return };
        let (value, line) = match outcome {
            HookOutcome::Exit(0) => match printed.lines().last().map(str::trim) {
                None => (0, "suitability did not print anything to stdout".into()),
                Some(last) => match last.parse::<u64>() {
                    Ok(value) => (value, format!("Reporting suitability of: {value}")),
                    Err(error) => (0, format!("Parsing suitability failed: {error}")),
                },
            },
            HookOutcome::Exit(code) => (0, format!("suitability exited with status code {code}")),
            HookOutcome::Signal(signal) => {
                (0, format!("suitability was terminated by signal {signal}"))
            }
            HookOutcome::CouldNotRun(reason) => {
                (0, format!("Hook failed to run, suitability, {reason}"))
            }
        };
        self.say(service, "HK", &line);
        self.answer_suitability(group, term, value);
    }

    fn answer_suitability(&self, group: String, term: u64, value: u64) {
        self.world.ring.command(Command::Suitability { group, term, value });
    }
}
