//! Commands of Habitat that need Builder. They name what is to be done instead, and end as a wrong
//! command line does, so that scripts notice.

use std::ffi::OsString;

use crate::{
    cli::Run,
    context::Context,
    exit::{Exit, UsageError},
};

/// Defines one such command: it takes whatever it is given.
macro_rules! unsupported {
    ($name:ident, $command:literal, $instead:literal) => {
        #[doc = concat!("Arguments of `hab ", $command, "`.")]
        #[derive(Debug, clap::Args)]
        #[command(disable_help_flag = true)]
        pub(crate) struct $name {
            #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
            _arguments: Vec<OsString>,
        }

        impl Run for $name {
            fn run(self, _: &Context) -> anyhow::Result<Exit> {
                let text = concat!(
                    "hab ",
                    $command,
                    " is not supported yet, it needs Builder; ",
                    $instead
                );
                Err(UsageError(text.into()).into())
            }
        }
    };
}

unsupported!(Bulkupload, "pkg bulkupload", "copy the archives to the other machines");
unsupported!(Channels, "pkg channels", "list what is installed with hab pkg list");
unsupported!(Delete, "pkg delete", "delete the archive where you keep it");
unsupported!(Demote, "pkg demote", "archives have no channels");
unsupported!(Download, "pkg download", "copy archives and keys into hab/cache yourself");
unsupported!(Promote, "pkg promote", "archives have no channels");
unsupported!(Search, "pkg search", "list what is installed with hab pkg list");
unsupported!(Upload, "pkg upload", "copy the archive to the other machines");
unsupported!(KeyDownload, "origin key download", "take the key with hab origin key import");
unsupported!(KeyUpload, "origin key upload", "print the key with hab origin key export");
