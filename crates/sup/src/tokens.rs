//! The file of `--http-tokens`: read at the start, where a fault ends the start, and again whenever
//! it changes, where a fault leaves the rules as they were. Tokens that end soon are a condition.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use roost_access::{Fault, NOTICE_MS, Rules, TokenRule};
use roost_ident::time::rfc3339_s;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{
    clock,
    conditions::{Conditions, Kind},
    output::Output,
    vital,
};

/// Longest wait for the expiry of a token: the clock may be set meanwhile.
const CLOCK_CHECK: Duration = Duration::from_secs(3600);

/// Handle of the task that follows the file.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    path: PathBuf,
    /// One waiting message suffices: the file is read in its current state.
    again: mpsc::Sender<()>,
}

/// What the task works with.
struct Following {
    path: PathBuf,
    /// Clients can show certificates.
    takes_certificates: bool,
    rules: watch::Sender<Arc<Rules>>,
    output: Output,
    conditions: Conditions,
}

impl Tokens {
    /// Reads the file and starts to follow it.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn start(
        path: &Path,
        takes_certificates: bool,
        output: &Output,
        conditions: &Conditions,
    ) -> Result<(Self, watch::Receiver<Arc<Rules>>), Fault> {
        let rules = Arc::new(roost_access::read(path, user())?);
        let (sender, receiver) = watch::channel(Arc::clone(&rules));
        let following = Following {
            path: path.into(),
            takes_certificates,
            rules: sender,
            output: output.clone(),
            conditions: conditions.clone(),
        };
        following.announce(&rules);
        let (again, asked) = mpsc::channel(1);
        vital::spawn("http-tokens", following.run(asked));
        Ok((Self { path: path.into(), again }, receiver))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file has changed.
    pub(crate) fn reread(&self) {
        // Full: it will be read anyway. Closed: the process is ending.
        let _ = self.again.try_send(());
    }
}

impl Following {
    async fn run(self, mut asked: mpsc::Receiver<()>) {
        loop {
            let rules = Arc::clone(&self.rules.borrow());
            let wait = self.notice(&rules, clock::unix_ms());
            match timeout(wait, asked.recv()).await {
                Ok(Some(())) => self.reread().await,
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    async fn reread(&self) {
        let path = self.path.clone();
        let reading =
            vital::spawn_blocking("http-tokens", move || roost_access::read(&path, user()));
        let about = self.path.display().to_string();
        match reading.await {
            Ok(Ok(rules)) => {
                let line = format!("The file with tokens {about} can be used again");
                self.conditions.end(Kind::HttpTokensUnusable, &about, &line);
                if rules != **self.rules.borrow() {
                    self.announce(&rules);
                    self.rules.send_replace(Arc::new(rules));
                }
            }
            Ok(Err(fault)) => {
                let line = format!("{fault}. Access to the HTTP API stays as it was");
                self.conditions.appear(Kind::HttpTokensUnusable, &about, &line);
            }
            // The process is ending.
            Err(_) => {}
        }
    }

    fn announce(&self, rules: &Rules) {
        let count = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        self.output.sup(&format!(
            "The HTTP API knows {} and {} from {}",
            count(rules.tokens.len(), "token"),
            count(rules.certificates.len(), "certificate"),
            self.path.display()
        ));
        if !rules.certificates.is_empty() && !self.takes_certificates {
            self.output.sup(
                "Certificates of clients have no effect: give --ca-certs with their authority, \
                 --key and --certs",
            );
        }
    }

    /// Notes the tokens that end soon; returns how long this holds.
    fn notice(&self, rules: &Rules, now_ms: u64) -> Duration {
        let mut wait = CLOCK_CHECK;
        for token in &rules.tokens {
            let Some(expires_ms) = token.expires_ms else { continue };
            let next_ms = match notice_of(token, now_ms) {
                None => expires_ms - NOTICE_MS,
                Some(line) => {
                    let was_over = self.conditions.messages(Kind::TokenExpires).contains(&line);
                    if !was_over {
                        self.conditions.forget(Kind::TokenExpires, &token.name);
                        self.conditions.appear(Kind::TokenExpires, &token.name, &line);
                    }
                    expires_ms
                }
            };
            if next_ms > now_ms {
                wait = wait.min(Duration::from_millis(next_ms - now_ms));
            }
        }
        for name in self.conditions.of(Kind::TokenExpires) {
            let token = rules.tokens.iter().find(|token| *token.name == *name);
            if token.is_none_or(|token| notice_of(token, now_ms).is_none()) {
                let line = format!("The token '{name}' of the HTTP API is revoked or renewed");
                self.conditions.end(Kind::TokenExpires, &name, &line);
            }
        }
        wait
    }
}

/// The message about a token that ends soon or has ended.
fn notice_of(token: &TokenRule, now_ms: u64) -> Option<String> {
    let expires_ms = token.expires_ms?;
    if expires_ms > now_ms.saturating_add(NOTICE_MS) {
        return None;
    }
    let (name, verb) = (&token.name, if expires_ms <= now_ms { "expired" } else { "expires" });
    Some(format!(
        "the token '{name}' of the HTTP API {verb} at {}; make another one with 'hab sup token \
         new', and revoke this one with 'hab sup token revoke {name}'",
        rfc3339_s(expires_ms)
    ))
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use roost_access::Scopes;

    use super::*;

    #[test]
    fn a_token_is_noticed_14_days_before_its_end_and_after_it() {
        let token = |expires_ms| TokenRule {
            name: "prom".into(),
            digest: [0; 32],
            scopes: Scopes::all(),
            expires_ms,
        };
        let at = |now_ms| notice_of(&token(Some(NOTICE_MS + 10_000)), now_ms);
        assert_eq!(at(9_999), None);
        assert!(at(10_000).expect("a notice").contains("expires at 1970-01-15T00:00:10Z;"));
        assert!(
            at(NOTICE_MS + 10_000).expect("a notice").contains("'prom' of the HTTP API expired")
        );
        assert_eq!(notice_of(&token(None), u64::MAX), None);
    }
}
