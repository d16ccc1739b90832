//! Exports: tars and container images.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::building::{Machine, archive, public_key, two_archives};

/// The smallest ELF head without a loader represents a static program.
fn static_program(machine: &Machine) {
    let mut program = vec![0; 4096];
    program[..6].copy_from_slice(b"\x7fELF\x02\x01");
    fs::write(machine.path().join("static"), &program).expect("written");
}

/// Names of the entries of a tar.
fn names(tar: impl Read) -> BTreeSet<String> {
    let mut tar = tar::Archive::new(tar);
    let entries = tar.entries().expect("a tar").map(|entry| {
        entry.expect("an entry").path().expect("a path").to_string_lossy().into_owned()
    });
    entries.collect()
}

#[test]
fn an_image_has_what_its_index_says() {
    let machine = Machine::new();
    machine.service("web");
    machine.hab(&["pkg", "build", "web", "--release", "20250101000000"]);
    machine.hab(&["pkg", "install", archive(&machine).to_str().expect("text")]);
    static_program(&machine);
    let export = ["pkg", "export", "container", "acme/web", "--program", "static", "-o"];
    machine.hab(&[export.as_slice(), &["image"]].concat());
    let image = Image::read(machine.path().join("image"));
    let config = &image.config;
    assert_eq!(config["config"]["Entrypoint"][0], "/bin/hab");
    assert_eq!(config["config"]["Cmd"][0], "acme/web/1.0/20250101000000");
    assert_eq!(config["rootfs"]["diff_ids"][0], image.manifest["layers"][0]["digest"]);
    let names = names(image.layer().as_slice());
    for name in ["bin/hab", "etc/passwd", "hab/pkgs/acme/web/1.0/20250101000000/hooks/run"] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
    assert!(!names.iter().any(|name| name.ends_with("INSTALL_HOOK_STATUS")));
    // The same again, as a tar.
    machine.hab(&[export.as_slice(), &["image.tar"]].concat());
    machine.hab(&[export.as_slice(), &["again.tar"]].concat());
    let tar = |name: &str| fs::read(machine.path().join(name)).expect(name);
    assert!(tar("image.tar") == tar("again.tar"));
    let text = machine.refused(&["pkg", "export", "container", "acme/web", "-o", "image"]);
    assert!(text.contains("shared libraries") || text.contains("already"), "{text}");
    machine.hab(&["pkg", "export", "tar", "acme/web", "-o", "web.tar.gz"]);
    assert!(tar("web.tar.gz").starts_with(&[0x1f, 0x8b]));
}

#[test]
fn an_export_of_archives_needs_no_installation_and_leaves_nothing_beside_it() {
    let (built, app) = two_archives();
    let machine = Machine::new();
    fs::create_dir(machine.path().join("out")).expect("a directory");
    machine.trust(&public_key(&built));
    let hart = app.to_str().expect("text");
    machine.hab(&["pkg", "export", "tar", hart, "-o", "out/app.tar.gz"]);
    let gzip = fs::File::open(machine.path().join("out/app.tar.gz")).expect("an export");
    let names = names(flate2::read::GzDecoder::new(gzip));
    for name in ["acme/app/2.0/20250101000001/hooks/run", "acme/lib/1.0/20250101000000/bin/tool"] {
        assert!(names.contains(&format!("hab/pkgs/{name}")), "{name} is not in {names:?}");
    }
    static_program(&machine);
    let export = ["pkg", "export", "container", hart, "--program", "static", "-o", "out/image"];
    machine.hab(&export);
    let made = fs::read_dir(machine.path().join("out")).expect("exports").count();
    assert_eq!(made, 2, "something lies beside the exports");
    assert!(!machine.root().join("hab/pkgs").exists());
    // An archive of an untrusted signer is not exported.
    let machine = Machine::new();
    let text = machine.refused(&["pkg", "export", "tar", hart, "-o", "other.tar.gz"]);
    assert!(text.contains("hab origin key import < acme-"), "{text}");
    assert!(!machine.path().join("other.tar.gz").exists());
}

