//! `monitor.toml`: the template of the package, and the user's over it.
//!
//! Both are rendered with every rendering of the service. An error is a condition of the service:
//! of the package's file the former content stays in force, of the user's the last copy that could
//! be used, which outlives the Supervisor.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use roost_files::{Durability, read_text, replace};
use roost_pkg::FsRoot;
use roost_service::{
    MonitorRead,
    monitor::{Fault, Layer, MONITOR_SIZE_MAX_BYTES},
};
use roost_template::TemplateSet;
use serde_json::Value;

use super::built::Places;

const FILE: &str = "monitor.toml";

/// Where the settings of one service come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The template of the package, or why it cannot be used.
    package: Result<Option<TemplateSet>, String>,
    places: Places,
    root: String,
    user: PathBuf,
    copy: PathBuf,
}

impl Source {
    /// Reads the template of a package from this directory.
    pub(crate) fn read(root: &FsRoot, service: &str, source: &Path, places: &Places) -> Self {
        let root_text = root.path().display().to_string();
        let package = read_text(&source.join(FILE), MONITOR_SIZE_MAX_BYTES)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                let set = text.map(|text| compile(&root_text, text));
                set.transpose().map_err(|error| places.unparsed(FILE, &error))
            });
        Self {
            package,
            places: places.clone(),
            root: root_text,
            user: root.user_monitor(service),
            copy: root.sup().monitor_copy(service),
        }
    }

    /// What is wrong with the package's file.
    pub(crate) fn check(&self, context: &Value) -> Result<(), String> {
        self.package_layer(context).map(drop)
    }

    /// How the service is to be watched.
    pub(crate) fn render(&self, context: &Value) -> MonitorRead {
        let package = match self.package_layer(context) {
            Ok(package) => package,
            Err(error) => {
                return MonitorRead { monitor: None, fault: Some(not_in_force(&error)) };
            }
        };
        let (user, fault) = match self.user_layer(context) {
            Ok((text, layer)) => {
                self.keep(text.as_deref());
                (layer, None)
            }
            Err(error) => (self.kept(), Some(not_in_force(&error))),
        };
        let layer = match (user, package) {
            (Some(user), Some(package)) => user.over(package),
            (Some(layer), None) | (None, Some(layer)) => layer,
            (None, None) => Layer::default(),
        };
        MonitorRead { monitor: Some(Arc::new(layer.monitor())), fault }
    }

    fn package_layer(&self, context: &Value) -> Result<Option<Layer>, String> {
        let Some(set) = self.package.as_ref().map_err(Clone::clone)? else { return Ok(None) };
        let text =
            set.render(FILE, context).map_err(|error| self.places.unrendered(FILE, &error))?;
        parse(&text, &self.places.name(FILE, None)).map(Some)
    }

    /// The rendered text and what is in it.
    fn user_layer(&self, context: &Value) -> Result<(Option<String>, Option<Layer>), String> {
        let text =
            read_text(&self.user, MONITOR_SIZE_MAX_BYTES).map_err(|error| error.to_string())?;
        let Some(text) = text else { return Ok((None, None)) };
        let path = self.user.display().to_string();
        let named = |position: Option<(usize, usize)>| {
            let place = position.map(|(line, column)| format!(":{line}:{column}"));
            format!("{path}{}", place.unwrap_or_default())
        };
        let set = compile(&self.root, text)
            .map_err(|error| format!("{}: {}", named(error.position()), error.reason()))?;
        let text = set
            .render(FILE, context)
            .map_err(|error| format!("{}: {}", named(error.position), error.explanation))?;
        let layer = parse(&text, &path)?;
        Ok((Some(text), Some(layer)))
    }

    /// The last copy that could be used.
    fn kept(&self) -> Option<Layer> {
        let text = read_text(&self.copy, MONITOR_SIZE_MAX_BYTES).ok().flatten()?;
        Layer::parse(&text).ok()
    }

    /// Keeps a copy. Without one, an error in the file costs the user's settings at the next start
    /// of a Supervisor, so a full disk does not make them be refused now.
    fn keep(&self, text: Option<&str>) {
        let kept = read_text(&self.copy, MONITOR_SIZE_MAX_BYTES).ok().flatten();
        if kept.as_deref() == text {
            return;
        }
        let written = match text {
            Some(text) => replace(&self.copy, text.as_bytes(), 0o600, Durability::Cache),
            None => fs::remove_file(&self.copy),
        };
        if let Err(error) = written {
            tracing::warn!("Unable to keep a copy of {}: {error}", self.user.display());
        }
    }
}

