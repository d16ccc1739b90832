//! The Debian package.

use std::fs;

use super::{is_there, packaging, program, said};

#[test]
fn a_debian_package_is_built_and_unpacked() {
    if !is_there("dpkg-deb") {
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let mut build = program(packaging("debian"));
    // This program is not shipped, so its size does not matter.
    build.env("DPKG_DEB_COMPRESSOR_TYPE", "none");
    build.arg(env!("CARGO_BIN_EXE_hab")).arg(place.path());
    let package = said(&build.output().expect("a shell"));
    let package = package.trim_end();
    let field = |name: &str| {
        let output = program("dpkg-deb").args(["--field", package, name]).output();
        said(&output.expect("dpkg-deb")).trim_end().to_owned()
    };
    assert_eq!(field("Package"), "roost");
    assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"));
    assert!(field("Depends").is_empty() || field("Depends").starts_with("libc6 (>= 2."));

    let tree = place.path().join("tree");
    let unpack = program("dpkg-deb").args(["--extract", package]).arg(&tree).output();
    said(&unpack.expect("dpkg-deb"));
    for path in [
        "usr/lib/systemd/system/hab-sup.service",
        "usr/share/bash-completion/completions/hab",
        "usr/share/doc/roost/copyright",
        "usr/share/doc/roost/examples/grafana.json",
        "usr/share/doc/roost/examples/roost.rules.yml",
        "usr/share/fish/vendor_completions.d/hab.fish",
        "usr/share/man/man1/hab.1.gz",
        "usr/share/doc/roost/changelog.gz",
        "etc/default/hab-sup",
        // The search path of Debian's zsh.
        "usr/share/zsh/vendor-completions/_hab",
    ] {
        assert!(tree.join(path).is_file(), "{path}");
    }
    let pages = tree.join("usr/share/man/man1");
    assert!(pages.join("hab-svc-load.1.gz").is_file());
    let version = program(tree.join("usr/bin/hab")).arg("--version").output().expect("it starts");
    assert!(said(&version).starts_with("hab "));
    let scripts = place.path().join("scripts");
    let unpack = program("dpkg-deb").args(["--control", package]).arg(&scripts).output();
    said(&unpack.expect("dpkg-deb"));
    for script in ["postinst", "prerm"] {
        // Without systemd there is nothing to do, which is not an error.
        let text = fs::read_to_string(scripts.join(script)).expect("a script");
        assert!(text.contains("[ -d /run/systemd/system ]"), "{text}");
        said(&program("sh").arg("-n").arg(scripts.join(script)).output().expect("a shell"));
    }
}