/// What the image specification of the OCI (1.1) requires of the documents of a layout.
fn schema(document: &str) -> Value {
    let media_type =
        "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$";
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let list = json!({"type": "array", "items": {"type": "string"}});
    let descriptor = json!({
        "type": "object",
        "required": ["mediaType", "digest", "size"],
        "properties": {
            "mediaType": {"type": "string", "pattern": media_type},
            "digest": {"type": "string", "pattern": "^sha256:[a-f0-9]{64}$"},
            "size": {"type": "integer", "minimum": 0},
            "annotations": texts,
        },
    });
    let list_of = |name: &str, kind: &str| {
        json!({
            "type": "object",
            "required": ["schemaVersion", name],
            "properties": {
                "schemaVersion": {"const": 2},
                "mediaType": {"const": format!("application/vnd.oci.image.{kind}.v1+json")},
                "annotations": texts,
                "config": descriptor,
                name: {"type": "array", "minItems": 1, "items": descriptor},
            },
        })
    };
    match document {
        "oci-layout" => json!({
            "type": "object",
            "required": ["imageLayoutVersion"],
            "properties": {"imageLayoutVersion": {"const": "1.0.0"}},
        }),
        "index" => list_of("manifests", "index"),
        "manifest" => {
            let mut schema = list_of("layers", "manifest");
            schema["required"] = json!(["schemaVersion", "config", "layers"]);
            schema
        }
        "config" => json!({
            "type": "object",
            "required": ["architecture", "os", "rootfs"],
            "properties": {
                "created": {
                    "type": "string",
                    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$",
                },
                "architecture": {"enum": ["amd64", "arm64"]},
                "os": {"const": "linux"},
                "config": {
                    "type": "object",
                    "properties": {
                        "ExposedPorts": {
                            "type": "object",
                            "patternProperties": {"^[0-9]{1,5}/(tcp|udp)$": {"const": {}}},
                            "additionalProperties": false,
                        },
                        "Env": {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}},
                        "Entrypoint": list,
                        "Cmd": list,
                        "WorkingDir": {"type": "string", "pattern": "^/"},
                        "StopSignal": {"type": "string", "pattern": "^SIG[A-Z0-9+-]+$"},
                        "Labels": texts,
                    },
                    "additionalProperties": false,
                },
                "rootfs": {
                    "type": "object",
                    "required": ["type", "diff_ids"],
                    "properties": {
                        "type": {"const": "layers"},
                        "diff_ids": {
                            "type": "array",
                            "items": {"type": "string", "pattern": "^sha256:[a-f0-9]{64}$"},
                        },
                    },
                },
                "history": {"type": "array", "items": texts},
            },
            "additionalProperties": false,
        }),
        other => panic!("no schema for {other}"),
    }
}

fn check(document: &str, content: &Value) {
    let validator = jsonschema::draft202012::new(&schema(document)).expect("a schema");
    let faults: Vec<_> = validator.iter_errors(content).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{document}: {faults:?} in {content}");
}

/// An image with its documents as read from the files that the index leads to.
struct Image {
    path: PathBuf,
    config: Value,
    manifest: Value,
}

impl Image {
    /// Reads a layout; each blob has the size and the hash that its descriptor says.
    fn read(path: PathBuf) -> Self {
        let json = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).expect("JSON");
        let file = |name: &str| json(fs::read(path.join(name)).expect(name));
        check("oci-layout", &file("oci-layout"));
        let index = file("index.json");
        check("index", &index);
        let manifest = json(blob(&path, &index["manifests"][0]));
        check("manifest", &manifest);
        let config = json(blob(&path, &manifest["config"]));
        check("config", &config);
        Self { config, manifest, path }
    }

    /// The file system, as a tar.
    fn layer(&self) -> Vec<u8> {
        blob(&self.path, &self.manifest["layers"][0])
    }
}

fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().and_then(|text| text.strip_prefix("sha256:"));
    let digest = digest.expect("SHA-256");
    let bytes = fs::read(layout.join("blobs/sha256").join(digest)).expect(digest);
    assert_eq!(descriptor["size"], bytes.len());
    let hash: String =
        sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, digest);
    bytes
}

/// Whether the library of podman and CRI-O (containers/image) takes the image in each of its forms:
/// it reads every document and compares every blob with its digest.
#[test]
fn skopeo_copies_an_image_from_each_form() {
    let there = Command::new("skopeo").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return testkit::skip("no skopeo");
    }
    let machine = Machine::new();
    machine.service("web");
    machine.hab(&["pkg", "build", "web", "--release", "20250101000000"]);
    let hart = archive(&machine);
    let hart = hart.to_str().expect("text");
    static_program(&machine);
    for output in ["image", "image.tar"] {
        let tag = ["-t", "acme/web:1", "-o", output];
        let export = ["pkg", "export", "container", hart, "--program", "static"];
        machine.hab(&[export.as_slice(), &tag].concat());
    }
    for form in ["oci:image", "oci-archive:image.tar", "docker-archive:image.tar"] {
        let copy = format!("dir:{}", form.replace(':', "-of-"));
        let output = Command::new("skopeo")
            .args(["--insecure-policy", "copy", form, &copy])
            .current_dir(machine.path())
            .output()
            .expect("skopeo starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{form}: {errors}");
    }
}

