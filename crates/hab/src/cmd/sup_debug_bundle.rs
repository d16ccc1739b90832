//! `hab sup debug-bundle`: one archive with what a report about this machine needs. Each part is
//! limited in time and size, so that a Supervisor that hangs, or a dead disk, costs only its part;
//! the manifest names what is missing and why.
//!
//! No value of a configuration, environment, command line or key is taken: they may be secrets.

mod machine;

use std::{
    fs::OpenOptions,
    io::Write,
    ops::ControlFlow,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use roost_ident::time::rfc3339_s;
use roost_logs::{Selection, directory_of};
use roost_sup::lines::{Form, Printer};

use crate::{
    cli::Run,
    clock,
    context::Context,
    exit::Exit,
    gateway::{Client, Target, escape},
};

/// Longest wait for a part.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest part; what is longer loses its beginning (lines) or its end.
const PART_BYTES_MAX: usize = 2 << 20;
/// Lines of each service.
const LINES: usize = 2_000;
/// Most services that parts of their own are made of.
const SERVICES_MAX: usize = 200;
/// The mode of the archive: what services printed is private.
const MODE: u32 = 0o600;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The archive; it must not exist [default: hab-debug-TIME.tar.gz]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What is collected.
#[derive(Default)]
struct Bundle {
    parts: Vec<Part>,
    missing: Vec<String>,
    /// The Supervisor did not answer a request: the others are not sent.
    is_silent: bool,
}

struct Part {
    name: String,
    bytes: Vec<u8>,
}

type Content = anyhow::Result<Vec<u8>>;

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let now_ms = clock::unix_ms();
        let time = rfc3339_s(now_ms);
        let path = self.output.clone().unwrap_or_else(|| {
            PathBuf::from(format!("hab-debug-{}.tar.gz", time.replace([':', '-'], "")))
        });
        // First, so that nothing is collected in vain.
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(MODE).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        let mut bundle = Bundle::default();
        bundle.ask(self.target.client(context));
        if self.target.is_elsewhere() {
            bundle.miss("lines, specs, processes", "--url names another Supervisor");
        } else {
            bundle.read_root(context);
        }
        let manifest = bundle.manifest(&time);
        bundle.parts.insert(0, Part { name: "MANIFEST".into(), bytes: manifest.into_bytes() });
        write(file, &bundle.parts, now_ms / 1_000)
            .with_context(|| format!("cannot write {}", path.display()))?;
        context.ui.info(&format!("{} has {} parts", path.display(), bundle.parts.len()));
        for missing in &bundle.missing {
            context.ui.info(&format!("missing: {missing}"));
        }
        Ok(Exit::Success)
    }
}

impl Bundle {
    fn miss(&mut self, name: &str, why: impl std::fmt::Display) {
        self.missing.push(format!("{name}: {why}"));
    }

    fn take(&mut self, name: &str, content: Content) {
        match content {
            Ok(mut bytes) => {
                bytes.truncate(PART_BYTES_MAX);
                self.parts.push(Part { name: name.into(), bytes });
            }
            Err(error) => self.miss(name, format!("{error:#}")),
        }
    }

