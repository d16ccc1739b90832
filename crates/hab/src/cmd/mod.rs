//! One command per file. Each has `Arguments`, read by the parser, and runs by
//! [`Run`](crate::cli::Run).

pub(crate) mod cli_completers;
pub(crate) mod cli_man;
pub(crate) mod cli_setup;
pub(crate) mod config_apply;
pub(crate) mod config_show;
pub(crate) mod file_upload;
pub(crate) mod keys;
pub(crate) mod license_accept;
pub(crate) mod loaded;
pub(crate) mod payload;
pub(crate) mod pkg_config;
pub(crate) mod plan_render;
pub(crate) mod ring_key_export;
pub(crate) mod ring_key_generate;
pub(crate) mod ring_key_import;
pub(crate) mod sup_depart;
pub(crate) mod sup_restart;
pub(crate) mod sup_run;
pub(crate) mod sup_secret_generate;
pub(crate) mod sup_secret_generate_tls;
pub(crate) mod sup_shell;
pub(crate) mod sup_term;
pub(crate) mod svc_check;
pub(crate) mod svc_key_generate;
pub(crate) mod svc_load;
pub(crate) mod svc_start;
pub(crate) mod svc_status;
pub(crate) mod svc_stop;
pub(crate) mod svc_update;
pub(crate) mod user_key_generate;
