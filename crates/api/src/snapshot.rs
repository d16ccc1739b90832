//! All documents of one moment. Immutable; parts that did not change are shared with the
//! snapshot before.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use crate::{
    document::{Document, Format, Forms},
    documents::{
        Butterfly, Census, HealthDocument, ServiceDocument, ServiceDocuments, ring::RingDocuments,
    },
    json::to_json,
    rendered::Rendered,
    ring::contacts::Contacts,
    toml_form,
};

/// What the API publishes, at one moment.
#[derive(Debug)]
pub struct Snapshot {
    number: u64,
    services: Vec<Arc<ServiceEntry>>,
    census: Arc<Document<Census>>,
    butterfly: Arc<Document<Butterfly>>,
    ring: Arc<Document<RingDocuments>>,
    contacts: Contacts,
    list: Forms,
    by_group: OnceLock<HashMap<String, usize>>,
}

/// One loaded service: the object, its configuration and its health, each with its forms.
pub struct ServiceEntry {
    object: Arc<Document<ServiceDocument>>,
    config: Arc<Forms>,
    health: Arc<Document<HealthDocument>>,
    v1: Arc<ServiceDocuments>,
}

impl Snapshot {
    /// Puts a snapshot together. Numbers rise with each snapshot that is published; services
    /// are listed in the order given, and of two with the same group the first is found.
    #[must_use]
    pub fn new(
        number: u64,
        services: Vec<Arc<ServiceEntry>>,
        census: Arc<Document<Census>>,
        butterfly: Arc<Document<Butterfly>>,
    ) -> Self {
        Self {
            number,
            services,
            census,
            butterfly,
            ring: Arc::new(Document::deferred(RingDocuments::default)),
            contacts: Contacts::default(),
            list: Forms::default(),
            by_group: OnceLock::new(),
        }
    }

    /// The same with what the Supervisor knows about its ring.
    #[must_use]
    pub fn with_ring(self, ring: Arc<Document<RingDocuments>>, contacts: Contacts) -> Self {
        Self { ring, contacts, ..self }
    }

    /// The snapshot of a Supervisor without services and peers.
    #[must_use]
    pub fn empty(number: u64, member_id: &str) -> Self {
        let census = Census { local_member_id: member_id.into(), ..Census::default() };
        Self::new(
            number,
            Vec::new(),
            Arc::new(census.into()),
            Arc::new(Butterfly::default().into()),
        )
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The services, in the order of `/services`.
    #[must_use]
    pub fn services(&self) -> &[Arc<ServiceEntry>] {
        &self.services
    }

    /// The census.
    #[must_use]
    pub const fn census(&self) -> &Arc<Document<Census>> {
        &self.census
    }

    /// The rumors.
    #[must_use]
    pub const fn butterfly(&self) -> &Arc<Document<Butterfly>> {
        &self.butterfly
    }

    /// What the Supervisor knows about its ring.
    #[must_use]
    pub fn ring(&self) -> &RingDocuments {
        self.ring.value()
    }

    pub(crate) const fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// The service of a group, given as `service.group[@org]`.
    #[must_use]
    pub fn service(&self, group: &str) -> Option<&Arc<ServiceEntry>> {
        let index = self.by_group.get_or_init(|| {
            // Backwards, so that the first of equal groups is the one that stays.
            let services = self.services.iter().enumerate().rev();
            services.map(|(index, entry)| (entry.group().to_owned(), index)).collect()
        });
        self.services.get(*index.get(group)?)
    }

    /// The list of all services: the services' own bytes, joined.
    #[must_use]
    pub fn list(&self, format: Format) -> &Rendered {
        self.list.get_or_render(format, || match format {
            Format::Json | Format::Text => self.join_json(),
            Format::Toml => Rendered::new(toml_form::of_services(
                self.services.iter().map(|entry| entry.object.value()),
            )),
        })
    }

    fn join_json(&self) -> Rendered {
        let parts: Vec<_> =
            self.services.iter().map(|entry| entry.object(Format::Json).bytes()).collect();
        let length: usize = parts.iter().map(|part| part.len() + 1).sum();
        let mut joined = Vec::with_capacity(length + 2);
        joined.push(b'[');
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                joined.push(b',');
            }
            joined.extend_from_slice(part);
        }
        joined.push(b']');
        Rendered::new(joined)
    }
}

