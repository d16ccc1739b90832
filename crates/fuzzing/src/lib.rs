//! Requirements of every decoder of Roost for any bytes: no panic, bounded memory, and decoding of
//! its own output.
//!
//! Each target is a plain function over bytes. `fuzz/` runs them under libFuzzer; the test
//! `fuzz_corpus` of this crate runs them over the checked-in corpus (`fuzz/corpus/TARGET/`) and
//! mutations of it. To add one: a function here, a line in [`TARGETS`], a file in
//! `fuzz/fuzz_targets` with its entry in `fuzz/Cargo.toml`, seeds in `fuzz/corpus`.
//!
//! | module | decoders |
//! |---|---|
//! | [`ring`] | envelopes, datagrams, rumors, the data file |
//! | [`member`] | a whole ring member, fed with messages, commands and time |
//! | [`census`] | TOML and files in rumors, as input of the census |
//! | [`zmtp`] | the protocol of gossip connections |
//! | [`ctl`] | control frames, requests, answers |
//! | [`crypto`] | key files, BOX-1 |
//! | [`hart`] | package archives: header, body, entries |
//! | [`service`] | spec files, remembered state of a service |
//! | [`pkg`] | metafiles, service directories with `plan.sh` and `roost.toml` |
//! | [`template`] | configuration layers, templates |
//! | [`http`] | requests to the monitoring API |
//! | [`files`] | the file with peers |
//! | [`launch`] | messages between launcher and Supervisor, process tables, `#!` lines |
//! | [`ident`] | identifiers, service groups, binds |

pub mod census;
pub mod crypto;
pub mod ctl;
pub mod files;
pub mod hart;
pub mod http;
pub mod ident;
pub mod launch;
pub mod member;
mod pieces;
pub mod pkg;
pub mod ring;
pub mod service;
pub mod template;
pub mod zmtp;

/// A function that takes any bytes and panics when a decoder violates a requirement.
pub type Target = fn(&[u8]);

/// All targets by name, which is also the name of their file in `fuzz/fuzz_targets` and of their
/// corpus.
pub const TARGETS: [(&str, Target); 27] = [
    ("box_message", crypto::box_message),
    ("census", census::census),
    ("config", template::config),
    ("ctl_answer", ctl::answer),
    ("ctl_frame", ctl::frame),
    ("ctl_request", ctl::request),
    ("data_file", ring::data_file),
    ("envelope", ring::envelope),
    ("hart_body", hart::body),
    ("hart_entries", hart::entries),
    ("hart_header", hart::header),
    ("http", http::request),
    ("ident", ident::names),
    ("key_file", crypto::key_file),
    ("launch_wire", launch::wire),
    ("member", member::member),
    ("metafile", pkg::metafile),
    ("peers", files::peers),
    ("process_table", launch::process_table),
    ("remembered", service::remembered),
    ("rumor", ring::rumor),
    ("service_directory", pkg::service_directory),
    ("shebang", launch::shebang),
    ("spec_file", service::spec_file),
    ("swim", ring::swim),
    ("template", template::template),
    ("zmtp", zmtp::codec),
];
