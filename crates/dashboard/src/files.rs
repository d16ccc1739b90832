//! The files, and the names that they are served under.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file as it is served. Its name changes with its content.
#[derive(Debug)]
pub struct Asset {
    /// Its name without a checksum.
    name: &'static str,
    /// The name that modules import it by, for what comes from elsewhere.
    import: Option<&'static str>,
    /// Its path without the first slash, such as `assets/app.0123456789ab.js`.
    pub path: String,
    /// What `content-type` holds.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

/// A file of this crate.
struct File {
    /// Its name without a checksum, as modules of the dashboard import it.
    name: &'static str,
    /// The name that modules import it by, for what comes from elsewhere.
    import: Option<&'static str>,
    bytes: &'static [u8],
}

macro_rules! file {
    ($name:literal) => {
        File { name: $name, import: None, bytes: include_bytes!(concat!("../app/", $name)) }
    };
    ($name:literal as $import:literal) => {
        File {
            name: $name,
            import: Some($import),
            bytes: include_bytes!(concat!("../vendor/", $name)),
        }
    };
}

const FILES: &[File] = &[
    file!("api.js"),
    file!("app.js"),
    file!("availability.js"),
    file!("configuration.js"),
    file!("documents.js"),
    file!("events.js"),
    file!("figures.js"),
    file!("groups.js"),
    file!("health.js"),
    file!("icon.svg"),
    file!("incidents.js"),
    file!("lines.js"),
    file!("log.js"),
    file!("mood.js"),
    file!("parts.js"),
    file!("requests.js"),
    file!("ring.js"),
    file!("service.js"),
    file!("services.js"),
    file!("store.js"),
    file!("strip.js"),
    file!("style.css"),
    file!("supervisor.js"),
    file!("text.js"),
    file!("usage.js"),
    file!("htm.mjs" as "htm"),
    file!("preact.mjs" as "preact"),
    file!("preact-hooks.mjs" as "preact/hooks"),
    file!("signals.mjs" as "@preact/signals"),
    file!("signals-core.mjs" as "@preact/signals-core"),
    file!("uplot.js" as "uplot"),
    file!("uplot.css" as "uplot.css"),
    file!("htm.license.txt" as "htm.license"),
    file!("preact.license.txt" as "preact.license"),
    file!("signals.license.txt" as "signals.license"),
    file!("uplot.license.txt" as "uplot.license"),
];

/// Digits of the checksum in a name.
const DIGITS: usize = 12;

const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| FILES.iter().map(Asset::of).collect());

impl Asset {
    /// True for what is loaded when a page shows lines over time.
    fn is_late(&self) -> bool {
        self.import.is_some_and(|import| import.starts_with("uplot"))
    }

    fn of(&File { name, import, bytes }: &File) -> Self {
        let checksum = hex(&Sha256::digest(bytes));
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let content_type = match extension {
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "txt" => "text/plain; charset=utf-8",
            _ => SCRIPT,
        };
        let path = format!("assets/{stem}.{}.{extension}", &checksum[..DIGITS]);
        Self { name, import, path, content_type, bytes }
    }
}

/// All files. Each may be kept for good under its path.
pub fn assets() -> impl Iterator<Item = &'static Asset> {
    ASSETS.iter()
}

/// Paths of the modules that every page needs, without the first slash.
pub(crate) fn modules() -> impl Iterator<Item = &'static str> {
    let needed = assets().filter(|asset| asset.content_type == SCRIPT && !asset.is_late());
    needed.map(|asset| asset.path.as_str())
}

/// The path of a file, without the first slash.
pub(crate) fn path_of(name: &str) -> &'static str {
    assets().find(|asset| asset.name == name).map_or("", |asset| &asset.path)
}

/// The import map: which file a module means by the name of another.
pub(crate) fn imports() -> String {
    let is_named = |asset: &&Asset| asset.content_type == SCRIPT || asset.import.is_some();
    let modules = assets().filter(is_named);
    let named = modules.map(|Asset { name, import, path, .. }| {
        let import = import.map_or_else(|| format!("./assets/{name}"), str::to_owned);
        (import, serde_json::Value::from(format!("./{path}")))
    });
    let imports: serde_json::Map<_, _> = named.collect();
    serde_json::json!({ "imports": imports }).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vendor {
        file: Vec<Part>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        name: String,
        import: Option<String>,
        package: String,
        version: String,
        source: String,
        license: String,
        folder: Option<String>,
        sha256: String,
    }

    impl Part {
        fn folder(&self) -> &str {
            self.folder.as_deref().unwrap_or("vendor")
        }
    }

    fn names_in(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file"));
        entries.map(|entry| entry.file_name().into_string().expect("a name")).collect()
    }

    #[test]
    fn vendored_files_are_those_of_the_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let list: Vendor = toml::from_str(include_str!("../vendor.toml")).expect("vendor.toml");
        for folder in ["vendor", "checks"] {
            let listed = list.file.iter().filter(|part| part.folder() == folder);
            let listed: BTreeSet<String> = listed.map(|part| part.name.clone()).collect();
            assert_eq!(names_in(folder), listed);
        }
        for part in &list.file {
            let content = fs::read(root.join(part.folder()).join(&part.name)).expect("a file");
            assert_eq!(hex(&Sha256::digest(&content)), part.sha256, "{}", part.name);
            // What is no part of the program may be under others.
            let allowed: &[&str] = match part.folder() {
                "vendor" => &["MIT", "Apache-2.0"],
                _ => &["MPL-2.0"],
            };
            assert!(allowed.contains(&part.license.as_str()), "{}", part.license);
            assert!(![&part.package, &part.version, &part.source].iter().any(|it| it.is_empty()));
            if let Some(import) = &part.import {
                let file = FILES.iter().find(|file| file.name == part.name).expect("served");
                assert_eq!(file.import, Some(import.as_str()));
                assert_eq!(file.bytes, content);
            }
        }
    }

    #[test]
    fn every_file_of_the_dashboard_is_served() {
        let served = FILES.iter().filter(|file| file.import.is_none());
        let served: BTreeSet<String> = served.map(|file| file.name.to_owned()).collect();
        assert_eq!(names_in("app"), served);
    }

    #[test]
    fn the_dashboard_is_small_and_loads_nothing_from_elsewhere() {
        let length: usize = FILES.iter().map(|file| file.bytes.len()).sum();
        assert!(length < 240 * 1024, "{length} bytes before compression");
        for file in FILES.iter().filter(|file| file.import.is_none()) {
            let text = std::str::from_utf8(file.bytes).expect("UTF-8");
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for word in ["http://", "https://", "innerHTML", "document.write", "eval("] {
                assert!(!text.contains(word), "{} contains {word}", file.name);
            }
            for import in text.split("from \"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let is_known = FILES.iter().any(|other| {
                    other.import == Some(import) || import.strip_prefix("./") == Some(other.name)
                });
                assert!(is_known, "{} imports {import}", file.name);
            }
        }
    }

    #[test]
    fn a_path_names_one_content() {
        let path = path_of("app.js");
        let found = assets().find(|asset| asset.path == path).expect("the file");
        assert_eq!(found.bytes, include_bytes!("../app/app.js"));
        assert_eq!(found.content_type, SCRIPT);
        assert_eq!(path.len(), "assets/app..js".len() + DIGITS);
        assert!(imports().contains(&format!("\"./assets/app.js\":\"./{path}\"")), "{}", imports());
    }
}
