//! Configuration of a service and the template language of its files.
//!
//! A pure core: texts and values are arguments and results; no files, environment or clock. Facts
//! are those of Habitat 2.1.78 (reference: templates).
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the four layers of a service's configuration and their merge |
//! | [`exports`] | the gossiped part of the configuration |
//! | [`value`] | TOML as the JSON value that templates and documents see |
//! | [`context`] | the document that a template is rendered with |
//! | [`set`] | parsed templates of one `config/` tree or one hook, and their rendering |
//! | [`deprecation`] | warnings about old syntax |
//! | [`plan_render`] | the pure part of `hab plan render` |
//! | [`limits`] | every limit on input and output |

mod budget;
mod compile;
pub mod config;
pub mod context;
pub mod deprecation;
pub mod diagnose;
mod environment;
mod error;
pub mod exports;
mod helpers;
pub mod limits;
pub mod plan_render;
pub mod set;
pub mod value;

pub use config::{Layers, MergeError};
pub use context::{Pkg, Sys, install_context, service_context};
pub use deprecation::{Deprecation, deprecations};
pub use error::{ConfigError, RenderError, TemplateError, TomlFault};
pub use set::TemplateSet;
