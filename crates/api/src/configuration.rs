//! `/v1/services/{sg}/config`: the values, with those of each layer on request.

use std::sync::Arc;

use crate::{
    documents::configuration::{ConfigV1, ConfigValue},
    live::{Ask, Pending},
    problem::Code,
};

/// The document of a request.
pub(crate) fn answer(ask: Ask) -> Pending<ConfigV1> {
    Box::pin(async move {
        let service = ask.service.ok_or(Code::NotFound)?;
        let documents = service.v1_documents();
        let mut values = Vec::clone(&Arc::clone(&documents.configuration));
        if ask.query.word("source").is_none() {
            values.iter_mut().for_each(|value| value.layers.clear());
        }
        if ask.shows_secrets && ask.query.word("secrets").is_none() {
            values.iter_mut().for_each(ConfigValue::reveal);
        }
        Ok(ConfigV1 { id: documents.service.id.clone(), values })
    })
}
