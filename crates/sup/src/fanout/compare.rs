//! What the views of the members show together. Pure.

use std::collections::HashMap;

use roost_api::documents::ring::matrix::{RingFinding, RingFindingCode as Code};
use roost_text::shown;

/// Findings of one document.
const FINDINGS_MAX: usize = 100;
/// Members, and groups, that a sentence names.
const NAMED_MAX: usize = 3;
/// Characters of a name in a sentence.
const NAME_CHARS_MAX: usize = 64;

/// How one member sees another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    Alive,
    Suspect,
    Dead,
    Unlisted,
}

impl Sight {
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Alive => '.',
            Self::Suspect => '?',
            Self::Dead => 'x',
            Self::Unlisted => '_',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Unlisted => "not known",
        }
    }

    /// A suspect member may still answer: a doubt is not a cut.
    const fn is_seen(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

/// A member and how it sees all of them, in their order; `None` when its view is not known.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) id: String,
    pub(super) hostname: Option<String>,
    pub(super) sees: Option<Vec<Sight>>,
}

/// What the views show, the most severe first.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) findings: Vec<RingFinding>,
    /// How many did not fit.
    pub(super) more: usize,
}

impl Compared {
    fn add(&mut self, finding: impl FnOnce() -> RingFinding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding());
        } else {
            self.more += 1;
        }
    }
}

pub(super) fn compare(members: &[Observer]) -> Compared {
    let views = Views::new(members);
    let mut compared = Compared::default();
    if views.answered.len() < 2 && members.len() != 1 {
        return compared;
    }
    let groups = views.groups();
    let is_split = groups.len() > 1;
    if is_split {
        compared.add(|| views.split(&groups));
    }
    // The split explains that no other one sees the only one of a group.
    let is_alone = |member: usize| {
        let answered = |group: &Vec<usize>| {
            let is_answered = |it: &&usize| members[**it].sees.is_some();
            group.iter().filter(is_answered).eq([&member])
        };
        is_split && groups.iter().any(answered)
    };
    let unseen: Vec<bool> =
        views.all().map(|member| views.is_unseen(member) && !is_alone(member)).collect();
    let mut is_explained = unseen.clone();
    for &seeing in views.answered.iter().filter(|&&seeing| !unseen[seeing]) {
        for &seen in &views.answered {
            if views.is_seen(seeing, seen) && !views.is_seen(seen, seeing) {
                is_explained[seeing] = true;
                compared.add(|| views.cut(seeing, seen));
            }
        }
    }
    for member in views.all().filter(|&member| unseen[member]) {
        compared.add(|| views.unseen(member));
    }
    // The groups of a split ring see all others differently.
    for member in views.all().filter(|&member| !is_split && !is_explained[member]) {
        if views.differ(member) {
            compared.add(|| views.disagree(member));
        }
    }
    if !views.answered.is_empty() && views.all().all(|member| !views.differ(member)) {
        compared.add(|| views.agree());
    }
    compared
}

/// The members by their places.
struct Views<'a> {
    members: &'a [Observer],
    names: Vec<String>,
    /// Those whose view is known.
    answered: Vec<usize>,
}

