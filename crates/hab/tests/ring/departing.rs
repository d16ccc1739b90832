//! Manual departure.

use super::{first, hab, joining, root, wait_converged, wait_health};

const NOTICE: &str = "This Supervisor has been manually departed.";

#[test]
fn a_member_departed_by_hand_ends_with_86_and_does_so_at_each_start() {
    let (root_a, root_b) = (super::installed(), super::installed());
    let a = first(&root_a, &[]);
    let mut b = joining(&root_b, &a, &["acme/db"]);
    wait_converged(&[&a, &b]);
    b.wait_up("db");
    let id = b.member_id();
    let said = hab(&a, &["sup", "depart", &id]);
    assert_eq!(
        said,
        format!(
            "» Permanently marking {id} as departed\n\
             ↑ Applying via peer {}\n\
             ★ Departure recorded.\n",
            a.ctl
        )
    );
    assert_eq!(b.wait_exit(), 86);
    assert!(b.log().contains(NOTICE), "{}", b.log());
    let sup = root_b.join("hab/sup/default");
    let way_back = format!("rm -rf {0}/MEMBER_ID {0}/data", sup.display());
    assert!(b.log().contains(&way_back), "{}", b.log());
    assert!(root_b.processes().is_empty());
    wait_health(&a, &id, "Departed");
    let doc = a.get("/butterfly").json();
    assert_eq!(doc["departed_members"][0], id, "{doc:#}");

    // The member itself knows it.
    let mut alone = root_b.supervisor().in_place_of(&b).spawn();
    assert_eq!(alone.wait_exit(), 86);
    assert!(alone.log().contains(NOTICE), "{}", alone.log());
    assert!(root_b.processes().is_empty());

    // It may return under a new id.
    std::fs::remove_file(root_b.join("hab/sup/default/MEMBER_ID")).expect("an id");
    std::fs::remove_dir_all(root_b.join("hab/sup/default/data")).expect("data");
    let fresh = joining(&root_b, &a, &[]);
    assert_ne!(fresh.member_id(), id);
    wait_converged(&[&a, &fresh]);
}

#[test]
fn the_last_member_can_depart_itself_and_anybody_can_be_departed_before_it_is_known() {
    let root_a = root();
    let mut a = first(&root_a, &[]);
    hab(&a, &["sup", "depart", "0123456789abcdef0123456789abcdef"]);
    a.wait_json("/butterfly", |doc| {
        doc["departed_members"].as_array().is_some_and(|d| d.len() == 1)
    });
    let own = a.member_id();
    hab(&a, &["sup", "depart", &own]);
    assert_eq!(a.wait_exit(), 86);
    assert!(a.log().contains(NOTICE));
}
