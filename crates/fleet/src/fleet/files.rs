//! `user.toml` and gossiped files of services.

use std::collections::BTreeMap;

use roost_service::MachineEvent;

use super::Fleet;
use crate::{
    event::{UserLayer, WrittenFile},
    job::Job,
    release::Release,
    stored::Stored,
};

/// Gossiped files that could not be written (a full disk) are written again after this.
const FILES_PAUSE_MS: u64 = 10_000;

impl<R: Release> Fleet<R> {
    /// `user.toml` was read again: the layer that was good stays in force while it has an error.
    pub(super) fn take_user_layer(&mut self, name: &str, result: Result<UserLayer, String>) {
        let Some(service) = self.services.get_mut(name) else { return };
        self.touched.insert(name.into());
        let known = &service.configuration.layers().user;
        let is_read = service.built.is_some();
        let is_same = is_read && result.as_ref().is_ok_and(|layer| layer.table == *known);
        if service.announced && !is_same {
            let ident = &service.spec().ident;
            self.actions.sup(format!("user.toml changes detected for {ident}"));
        }
        match result {
            Ok(layer) => {
                let merged = service.configuration.take_user(layer.table);
                self.keep_user_toml(name, layer.to_keep);
                self.tell(name, MachineEvent::UserConfig { refused: None });
                self.report_merge(name, &merged, is_read.then_some("user.toml"));
            }
            // The reading of the service reports it.
            Err(_) if !is_read => {}
            Err(error) => self.tell(name, MachineEvent::UserConfig { refused: Some(error) }),
        }
        // Also when it holds nothing new: what failed may have failed because of a state in
        // between.
        self.tell(name, MachineEvent::FilesChanged);
        if !is_same {
            self.announce_again(name);
            self.refresh(name);
        }
    }

    /// Keeps the last `user.toml` that could be used.
    pub(super) fn keep_user_toml(&mut self, name: &str, text: Option<String>) {
        if let Some(text) = text {
            self.actions.store(Stored::UserCopy { service: name.into(), text });
        }
    }

    /// Writes gossiped files of the service's group that are newer than those on disk.
    pub(super) fn write_files(&mut self, name: &str, initial: bool) {
        let Some(service) = self.services.get_mut(name) else { return };
        let Some(release) = service.built.clone() else { return };
        let Some(group) = self.context.census.group(service.machine.group()) else { return };
        let written = &mut service.files.written;
        let known = group.service_files.values();
        let news = known.filter(|file| {
            let known = written.get(&file.filename);
            initial || known.is_none_or(|known| *known < file.incarnation)
        });
        let files: Vec<_> = news.cloned().collect();
        if files.is_empty() {
            return;
        }
        written.extend(files.iter().map(|file| (file.filename.clone(), file.incarnation)));
        self.actions.work(Job::WriteFiles { service: name.into(), release, files, initial });
    }

    /// Writes those that could not be written before.
    pub(super) fn write_files_again(&mut self, name: &str) {
        if let Some(service) = self.services.get_mut(name) {
            service.files.again_at_ms = None;
            self.write_files(name, false);
        }
    }

    pub(super) fn files_written(
        &mut self,
        name: &str,
        files: Vec<WrittenFile>,
        failed: BTreeMap<String, String>,
        initial: bool,
    ) {
        let Some(service) = self.services.get_mut(name) else { return };
        let state = &mut service.files;
        if !failed.is_empty() {
            state.written.retain(|file, _| !failed.contains_key(file));
            state.again_at_ms.get_or_insert(self.now.mono_ms.saturating_add(FILES_PAUSE_MS));
        }
        for (file, error) in &failed {
            if state.failures.get(file) != Some(error) {
                let text = format!("Service file refused, {error}");
                self.actions.line(service.machine.group().as_str(), "SR", text);
            }
        }
        state.failures = failed;
        if !initial && !files.is_empty() {
            let cause = self.record_files(name, &files);
            let names = files.into_iter().map(|file| file.filename).collect();
            return self.tell_because(cause, name, MachineEvent::FilesUpdated(names));
        }
        for file in files {
            self.say(name, "SR", format!("Service file updated, {}", file.filename));
        }
    }
}
