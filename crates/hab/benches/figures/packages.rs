//! Package commands on a package of 100 MB, and on a thousand packages.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use roost_hart::{Archive, PayloadHash};

use super::report;

/// Size of the package when unpacked.
const BYTES: usize = 100_000_000;
const FILES: usize = 200;

/// A root with the archive and the key of its signer.
struct Place {
    directory: tempfile::TempDir,
    archive: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let big = directory.path().join("big");
        fs::create_dir_all(big.join("hooks")).expect("a directory");
        fs::create_dir_all(big.join("bin")).expect("a directory");
        fs::write(big.join("hooks/run"), "#!/bin/sh\nexec sleep 1\n").expect("written");
        fs::write(big.join("roost.toml"), "origin = \"acme\"\nversion = \"1.0\"\n")
            .expect("written");
        let mut random = Random(1);
        for number in 0..FILES {
            let path = big.join(format!("bin/tool-{number}"));
            fs::write(&path, content(&mut random, BYTES / FILES)).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        let mut place = Self { archive: directory.path().into(), directory };
        let began = Instant::now();
        let built = place.hab("root", &["pkg", "build", "big", "--release", "20250101000000"]);
        assert!(built.success());
        report("hab pkg build of 100 MB", "s", vec![began.elapsed().as_secs_f64()], "");
        let name = "acme-big-1.0-20250101000000-x86_64-linux.hart";
        place.archive = place.path().join("results").join(name);
        let size = fs::metadata(&place.archive).expect("an archive").len();
        println!("  its archive has {:.1} MB", size as f64 / 1e6);
        place
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, root: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hab"));
        command
            .args(arguments)
            .env("FS_ROOT", self.path().join(root))
            .env("HOME", self.path())
            .env("HAB_CACHE_KEY_PATH", self.path().join("root/hab/cache/keys"))
            .current_dir(self.path())
            .stdout(Stdio::null());
        command
    }

    fn hab(&self, root: &str, arguments: &[&str]) -> std::process::ExitStatus {
        self.command(root, arguments).status().expect("it starts")
    }

    fn archive(&self) -> &str {
        self.archive.to_str().expect("text")
    }
}

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Bytes that compress about as well as programs do: to a quarter.
fn content(random: &mut Random, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 64);
    while bytes.len() < size {
        let number = random.next();
        let length = 4 + usize::try_from(number >> 8 & 31).unwrap_or(0);
        let back = 1 + usize::try_from(number >> 16 & 0xf_ffff).unwrap_or(0);
        if number & 3 != 0 && bytes.len() > back {
            let from = bytes.len() - back;
            let until = (from + length).min(bytes.len());
            bytes.extend_from_within(from..until);
        } else {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }
    bytes.truncate(size);
    bytes
}

fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(super) fn large_package() {
    let place = Place::new();
    let archive = Archive::open(&place.archive).expect("an archive");
    let payload = payload(&place);
    let (mut installs, mut tars, mut decodes) = (Vec::new(), Vec::new(), Vec::new());
    let mut peak_mb = Vec::new();
    for _ in 0..5 {
        let remove = |name: &str| drop(fs::remove_dir_all(place.path().join(name)));
        remove("other");
        installs.push(timed(|| {
            let mut command = place.command("other", &["pkg", "install", place.archive()]);
            let mut child = command.spawn().expect("it starts");
            let status = format!("/proc/{}/status", child.id());
            let mut most = 0.0_f64;
            while child.try_wait().expect("a child").is_none() {
                most = most.max(high_water_mb(&status));
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            assert!(child.wait().expect("an end").success());
            peak_mb.push(most);
        }));
        remove("plain");
        fs::create_dir(place.path().join("plain")).expect("a directory");
        tars.push(timed(|| {
            let script =
                format!("xz -dc '{}' | tar x -C plain && sync -f plain", payload.display());
            let mut shell = Command::new("sh");
            let status = shell.args(["-c", &script]).current_dir(place.path()).status();
            assert!(status.expect("a shell").success());
        }));
        decodes.push(timed(|| {
            let mut body = archive.body().expect("a tar");
            io::copy(&mut body, &mut io::sink()).expect("decompressed");
        }));
    }
    let ratio = median(&installs) / median(&tars);
    let limit = median(&decodes) / median(&tars);
    report("hab pkg install of 100 MB", "s", installs, "");
    report("xz -dc | tar x, sync, of the same", "s", tars, "");
    report("the decoder of the library alone", "s", decodes, "");
    println!("  install / xz | tar = {ratio:.2} (<= 1.3), decoder alone / xz | tar = {limit:.2}");
    report("memory of the installation", "MB", peak_mb, "<= 32 MB");
    verify(&place, &payload);
}

fn verify(place: &Place, payload: &Path) {
    let (mut verified, mut hashed) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        verified.push(timed(|| {
            assert!(place.hab("root", &["pkg", "verify", place.archive()]).success());
        }));
        hashed.push(timed(|| {
            PayloadHash::of(File::open(payload).expect("a payload")).expect("a hash");
        }));
    }
    let share = median(&hashed) / median(&verified) * 100.0;
    report("hab pkg verify of its archive", "s", verified, "");
    report("the hash of the same bytes alone", "s", hashed, "");
    println!("  verify has {share:.0} % of the speed of the hash (>= 80 %)");
}

/// What follows the header, in a file of its own.
fn payload(place: &Place) -> PathBuf {
    let bytes = fs::read(&place.archive).expect("an archive");
    let end = bytes.windows(2).position(|two| two == b"\n\n").expect("a header") + 2;
    let path = place.path().join("payload.xz");
    File::create(&path).and_then(|mut file| file.write_all(&bytes[end..])).expect("written");
    path
}

/// Highest resident memory of a process so far.
fn high_water_mb(status: &str) -> f64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or_default() / 1024.0
}

pub(super) fn thousand_packages() {
    let directory = tempfile::tempdir().expect("a directory");
    for number in 0..1000 {
        let release = format!("hab/pkgs/acme/p{}/1.{}/20250101000000", number / 4, number % 4);
        let release = directory.path().join(release);
        fs::create_dir_all(&release).expect("directories");
        fs::write(release.join("TARGET"), "x86_64-linux\n").expect("written");
    }
    let measure = |arguments: &[&str]| {
        let mut samples = Vec::new();
        for _ in 0..50 {
            let mut command = Command::new(env!("CARGO_BIN_EXE_hab"));
            command.args(arguments).env("FS_ROOT", directory.path()).stdout(Stdio::null());
            samples.push(1e3 * timed(|| assert!(command.status().expect("it starts").success())));
        }
        samples
    };
    report("hab pkg path", "ms", measure(&["pkg", "path", "acme/p7"]), "<= 3 ms");
    report("hab pkg list -a of 1,000", "ms", measure(&["pkg", "list", "-a"]), "<= 20 ms");
}
