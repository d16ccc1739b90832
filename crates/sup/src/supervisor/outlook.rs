//! What the ring shows, and the keys that open it: brings the fleet's census up to date.

use std::{path::Path, sync::Arc};

use roost_census::{Boxes, Census, Opened, Update};
use roost_crypto::KeyCache;
use roost_fleet::Glance;
use roost_ring::View;

use super::{Supervisor, event::Event};
use crate::{census_input, files::key_watch::KeyWatch, vital::guarded};

/// The last view of the ring that the census took in.
#[derive(Debug)]
pub(super) struct Outlook {
    pub(super) view: Arc<View>,
    pub(super) keys: KeyCache,
    pub(super) boxes: Boxes,
    key_watch: KeyWatch,
}

impl Outlook {
    /// Nothing was taken in yet of the ring that this view is of.
    pub(super) fn new(view: &View, key_cache: &Path) -> Self {
        Self {
            view: Arc::new(View::empty(view.id.clone())),
            keys: KeyCache::new(key_cache.to_owned()),
            boxes: Boxes::default(),
            key_watch: KeyWatch::default(),
        }
    }

    /// Takes what is different into the census.
    fn update(
        &mut self,
        census: &mut Census,
        view: Arc<View>,
        key_cache: &Path,
        now_ms: u64,
    ) -> Update {
        let are_locked = census.locked().next().is_some();
        let keys_changed = are_locked && self.key_watch.may_have_changed(key_cache, now_ms);
        let boxes = &mut self.boxes;
        let mut decrypt = |message: &[u8]| boxes.content(message);
        let update = census_input::update(census, &self.view, &view, keys_changed, &mut decrypt);
        self.view = view;
        update
    }
}

impl Supervisor {
    /// Has the fleet look at this view of the ring.
    pub(super) fn look(&mut self, glance: Glance, view: Arc<View>) {
        let now = self.world.clock.now();
        let (outlook, key_cache) = (&mut self.outlook, &self.world.config.key_cache);
        let changed = self
            .fleet
            .see(now, glance, |census| outlook.update(census, view, key_cache, now.mono_ms));
        self.publisher.ring_changed(changed);
        self.open_boxes();
    }

    /// Has the fleet look at the last view once more.
    pub(super) fn look_again(&mut self, glance: Glance) {
        let view = Arc::clone(&self.outlook.view);
        self.look(glance, view);
    }

    /// Opens beside this task what the census has asked for.
    fn open_boxes(&mut self) {
        let Some(messages) = self.outlook.boxes.begin() else { return };
        let keys = self.outlook.keys.clone();
        self.beside(move || {
            let open = |message: &[u8]| {
                let opened = guarded(|| keys.decrypt(message).map_err(|error| error.to_string()));
                opened.unwrap_or_else(Err)
            };
            let opened = messages.into_iter().map(|message| {
                let content = open(&message);
                (message, content)
            });
            Event::BoxesOpened(opened.collect())
        });
    }

    /// The census takes what was opened, and services look again.
    pub(super) fn boxes_opened(&mut self, opened: Opened) {
        self.outlook.boxes.end(opened);
        self.look_again(Glance::Opened);
        self.outlook.boxes.clear();
    }
}