impl<'a> Views<'a> {
    fn new(members: &'a [Observer]) -> Self {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for hostname in members.iter().filter_map(|member| member.hostname.as_deref()) {
            *uses.entry(hostname).or_default() += 1;
        }
        let name = |member: &Observer| {
            let hostname = member.hostname.as_deref().filter(|it| uses.get(it) == Some(&1));
            let name = hostname.filter(|it| !it.is_empty()).unwrap_or(&member.id);
            let short: String = name.chars().take(NAME_CHARS_MAX).collect();
            shown(&short).to_string()
        };
        let answered = members.iter().enumerate().filter(|(_, member)| member.sees.is_some());
        Self {
            members,
            names: members.iter().map(name).collect(),
            answered: answered.map(|(place, _)| place).collect(),
        }
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.members.len()
    }

    /// How a member that answered sees another one.
    fn sight(&self, seeing: usize, seen: usize) -> Option<Sight> {
        self.members[seeing].sees.as_ref()?.get(seen).copied()
    }

    fn is_seen(&self, seeing: usize, seen: usize) -> bool {
        self.sight(seeing, seen).is_some_and(Sight::is_seen)
    }

    fn others(&self, member: usize) -> impl Iterator<Item = usize> {
        self.answered.iter().copied().filter(move |&other| other != member)
    }

    fn is_unseen(&self, member: usize) -> bool {
        self.others(member).next().is_some()
            && !self.others(member).any(|other| self.is_seen(other, member))
    }

    fn differ(&self, member: usize) -> bool {
        let mut sights = self.answered.iter().map(|&seeing| self.sight(seeing, member));
        let first = sights.next();
        sights.any(|sight| Some(sight) != first)
    }

    /// The members that answered, in groups of which none sees a member of another; with the others
    /// that only one of these groups sees.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut left = self.answered.clone();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        while let Some(first) = left.first().copied() {
            left.remove(0);
            let mut group = vec![first];
            let mut next = 0;
            while let Some(&member) = group.get(next) {
                let is_linked =
                    |other: usize| self.is_seen(member, other) || self.is_seen(other, member);
                group.extend(left.extract_if(.., |other| is_linked(*other)));
                next += 1;
            }
            groups.push(group);
        }
        for member in self.all().filter(|&member| self.members[member].sees.is_none()) {
            let mut seeing = groups
                .iter_mut()
                .filter(|group| group.iter().any(|&other| self.is_seen(other, member)));
            if let (Some(only), None) = (seeing.next(), seeing.next()) {
                only.push(member);
            }
        }
        for group in &mut groups {
            group.sort_unstable();
        }
        groups
    }

    fn ids(&self, members: &[usize]) -> Vec<String> {
        members.iter().map(|&member| self.members[member].id.clone()).collect()
    }

    fn names(&self, members: &[usize]) -> String {
        let named = members.iter().take(NAMED_MAX).map(|&member| self.names[member].clone());
        listed(named.collect(), members.len())
    }

    fn finding(&self, code: Code, members: &[usize], message: String) -> RingFinding {
        RingFinding { code, members: self.ids(members), groups: Vec::new(), message }
    }

    fn split(&self, groups: &[Vec<usize>]) -> RingFinding {
        let named: Vec<String> =
            groups.iter().take(NAMED_MAX).map(|group| format!("({})", self.names(group))).collect();
        let message = format!(
            "The ring is split into {} groups that do not see each other: {}.",
            groups.len(),
            listed(named, groups.len())
        );
        let groups = groups.iter().map(|group| self.ids(group)).collect();
        RingFinding { groups, ..self.finding(Code::SplitViews, &[], message) }
    }

    fn cut(&self, seeing: usize, seen: usize) -> RingFinding {
        let (from, to) = (&self.names[seeing], &self.names[seen]);
        let word = |seeing, seen| self.sight(seeing, seen).map_or("", Sight::word);
        let message = format!(
            "One-way cut: {to} is {} for {from}, but {from} is {} for {to}.",
            word(seeing, seen),
            word(seen, seeing)
        );
        self.finding(Code::OneWayCut, &[seeing, seen], message)
    }

    fn unseen(&self, member: usize) -> RingFinding {
        let others = self.others(member).count();
        let name = &self.names[member];
        let own = match &self.members[member].sees {
            Some(_) => {
                let seen = self.others(member).filter(|&other| self.is_seen(member, other)).count();
                format!("It answers, and sees {seen} of them")
            }
            None => "Its own view is not known".into(),
        };
        let message = match others {
            1 => format!("{name} is not seen by the one other member that answered. {own}."),
            _ => format!(
                "{name} is not seen by any of the {others} other members that answered. {own}."
            ),
        };
        self.finding(Code::Unseen, &[member], message)
    }

    fn disagree(&self, member: usize) -> RingFinding {
        let kinds = [Sight::Alive, Sight::Suspect, Sight::Dead, Sight::Unlisted];
        let parts: Vec<String> = kinds
            .into_iter()
            .filter_map(|kind| {
                let sees = |seeing: &usize| self.sight(*seeing, member) == Some(kind);
                let by: Vec<usize> = self.answered.iter().copied().filter(sees).collect();
                (!by.is_empty()).then(|| format!("{} for {}", kind.word(), self.names(&by)))
            })
            .collect();
        let message = format!("{} is {}.", self.names[member], parts.join("; "));
        self.finding(Code::Disagree, &[member], message)
    }

    fn agree(&self) -> RingFinding {
        let (count, all) = (self.answered.len(), self.members.len());
        let is_whole =
            |seeing: usize| self.all().all(|seen| self.sight(seeing, seen) == Some(Sight::Alive));
        let message = match (count, all) {
            (1, 1) => "The ring has one member.".into(),
            _ if count == all && self.all().all(is_whole) => {
                format!("All {count} members see each other alive.")
            }
            _ => format!("The {count} members that answered see the same."),
        };
        self.finding(Code::Agree, &self.answered, message)
    }
}

/// A list in a sentence, of which only the first are given.
fn listed(mut named: Vec<String>, count: usize) -> String {
    if count > named.len() {
        named.push(format!("{} more", count - named.len()));
    }
    let last = named.pop().unwrap_or_default();
    if named.is_empty() { last } else { format!("{} and {last}", named.join(", ")) }
}

#[cfg(test)]
mod tests;
