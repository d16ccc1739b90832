//! Views of rings that are whole, cut and split.

use super::*;

/// Members `a1`, `b2`, … with the views of these letters; `-` for a view that is not known.
fn members(views: &[&str]) -> Vec<Observer> {
    let sight = |letter| match letter {
        '.' => Sight::Alive,
        '?' => Sight::Suspect,
        'x' => Sight::Dead,
        _ => Sight::Unlisted,
    };
    let views = views.iter().zip('a'..='z').enumerate();
    views
        .map(|(place, (view, letter))| Observer {
            id: format!("{letter}{}", place + 1),
            hostname: None,
            sees: (*view != "-").then(|| view.chars().map(sight).collect()),
        })
        .collect()
}

/// Codes, members and sentences; groups are joined with `|`.
fn found(views: &[&str]) -> Vec<(Code, String, String)> {
    let compared = compare(&members(views));
    assert_eq!(compared.more, 0);
    let found = compared.findings.into_iter().map(|finding| {
        let groups: Vec<String> = finding.groups.iter().map(|it| it.join(" ")).collect();
        let members = [finding.members.join(" "), groups.join(" | ")].concat();
        (finding.code, members, finding.message)
    });
    found.collect()
}

fn expected(code: Code, members: &str, message: &str) -> (Code, String, String) {
    (code, members.into(), message.into())
}

#[test]
fn a_whole_ring_agrees() {
    assert_eq!(
        found(&["...", "...", "..."]),
        [expected(Code::Agree, "a1 b2 c3", "All 3 members see each other alive.")]
    );
    assert_eq!(found(&["."]), [expected(Code::Agree, "a1", "The ring has one member.")]);
}

#[test]
fn a_member_that_does_not_answer_is_no_disagreement() {
    assert_eq!(
        found(&["...", "-", "..."]),
        [expected(Code::Agree, "a1 c3", "The 2 members that answered see the same.")]
    );
    assert_eq!(found(&["..x", "-", "-"]), [], "one view is not compared with itself");
    assert_eq!(found(&["-", "-"]), []);
    assert_eq!(found(&["-"]).len(), 0);
    assert_eq!(found(&[]), []);
}

#[test]
fn a_cut_in_one_direction_names_both_ends() {
    let cut = "One-way cut: b2 is alive for a1, but a1 is dead for b2.";
    assert_eq!(
        found(&["...", "x..", "..."]),
        [expected(Code::OneWayCut, "a1 b2", cut)],
        "and c3 sees both"
    );
    let unknown = "One-way cut: b2 is suspect for a1, but a1 is not known for b2.";
    assert_eq!(found(&[".?.", "_..", "..."])[0], expected(Code::OneWayCut, "a1 b2", unknown));
}

#[test]
fn two_halves_are_a_split() {
    let split = "The ring is split into 2 groups that do not see each other: (a1 and b2) and \
                 (c3 and d4).";
    assert_eq!(
        found(&["..xx", "..xx", "xx..", "xx.."]),
        [expected(Code::SplitViews, "a1 b2 | c3 d4", split)]
    );
    assert_eq!(
        found(&["..xx", "-", "xx..", "-"]),
        [expected(Code::SplitViews, "a1 b2 | c3 d4", split)],
        "members belong to the group that sees them"
    );
    let alone = "The ring is split into 2 groups that do not see each other: (a1) and (b2).";
    assert_eq!(found(&[".x", "x."]), [expected(Code::SplitViews, "a1 | b2", alone)]);
    let bridged = found(&["..x", "...", "x.."]);
    assert_eq!(
        bridged.iter().map(|it| (it.0, it.1.as_str())).collect::<Vec<_>>(),
        [(Code::Disagree, "a1"), (Code::Disagree, "c3")],
        "b2 sees both"
    );
}

#[test]
fn a_member_that_the_others_do_not_see() {
    let dead = "c3 is not seen by any of the 2 other members that answered. Its own view is \
                not known.";
    assert_eq!(
        found(&["..x", "..x", "-"]),
        [
            expected(Code::Unseen, "c3", dead),
            expected(Code::Agree, "a1 b2", "The 2 members that answered see the same."),
        ]
    );
    let answers = "c3 is not seen by any of the 2 other members that answered. It answers, \
                   and sees 2 of them.";
    assert_eq!(found(&["..x", "..x", "..."]), [expected(Code::Unseen, "c3", answers)]);
}

#[test]
fn views_that_differ_otherwise_disagree() {
    let message = "d4 is alive for a1; suspect for b2; dead for c3.";
    assert_eq!(found(&["....", "...?", "...x", "-"]), [expected(Code::Disagree, "d4", message)]);
    let doubt = "c3 is alive for b2 and c3; suspect for a1.";
    assert_eq!(
        found(&["..?", "...", "..."]),
        [expected(Code::Disagree, "c3", doubt)],
        "a doubt is not a cut"
    );
}

#[test]
fn sentences_name_machines_and_few_of_them() {
    let mut all = members(&["....x", "....x", "....x", "....x", "....."]);
    for member in &mut all {
        member.hostname = Some("db\u{1b}".into());
    }
    all[4].hostname = Some("web\n1".into());
    let message = &compare(&all).findings[0].message;
    assert!(message.starts_with("web\\n1 is not seen by any of the 4"), "{message}");
    all[4].sees = None;
    all[0].sees = Some(vec![Sight::Alive; 5]);
    let message = &compare(&all).findings[0].message;
    assert_eq!(message, "web\\n1 is alive for a1; dead for b2, c3 and d4.");
    let names = |count: usize| Views::new(&all).names(&(0..count).collect::<Vec<_>>());
    assert_eq!([names(1), names(5)], ["a1", "a1, b2, c3 and 2 more"]);
}

#[test]
fn many_findings_are_counted() {
    // The first half sees all; the second half sees only itself, and one of the first.
    let view = |place: usize| {
        let sight = move |seen| match place < 20 || seen == 0 || seen >= 20 {
            true => Sight::Alive,
            false => Sight::Dead,
        };
        Observer {
            id: format!("{place:02}"),
            hostname: None,
            sees: Some((0..40).map(sight).collect()),
        }
    };
    let compared = compare(&(0..40).map(view).collect::<Vec<_>>());
    assert_eq!((compared.findings.len(), compared.more), (FINDINGS_MAX, 19 * 20 - FINDINGS_MAX));
}