/// A `hab` that needs no libraries: `ROOST_STATIC_HAB`, or one built for musl beside this one.
fn static_hab() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ROOST_STATIC_HAB") {
        return Some(path.into());
    }
    let profile = Path::new(env!("CARGO_BIN_EXE_hab")).parent()?;
    let target = profile.parent()?.join("x86_64-unknown-linux-musl");
    Some(target.join(profile.file_name()?).join("hab")).filter(|path| path.is_file())
}

/// Copies the shell of this machine, in the place of a package that brings one.
fn bring_shell(rootfs: &Path) {
    let libraries = Command::new("ldd").arg("/bin/sh").output().expect("ldd").stdout;
    let libraries = String::from_utf8(libraries).expect("text");
    let paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    for path in paths.chain(["/bin/sh"]) {
        let place = rootfs.join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a parent")).expect("directories");
        fs::copy(path, place).expect("copied");
    }
}

/// What a container engine adds to an image before it starts process 1.
const INSIDE: &str = r#"set -e
root=$1; shift
mkdir "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec env -i "PATH=$IMAGE_PATH" /usr/sbin/chroot "$root" "$@"
"#;

/// The root file system of an image, in namespaces of its own: process 1 runs the service.
#[test]
fn an_image_runs_its_service_as_process_1() {
    let Some(program) = static_hab() else {
        return testkit::skip("no static hab: build one for musl, or name it in ROOST_STATIC_HAB");
    };
    let isolated = Command::new("unshare").args(["-mpf", "true"]).status();
    if !isolated.is_ok_and(|status| status.success()) {
        return testkit::skip("unshare may not make namespaces here: it needs root");
    }
    let machine = Machine::new();
    machine.write(
        "web/plan.sh",
        "pkg_name=web\npkg_origin=acme\npkg_version=1.0\npkg_svc_user=root\npkg_svc_group=root\n",
    );
    machine.write("web/hooks/run", "#!/bin/sh\necho running as $$\nexec /bin/hab pkg path x/y\n");
    machine.hab(&["pkg", "build", "web", "--release", "20250101000000"]);
    let hart = archive(&machine);
    let program = program.to_str().expect("text").to_owned();
    let hart = hart.to_str().expect("text");
    machine.hab(&["pkg", "export", "container", hart, "--program", &program, "-o", "image"]);
    let image = Image::read(machine.path().join("image"));
    let rootfs = machine.path().join("rootfs");
    tar::Archive::new(image.layer().as_slice()).unpack(&rootfs).expect("a root file system");
    bring_shell(&rootfs);
    let words = |key: &str| {
        let list = image.config["config"][key].as_array().cloned().unwrap_or_default();
        list.iter().map(|word| word.as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let address = testkit::own_address(1);
    let port = testkit::free_ports(&[address]);
    let listen = |option: &str, port: u16| [option.to_owned(), format!("{address}:{port}")];
    let mut child = Command::new("unshare")
        .args(["-mpf", "--kill-child", "sh", "-c", INSIDE, "sh"])
        .arg(&rootfs)
        .args(words("Entrypoint"))
        .args(words("Cmd"))
        .args(listen("--listen-http", port))
        .args(listen("--listen-ctl", port + 1))
        .args(listen("--listen-gossip", port + 2))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("IMAGE_PATH", words("Env")[0].trim_start_matches("PATH="))
        .stdout(fs::File::create(machine.path().join("log")).expect("a log"))
        .stderr(Stdio::null())
        .spawn()
        .expect("unshare starts");
    let log = || fs::read_to_string(machine.path().join("log")).unwrap_or_default();
    let http = std::net::SocketAddr::from((address, port));
    let request = format!("GET /services/web/default HTTP/1.1\r\nhost: {http}\r\n\r\n");
    let found = std::panic::catch_unwind(|| {
        testkit::wait_for("the service in the image", || {
            let answer = testkit::request(http, request.as_bytes())?;
            let up = log().contains("web.default(O): running as ");
            (answer.status() == 200 && up).then(|| answer.json())
        })
    });
    child.kill().expect("it lives");
    child.wait().expect("an end");
    let service = found.unwrap_or_else(|_| panic!("{}", log()));
    assert_eq!(service["pkg"]["ident"], "acme/web/1.0/20250101000000");
}
