//! A small disk below the state files.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use testkit::{Root, skip};

/// A mounted file system of a few hundred kilobytes, unmounted at the end.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one on `hab`; packages stay outside. `None` where mounting is not possible.
    pub(crate) fn below(root: &Root) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            skip("only root can mount a small disk");
            return None;
        }
        let hab = root.join("hab");
        let packages = root.join("pkgs-aside");
        fs::rename(hab.join("pkgs"), &packages).expect("packages");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=600k,mode=0755", "tmpfs"])
            .arg(&hab)
            .status();
        if !mount.is_ok_and(|status| status.success()) {
            skip("this machine mounts no tmpfs");
            return None;
        }
        symlink(&packages, hab.join("pkgs")).expect("a link");
        Some(Self(hab))
    }

    /// Fills it completely.
    pub(crate) fn fill(&self) {
        // As much as fits; the rest is meant to fail.
        let _ = fs::write(self.0.join("filler"), vec![b'x'; 2 * 1024 * 1024]);
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
