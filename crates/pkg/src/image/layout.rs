//! The files of an OCI image layout: blobs named by their SHA-256, and the index files.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use roost_ident::{PackageTarget, time};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Image, ImageError, ImageOptions, layer, stamp_s};

const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
/// Ports of the Supervisor itself.
const OWN_PORTS: [&str; 3] = ["9631/tcp", "9638/tcp", "9638/udp"];

/// Writes all files of the layout.
pub(super) fn write(directory: &Path, options: &ImageOptions<'_>) -> Result<Image, ImageError> {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(|error| ImageError::io(&blobs, error))?;
    let layer = write_layer(&blobs, options)?;
    let config = blob(&blobs, CONFIG_TYPE, &config(options, &layer))?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    let manifest = blob(&blobs, MANIFEST_TYPE, &manifest)?;
    let mut descriptor = manifest.descriptor();
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": options.reference});
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [descriptor],
    });
    put(directory, "index.json", &index)?;
    put(directory, "oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
    // Every version of `docker load` reads this file.
    let docker = json!([{
        "Config": config.path(),
        "RepoTags": [options.reference],
        "Layers": [layer.path()],
    }]);
    put(directory, "manifest.json", &docker)?;
    Ok(Image { digest: manifest.digest() })
}

/// Packs a layout into a tar archive.
pub(super) fn pack(directory: &Path, path: &Path, mtime_s: u64) -> Result<(), ImageError> {
    let failed = |error| ImageError::io(path, error);
    let mut tar = tar::Builder::new(BufWriter::new(File::create(path).map_err(failed)?));
    for name in ["blobs", "blobs/sha256"] {
        layer::directory(&mut tar, Path::new(name), 0o755, mtime_s).map_err(failed)?;
    }
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(directory.join("blobs/sha256")).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.push(format!("blobs/sha256/{}", name.to_string_lossy()));
    }
    names.extend(["index.json", "manifest.json", "oci-layout"].map(str::to_owned));
    names.sort();
    for name in names {
        let content = File::open(directory.join(&name)).map_err(failed)?;
        let size = content.metadata().map_err(failed)?.len();
        layer::file(&mut tar, &name, content, size, 0o644, mtime_s).map_err(failed)?;
    }
    let out = tar.into_inner().map_err(failed)?;
    let out = out.into_inner().map_err(|error| failed(error.into_error()))?;
    out.sync_all().map_err(failed)
}

/// A blob that is written.
struct Blob {
    kind: &'static str,
    hash: String,
    size: u64,
}

impl Blob {
    fn digest(&self) -> String {
        format!("sha256:{}", self.hash)
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.hash)
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.kind, "digest": self.digest(), "size": self.size})
    }
}

fn blob(blobs: &Path, kind: &'static str, content: &Value) -> Result<Blob, ImageError> {
    let text = content.to_string();
    let hash = hex(&Sha256::digest(&text));
    let path = blobs.join(&hash);
    fs::write(&path, &text).map_err(|error| ImageError::io(&path, error))?;
    Ok(Blob { kind, hash, size: text.len() as u64 })
}

fn write_layer(blobs: &Path, options: &ImageOptions<'_>) -> Result<Blob, ImageError> {
    let path = blobs.join(".layer");
    let failed = |error| ImageError::io(&path, error);
    let file = BufWriter::with_capacity(256 * 1024, File::create(&path).map_err(failed)?);
    let hashing = Hashing { inner: file, hash: Sha256::new(), size: 0 };
    let Hashing { mut inner, hash, size } = layer::write(hashing, options, &path)?;
    inner.flush().map_err(failed)?;
    let hash = hex(&hash.finalize());
    fs::rename(&path, blobs.join(&hash)).map_err(failed)?;
    Ok(Blob { kind: LAYER_TYPE, hash, size })
}

/// The image configuration: how to run it.
fn config(options: &ImageOptions<'_>, layer: &Blob) -> Value {
    let created = time::rfc3339_s(stamp_s(options).saturating_mul(1000));
    let target = PackageTarget::active().to_string();
    let architecture = if target.starts_with("aarch64") { "arm64" } else { "amd64" };
    let service = options.ports.iter().map(|port| format!("{port}/tcp"));
    let ports = service.chain(OWN_PORTS.map(str::to_owned));
    let ports: serde_json::Map<_, _> = ports.map(|port| (port, json!({}))).collect();
    json!({
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "ExposedPorts": ports,
            "Env": ["PATH=/bin"],
            "Entrypoint": ["/bin/hab", "sup", "run"],
            "Cmd": [options.service.to_string()],
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": options.service.name,
                "org.opencontainers.image.version": options.service.version,
                "org.opencontainers.image.vendor": options.service.origin,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest()]},
        "history": [{"created": created, "created_by": "hab pkg export container"}],
    })
}

fn put(directory: &Path, name: &str, content: &Value) -> Result<(), ImageError> {
    let path = directory.join(name);
    fs::write(&path, content.to_string()).map_err(|error| ImageError::io(&path, error))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes and counts the bytes written.
struct Hashing {
    inner: BufWriter<File>,
    hash: Sha256,
    size: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