impl ServiceEntry {
    /// Takes a service and its health. The configuration is that of the document: `cfg` absent
    /// means redacted. `health_check` of the document is set to the health given, so that the
    /// two cannot disagree.
    #[must_use]
    pub fn new(mut document: ServiceDocument, health: HealthDocument) -> Self {
        document.health_check = health.status;
        Self {
            object: Arc::new(document.into()),
            config: Arc::default(),
            health: Arc::new(health.into()),
            v1: Arc::default(),
        }
    }

    /// The same service with other documents of the v1 API; all else is shared.
    #[must_use]
    pub fn with_v1(&self, documents: ServiceDocuments) -> Self {
        Self {
            object: Arc::clone(&self.object),
            config: Arc::clone(&self.config),
            health: Arc::clone(&self.health),
            v1: Arc::new(documents),
        }
    }

    /// The same service with another health. Everything else is shared, rendered bytes too; the
    /// object itself is shared unless the status changed.
    #[must_use]
    pub fn with_health(&self, health: HealthDocument) -> Self {
        let same = self.document().health_check == health.status;
        let object = if same {
            Arc::clone(&self.object)
        } else {
            let mut document = self.document().clone();
            document.health_check = health.status;
            Arc::new(document.into())
        };
        Self {
            object,
            config: Arc::clone(&self.config),
            health: Arc::new(health.into()),
            v1: Arc::clone(&self.v1),
        }
    }

    /// The same service with a changed object. Health is shared, and so is the rendered
    /// configuration if `cfg` is the same table as before.
    #[must_use]
    pub fn with_document(&self, mut document: ServiceDocument) -> Self {
        document.health_check = self.health.value().status;
        let same = match (&document.cfg, &self.document().cfg) {
            (Some(new), Some(old)) => new.is_shared_with(old),
            (new, old) => new.is_none() && old.is_none(),
        };
        let config = if same { Arc::clone(&self.config) } else { Arc::default() };
        Self {
            object: Arc::new(document.into()),
            config,
            health: Arc::clone(&self.health),
            v1: Arc::clone(&self.v1),
        }
    }

    /// The service as a value.
    #[must_use]
    pub fn document(&self) -> &ServiceDocument {
        self.object.value()
    }

    /// Its health as a value.
    #[must_use]
    pub fn health_document(&self) -> &HealthDocument {
        self.health.value()
    }

    /// Its group, `service.group[@org]`.
    #[must_use]
    pub fn group(&self) -> &str {
        self.document().service_group.as_str()
    }

    /// A form of the object.
    #[must_use]
    pub fn object(&self, format: Format) -> &Rendered {
        self.object.render(format)
    }

    /// A form of the configuration; when redacted, `null` in JSON and nothing in the others.
    #[must_use]
    pub fn config(&self, format: Format) -> &Rendered {
        self.config.get_or_render(format, || {
            let config = self.document().cfg.as_ref();
            Rendered::new(match (format, config) {
                (Format::Json, config) => to_json(&config),
                (Format::Toml | Format::Text, Some(config)) => {
                    toml_form::of_table(&config.table()).into_bytes()
                }
                (Format::Toml | Format::Text, None) => Vec::new(),
            })
        })
    }

    /// Its documents of the v1 API.
    #[must_use]
    pub fn v1_documents(&self) -> &ServiceDocuments {
        &self.v1
    }

    /// A form of the health.
    #[must_use]
    pub fn health(&self, format: Format) -> &Rendered {
        self.health.render(format)
    }
}

impl fmt::Debug for ServiceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceEntry")
            .field("group", &self.group())
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forms").finish_non_exhaustive()
    }
}
