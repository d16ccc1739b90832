//! Suitability hooks: how fit a member is to lead its group (reference: services §11.3).

use roost_ident::Hook;
use roost_service::{HookOutcome, Printed};

use super::Fleet;
use crate::{
    action::{Action, RingAction},
    hook::{HookRun, HookSource},
    processes::Purpose,
    release::Release,
    service::Service,
};

/// How fit a service is, and the line about it.
struct Fitness {
    value: u64,
    line: String,
}

impl<R: Release> Fleet<R> {
    /// An election needs to know how fit the service of a group is: its hook knows, once it runs.
    pub(super) fn find_suitability(&mut self, group: String, term: u64) {
        let of_group = |service: &&Service<R>| service.group().as_str() == group;
        let asked = self.services.values().find(of_group).and_then(|service| {
            let release = service.built.clone()?;
            let knows = service.machine.status().initialized && release.has(Hook::Suitability);
            knows.then(|| (service.name.clone(), release))
        });
        let Some((service, release)) = asked else {
            return self.actions.ring(RingAction::Suitability { group, term, value: 0 });
        };
        let hook = Hook::Suitability;
        let stated_ms = release.plan().hook_timeouts_ms.get(&hook).copied();
        let limit_ms = self.limit_ms(hook, stated_ms);
        let purpose = Purpose::Suitability { group: group.clone(), term };
        let id = self.processes.begin_hook(&service, purpose, self.now.mono_ms, Some(limit_ms));
        let (label, source) = (hook.to_string(), HookSource::Release(release));
        self.actions.push(Action::RunHook(HookRun { id, service, group, hook, label, source }));
    }

    /// How long a hook may run that no machine looks after: what its package states, else the
    /// Supervisor's setting.
    pub(super) fn limit_ms(&self, hook: Hook, stated_ms: Option<u64>) -> u64 {
        stated_ms.unwrap_or_else(|| self.config.settings.hook_timeouts.ms(hook))
    }

    /// A suitability hook ended: the election has its answer.
    pub(super) fn suitability_ended(
        &mut self,
        name: &str,
        group: String,
        term: u64,
        outcome: &HookOutcome,
        stdout: &str,
        printed: &Printed,
    ) {
        if *outcome != HookOutcome::Exit(0) {
            self.record_hook_failure(name, Hook::Suitability, outcome, printed);
        }
        let Fitness { value, line } = fitness(outcome, stdout);
        self.say(name, "HK", line);
        self.actions.ring(RingAction::Suitability { group, term, value });
    }
}

fn fitness(outcome: &HookOutcome, stdout: &str) -> Fitness {
    let unfit = |line: String| Fitness { value: 0, line };
    match outcome {
        HookOutcome::Exit(0) => match stdout.lines().last().map(str::trim) {
            None => unfit("suitability did not print anything to stdout".into()),
            Some(last) => match last.parse() {
                Ok(value) => Fitness { value, line: format!("Reporting suitability of: {value}") },
                Err(error) => unfit(format!("Parsing suitability failed: {error}")),
            },
        },
        HookOutcome::Exit(code) => unfit(format!("suitability exited with status code {code}")),
        HookOutcome::Signal(signal) => {
            unfit(format!("suitability was terminated by signal {signal}"))
        }
        HookOutcome::CouldNotRun(reason) => {
            unfit(format!("Hook failed to run, suitability, {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_hook_that_succeeds_counts() {
        let value = |outcome, stdout| fitness(&outcome, stdout).value;
        assert_eq!(value(HookOutcome::Exit(0), "1\n 42 \n"), 42);
        assert_eq!(value(HookOutcome::Exit(0), ""), 0);
        assert_eq!(value(HookOutcome::Exit(0), "42\nmany"), 0);
        assert_eq!(value(HookOutcome::Exit(1), "42"), 0);
        assert_eq!(value(HookOutcome::Signal(9), "42"), 0);
    }
}