    /// A part that is read beside this thread, which waits for a limited time: a file system that
    /// does not answer cannot be interrupted.
    fn read(&mut self, name: &str, read: impl FnOnce() -> Content + Send + 'static) {
        let (send, receive) = mpsc::channel();
        thread::spawn(move || drop(send.send(read())));
        let content = receive.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            Err(anyhow::anyhow!("it took longer than {} s", PATIENCE.as_secs()))
        });
        self.take(name, content);
    }

    /// What the Supervisor answers. Of configurations only keys are taken.
    fn ask(&mut self, client: anyhow::Result<Client>) {
        let client = match client {
            Ok(client) => client,
            Err(error) => return self.miss("api", format!("{error:#}")),
        };
        let services = match client.json("/v1/services", &[("limit", "1000")]) {
            Ok(services) => services,
            Err(error) => return self.miss("api", format!("{error:#}")),
        };
        self.take("api/services.json", Ok(format!("{services:#}\n").into_bytes()));
        for (name, path, query) in [
            ("supervisor.json", "/v1/supervisor", None),
            ("livez.txt", "/livez", Some(("verbose", "true"))),
            ("readyz.txt", "/readyz", Some(("verbose", "true"))),
            ("metrics.txt", "/metrics", None),
            ("events.json", "/v1/events", Some(("limit", "1000"))),
        ] {
            self.get(&client, name, path, query);
        }
        let items = services["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids = items.iter().filter_map(|service| service["id"].as_str());
        for id in ids.take(SERVICES_MAX) {
            let path = format!("/v1/services/{}", escape(id));
            for (name, rest) in [("service", ""), ("explain", "/explain"), ("stats", "/stats")] {
                let name = format!("{}/{name}.json", plain(id));
                self.get(&client, &name, &format!("{path}{rest}"), None);
            }
            if !self.is_silent {
                let keys =
                    client.json(&format!("{path}/config"), &[]).map(|document| keys_of(&document));
                self.take(&format!("api/{}/config-keys.txt", plain(id)), keys);
            }
        }
    }

    fn get(&mut self, client: &Client, name: &str, path: &str, query: Option<(&str, &str)>) {
        if self.is_silent {
            return self.miss(&format!("api/{name}"), "the Supervisor did not answer before");
        }
        let answer = client.get(path, query.as_slice());
        self.is_silent = answer.is_err();
        let content = answer.and_then(|answer| match answer.status {
            200 | 503 => Ok(answer.body.into_bytes()),
            status => Err(anyhow::anyhow!("HTTP {status}")),
        });
        self.take(&format!("api/{name}"), content);
    }

    /// What the files of this root and the kernel show.
    fn read_root(&mut self, context: &Context) {
        let root = context.root.path().to_owned();
        let specs = context.root.sup().specs();
        self.read("specs.txt", move || machine::specs(&specs));
        for group in roost_logs::groups(&root).unwrap_or_default().into_iter().take(SERVICES_MAX) {
            let (name, root) = (format!("lines/{}.txt", plain(&group)), root.clone());
            self.read(&name, move || lines(&root, &group));
        }
        let at = root.clone();
        self.read("processes.txt", move || machine::processes(&at));
        self.read("machine.txt", machine::figures);
        self.read("disk.txt", move || machine::disk(&root));
    }

    fn manifest(&self, time: &str) -> String {
        let mut text = format!("hab {}, {time}\n\nParts:\n", roost_sup::VERSION);
        for part in &self.parts {
            text.push_str(&format!("  {} ({} bytes)\n", part.name, part.bytes.len()));
        }
        text.push_str("\nMissing, and why:\n");
        for missing in &self.missing {
            text.push_str(&format!("  {}\n", roost_text::shown(missing)));
        }
        text.push_str(
            "\nLeft out on purpose: values of configurations, environment, command lines, keys, tokens.\n\
             The lines of services are what they printed, unchanged.\n",
        );
        text
    }
}

/// The keys of a configuration with the layers that their values come from. A value may be a
/// secret whatever its key is.
fn keys_of(document: &serde_json::Value) -> Vec<u8> {
    let values = document["values"].as_array().cloned().unwrap_or_default();
    let line = |value: &serde_json::Value| {
        let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        format!("{} from {}\n", word("key"), word("layer"))
    };
    values.iter().map(line).collect::<String>().into_bytes()
}

/// The newest lines of a service.
fn lines(root: &Path, group: &str) -> Content {
    let directory = directory_of(root, group).context("not a plain name")?;
    let (mut printer, mut text) = (Printer::new(Form::Text), Vec::new());
    let newest = Selection { tail: Some(LINES), ..Selection::default() };
    roost_logs::read(&directory, &newest, |record| {
        text.extend_from_slice(printer.text(&record).as_bytes());
        // The newest are worth most.
        if text.len() > 2 * PART_BYTES_MAX {
            text.drain(..text.len() - PART_BYTES_MAX);
        }
        ControlFlow::Continue(())
    })?;
    text.drain(..text.len().saturating_sub(PART_BYTES_MAX));
    Ok(text)
}

/// A name that is one component of a path, whatever it came from.
fn plain(name: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    let name: String = name.chars().map(|c| if is_fine(c) { c } else { '_' }).collect();
    name.trim_start_matches('.').chars().take(100).collect()
}

fn write(file: std::fs::File, parts: &[Part], mtime: u64) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for Part { name, bytes } in parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(MODE);
        header.set_mtime(mtime);
        archive.append_data(&mut header, format!("hab-debug/{name}"), bytes.as_slice())?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}

/// A document's text, for the parts that are made of several.
fn titled(out: &mut Vec<u8>, title: &str, content: &[u8]) {
    out.extend_from_slice(format!("== {title}\n").as_bytes());
    out.extend_from_slice(content);
    if content.last() != Some(&b'\n') {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_stay_within_the_archive() {
        for (name, expected) in
            [("web.default@acme", "web.default@acme"), ("../../x", "_.._x"), ("a/b\n", "a_b_")]
        {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn a_part_that_hangs_is_missing_with_its_reason_and_others_are_there() {
        let mut bundle = Bundle::default();
        bundle.read("fine", || Ok(b"x".to_vec()));
        bundle.read("broken", || anyhow::bail!("no such thing"));
        assert_eq!(bundle.parts.len(), 1);
        assert_eq!(bundle.missing, ["broken: no such thing"]);
        assert!(bundle.manifest("now").contains("  broken: no such thing\n"));
    }
}
