//! A separate disk, which can be full, hang or fail.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{Root, skip};

/// A mounted file system of 16 MiB. Thawed and unmounted at the end.
#[derive(Debug)]
pub struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Mounts one on a directory of the root, which is created. `None`, with a note, where that is
    /// not possible.
    ///
    /// # Panics
    /// When a file cannot be written.
    #[must_use]
    pub fn at(root: &Root, place: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skip("only root can mount a separate disk");
            return None;
        }
        let (image, place) = (root.join("disk.img"), root.join(place));
        fs::create_dir_all(&place).expect("a directory");
        fs::File::create(&image).and_then(|file| file.set_len(16 << 20)).expect("an image");
        let mut make = Command::new("mkfs.ext4");
        let mut mount = Command::new("mount");
        make.args(["-q", "-m", "0"]).arg(&image);
        mount.args(["-o", "loop,errors=remount-ro"]).args([&image, &place]);
        for command in [&mut make, &mut mount] {
            if !command.status().is_ok_and(|status| status.success()) {
                skip("this machine mounts no image of a file system");
                return None;
            }
        }
        Some(Self { place })
    }

    /// Mounts one of 3 MiB in memory, which is full to the last byte when it is full.
    ///
    /// # Panics
    /// When a file cannot be written.
    #[must_use]
    pub fn in_memory(root: &Root, place: &str) -> Option<Self> {
        let place = root.join(place);
        fs::create_dir_all(&place).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m,mode=0755", "tmpfs"]).arg(&place);
        if !mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            skip("this machine mounts no tmpfs");
            return None;
        }
        Some(Self { place })
    }

    /// From now on writers block, and cannot be killed.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn hang(&self) {
        self.freeze("-f");
    }

    /// The end of [`Disk::hang`].
    ///
    /// # Panics
    /// When the system refuses.
    pub fn answer_again(&self) {
        self.freeze("-u");
    }

    fn freeze(&self, option: &str) {
        let status = Command::new("fsfreeze").arg(option).arg(&self.place).status();
        assert!(status.is_ok_and(|status| status.success()), "fsfreeze {option}");
    }

    /// Fills it completely.
    pub fn fill(&self) {
        // As much as fits; the rest is meant to fail.
        let _ = fs::write(self.filler(), vec![b'x'; 32 << 20]);
    }

    /// The end of [`Disk::fill`].
    ///
    /// # Panics
    /// When it was not filled.
    pub fn empty(&self) {
        fs::remove_file(self.filler()).expect("the filler");
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }

    /// Lets the file system find an error: it is read-only from now on, as after one of the
    /// hardware. False, with a note, where that is not possible.
    #[must_use]
    pub fn fail(&self) -> bool {
        let find = Command::new("findmnt").args(["-no", "SOURCE"]).arg(&self.place).output();
        let device = find.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
        let device = device.unwrap_or_default().replace("/dev/", "");
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        if let Err(error) = fs::write(&trigger, "1") {
            skip(&format!("{trigger}: {error}"));
            return false;
        }
        fs::write(self.place.join("probe"), "").is_err()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.place).stderr(Stdio::null()).status();
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
