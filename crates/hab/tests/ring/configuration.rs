//! Configuration applied at one member reaches the services of the others.

use std::fs;

use super::{first, hab, installed, joining, wait_converged};

fn write(sup: &testkit::Supervisor, name: &str, content: &str) -> String {
    let path = sup.root().join(name);
    fs::write(&path, content).expect("a file");
    path.display().to_string()
}

#[test]
fn a_configuration_and_a_file_given_to_one_member_reach_the_service_of_the_other() {
    let (root_a, root_b) = (installed(), installed());
    let a = first(&root_a, &[]);
    let b = joining(&root_b, &a, &["acme/db"]);
    wait_converged(&[&a, &b]);
    b.wait_up("db");

    let config = write(&a, "new.toml", "name = \"second\"\n");
    let said = hab(&a, &["config", "apply", "db.default", "1", &config]);
    assert_eq!(
        said,
        "» Setting new configuration version 1 for db.default\n\
         Ω Creating service configuration\n\
         ↑ Applying applying...\n\
         ★ Applied configuration\n"
    );
    b.wait_json("/services/db/default", |service| service["cfg"]["name"] == "second");
    testkit::wait_for("the rendered file", || {
        (root_b.read("hab/svc/db/config/name.txt") == "second").then_some(())
    });

    // An older version changes nothing, which is reported; a newer one does.
    let older = write(&a, "older.toml", "name = \"older\"\n");
    let ctl = b.ctl.to_string();
    let said = b.hab(["config", "apply", "db.default", "1", &older, "-r", &ctl]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let newer = write(&a, "newer.toml", "name = \"third\"\n");
    hab(&b, &["config", "apply", "db.default", "7", &newer]);
    b.wait_json("/services/db/default", |service| service["cfg"]["name"] == "third");
    a.wait_json("/butterfly", |doc| doc["latest_service_config"]["db.default"]["incarnation"] == 7);

    let file = write(&a, "motd.txt", "good morning\n");
    let said = hab(&a, &["file", "upload", "db.default", "1", &file]);
    assert!(said.ends_with("★ Uploaded file\n"), "{said}");
    testkit::wait_for("the uploaded file", || {
        (root_b.read("hab/svc/db/files/motd.txt") == "good morning\n").then_some(())
    });
}

#[test]
fn an_encrypted_configuration_and_file_reach_the_service_and_nobody_else() {
    let (root_a, root_b) = (installed(), installed());
    let a = first(&root_a, &["--org", "acme"]);
    let b = joining(&root_b, &a, &["acme/db", "--org", "acme"]);
    wait_converged(&[&a, &b]);

    // The user creates the user's keys, the machine those of the service; only the public half of
    // each is copied.
    let keys = |root: &testkit::Root| root.join("hab/cache/keys");
    let make = |sup: &testkit::Supervisor, args: &[&str]| {
        let output = sup.hab(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    };
    make(&a, &["user", "key", "generate", "bob"]);
    make(&b, &["svc", "key", "generate", "db.default", "acme"]);
    for (from, to) in [(&root_a, &root_b), (&root_b, &root_a)] {
        for entry in fs::read_dir(keys(from)).expect("keys").flatten() {
            let name = entry.file_name();
            let target = keys(to).join(&name);
            if name.to_string_lossy().ends_with(".pub") && !target.exists() {
                fs::copy(entry.path(), target).expect("a copy");
            }
        }
    }

    let config = write(&a, "secret.toml", "password = \"whispered\"\n");
    let args = ["config", "apply", "-u", "bob", "db.default@acme", "1", &config];
    let said = hab(&a, &args);
    assert!(said.contains("Encrypting"), "{said}");
    b.wait_json("/services/db/default/acme", |service| service["cfg"]["password"] == "whispered");
    let file = write(&a, "secret.txt", "hush\n");
    hab(&a, &["file", "upload", "-u", "bob", "db.default@acme", "1", &file]);
    testkit::wait_for("the decrypted file", || {
        (root_b.read("hab/svc/db/files/secret.txt") == "hush\n").then_some(())
    });

    let stored = a.wait_json("/butterfly", |doc| {
        doc["service_files"]["db.default@acme"]["secret.txt"]["encrypted"] == true
    });
    assert_eq!(stored["latest_service_config"]["db.default@acme"]["encrypted"], true);
    let text = a.get("/butterfly").text();
    assert!(!text.contains("whispered") && !text.contains("hush"));
}