fn compile(root: &str, text: String) -> Result<TemplateSet, roost_template::TemplateError> {
    TemplateSet::with_root(root, [(FILE.to_owned(), text)])
}

fn parse(text: &str, path: &str) -> Result<Layer, String> {
    Layer::parse(text).map_err(|Fault { line, text }| format!("{path}:{line}: {text}"))
}

fn not_in_force(error: &str) -> String {
    format!("{error}; until that is corrected, the last content without an error stays in force")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    struct Place {
        directory: tempfile::TempDir,
        root: FsRoot,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let root = FsRoot::new(directory.path().into()).expect("absolute");
            for path in [root.user_monitor("web"), root.sup().monitor_copy("web")] {
                fs::create_dir_all(path.parent().expect("one")).expect("made");
            }
            Self { directory, root }
        }

        fn package(&self, text: &str) {
            fs::write(self.directory.path().join(FILE), text).expect("written");
        }

        fn user(&self, text: &str) {
            fs::write(self.root.user_monitor("web"), text).expect("written");
        }

        fn read(&self) -> MonitorRead {
            let places = Places::of(self.directory.path().into());
            let source = Source::read(&self.root, "web", self.directory.path(), &places);
            source.render(&json!({"cfg": {"port": 80}}))
        }
    }

    const PORT: &str = "[[check]]\nname = \"p\"\ntcp = \"127.0.0.1:{{cfg.port}}\"\n";

    #[test]
    fn the_user_lies_over_the_package_and_both_are_templates() {
        let place = Place::new();
        assert_eq!(place.read().monitor, Some(Arc::default()));
        place.package(PORT);
        place.user("[health]\nrestart_after = {{cfg.port}}\n");
        let read = place.read();
        let monitor = read.monitor.expect("fine");
        assert_eq!((monitor.rule.restart_after, monitor.probes.len()), (80, 1));
        assert_eq!(read.fault, None);
    }

    #[test]
    fn an_error_of_the_user_costs_only_the_change() {
        let place = Place::new();
        place.package(PORT);
        place.user("[health]\nrestart_after = 3\n");
        place.read();
        place.user("[health]\n\nrestart_after = -3\n");
        let read = place.read();
        assert_eq!(read.monitor.expect("the copy").rule.restart_after, 3);
        let fault = read.fault.expect("an error");
        assert!(fault.contains("hab/user/web/monitor.toml:3: restart_after = -3; use"), "{fault}");
        fs::remove_file(place.root.user_monitor("web")).expect("removed");
        let read = place.read();
        assert_eq!((read.monitor.expect("fine").rule.restart_after, read.fault), (0, None));
    }

    #[test]
    fn an_error_of_the_package_names_the_file_and_keeps_the_former_content() {
        let place = Place::new();
        for (text, part) in [
            ("a = = 1\n", "monitor.toml:1: "),
            ("{{#if}}\n", "monitor.toml:1:"),
            ("[[check]]\nname = \"{{nothing.here}}\"\n", "monitor.toml:2: a name has"),
        ] {
            place.package(text);
            let read = place.read();
            assert_eq!(read.monitor, None, "{text}");
            let fault = read.fault.expect("an error");
            assert!(fault.contains(part) && fault.contains("stays in force"), "{fault}");
        }
    }

    #[test]
    fn what_is_no_small_text_file_is_refused() {
        let place = Place::new();
        let file = place.root.user_monitor("web");
        place.user(&"#".repeat(1 << 20));
        assert!(place.read().fault.is_some_and(|fault| fault.contains("larger than 65536 bytes")));
        fs::write(&file, b"\n\xff").expect("written");
        assert!(place.read().fault.is_some_and(|fault| fault.contains("monitor.toml:2")));
        fs::remove_file(&file).expect("removed");
        symlink("/dev/zero", &file).expect("linked");
        assert!(place.read().fault.is_some_and(|fault| fault.contains("not a regular file")));
        fs::remove_file(&file).expect("removed");
        symlink(&file, &file).expect("linked");
        assert!(place.read().fault.is_some());
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("made");
        assert!(place.read().fault.is_some_and(|fault| fault.contains("directory")));
    }
}
