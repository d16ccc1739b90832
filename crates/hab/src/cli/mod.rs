//! The tree of commands. Each command has a file of its own in [`crate::cmd`].

#[cfg(test)]
mod page;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::{cmd, context::Context, exit::Exit, manual};

/// Runs and supervises services
#[derive(Debug, Parser)]
#[command(name = "hab", version = roost_sup::VERSION, propagate_version = false)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Defines a group of commands: an enum of its members and their dispatch.
macro_rules! group {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $variant:ident($kind:ty),)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Subcommand)]
        enum $name { $($(#[$attribute])* $variant($kind),)+ }

        impl Run for $name {
            fn run(self, context: &Context) -> anyhow::Result<Exit> {
                match self { $(Self::$variant(command) => command.run(context),)+ }
            }
        }
    };
}

/// A command that can run.
pub(crate) trait Run {
    /// Runs the command.
    fn run(self, context: &Context) -> anyhow::Result<Exit>;
}

/// A command that only contains other commands.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Group<T: Subcommand> {
    #[command(subcommand)]
    command: T,
}

impl<T: Subcommand + Run> Run for Group<T> {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        self.command.run(context)
    }
}

/// The tree of commands with complete help texts.
pub(crate) fn command() -> clap::Command {
    manual::with_examples(Cli::command())
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> anyhow::Result<Exit> {
        self.command.run(context)
    }
}

group! {
    /// Top-level commands.
    Command {
        /// Commands relating to the command line itself
        Cli(Group<CliCommand>),
        /// Commands relating to a service's runtime config
        Config(Group<ConfigCommand>),
        /// Show what happened to services and the Supervisor
        Events(Box<cmd::events::Arguments>),
        /// Commands relating to files of services
        File(Group<FileCommand>),
        /// Commands relating to the licence
        License(Group<LicenseCommand>),
        /// Commands relating to origins, which make and sign packages
        Origin(Group<OriginCommand>),
        /// Commands relating to packages
        Pkg(Group<PkgCommand>),
        /// Commands relating to plans
        Plan(Group<PlanCommand>),
        /// Show the ring as one Supervisor sees it; commands relating to ring keys
        Ring(Group<RingCommand>),
        /// Commands relating to the Supervisor
        #[command(version = roost_sup::VERSION)]
        Sup(Group<SupCommand>),
        /// Commands relating to services
        Svc(Group<SvcCommand>),
        /// Commands relating to users
        User(Group<UserCommand>),
    }
}

group! {
    CliCommand {
        /// Set up the command line, with questions
        Setup(cmd::cli_setup::Arguments),
        /// Print a completion script
        Completers(cmd::cli_completers::Arguments),
        /// Write man pages of all commands into a directory
        #[command(hide = true)]
        Man(cmd::cli_man::Arguments),
    }
}

group! {
    ConfigCommand {
        /// Set the configuration of a service group
        Apply(cmd::config_apply::Arguments),
        /// Print the default configuration of a loaded service
        Show(cmd::config_show::Arguments),
    }
}

group! {
    FileCommand {
        /// Upload a file to a service group
        Upload(cmd::file_upload::Arguments),
    }
}

group! {
    LicenseCommand {
        /// Record that the licence was accepted
        Accept(cmd::license_accept::Arguments),
    }
}

group! {
    OriginCommand {
        /// Commands relating to the keys that packages are signed with
        Key(Group<OriginKeyCommand>),
    }
}

group! {
    OriginKeyCommand {
        /// Print the newest key of an origin
        Export(cmd::origin_key_export::Arguments),
        /// Generate a pair of keys of an origin
        Generate(cmd::origin_key_generate::Arguments),
        /// Import a key of an origin from standard input
        Import(cmd::origin_key_import::Arguments),
    }
}

group! {
    PkgCommand {
        /// Show the binds of an installed package
        Binds(cmd::pkg_binds::Arguments),
        /// Link programs of an installed package into a directory
        Binlink(cmd::pkg_binlink::Arguments),
        /// Make a signed package archive from a directory
        Build(cmd::pkg_build::Arguments),
        /// Print the default configuration of an installed package
        Config(cmd::pkg_config::Arguments),
        /// Print the dependencies of an installed package, or the packages that depend on it
        Dependencies(cmd::pkg_dependencies::Arguments),
        /// Show the differences between two packages
        Diff(cmd::pkg_diff::Arguments),
        /// Print the environment of an installed package, for a shell
        Env(cmd::pkg_env::Arguments),
        /// Run a command in the environment of an installed package
        Exec(cmd::pkg_exec::Arguments),
        /// Export installed packages into other forms
        Export(Group<PkgExportCommand>),
        /// Print the hash of a file
        Hash(cmd::pkg_hash::Arguments),
        /// Print the header of a package archive
        Header(cmd::pkg_header::Arguments),
        /// Print the metadata of a package archive
        Info(cmd::pkg_info::Arguments),
        /// Install packages from archives, with their dependencies
        Install(Box<cmd::pkg_install::Arguments>),
        /// List installed packages
        List(cmd::pkg_list::Arguments),
        /// Print the path of an installed package
        Path(cmd::pkg_path::Arguments),
        /// Print which installed packages contain a file of this name
        Provides(cmd::pkg_provides::Arguments),
        /// Sign a file as a package archive
        Sign(cmd::pkg_sign::Arguments),
        /// Show the dependencies of an installed package as a tree
        Tree(cmd::pkg_tree::Arguments),
        /// Uninstall a package and its unused dependencies
        Uninstall(cmd::pkg_uninstall::Arguments),
        /// Verify the signature of a package archive
        Verify(cmd::pkg_verify::Arguments),
    }
}

group! {
    PkgExportCommand {
        /// Export a container image, without a container engine
        Container(cmd::pkg_export_container::Arguments),
        /// Export a tar archive to unpack at /
        Tar(cmd::pkg_export_tar::Arguments),
    }
}

group! {
    PlanCommand {
        /// Render a template, without a Supervisor
        Render(cmd::plan_render::Arguments),
    }
}

group! {
    RingCommand {
        /// Show the service groups of the ring: members, leader, quorum, what is wrong
        Groups(Box<cmd::ring_groups::Arguments>),
        /// Show how the services of all members are; also a check of monitoring systems
        Health(Box<cmd::ring_health::Arguments>),
        /// Commands relating to ring keys
        Key(Group<RingKeyCommand>),
        /// Show how the members see each other: one-way cuts, split views, unseen members
        Matrix(Box<cmd::ring_matrix::Arguments>),
        /// Show the members of the ring: since when and from whom their state is known
        Members(Box<cmd::ring_members::Arguments>),
    }
}

group! {
    RingKeyCommand {
        /// Print the newest key of a ring
        Export(cmd::ring_key_export::Arguments),
        /// Generate a ring key
        Generate(cmd::ring_key_generate::Arguments),
        /// Import a ring key from standard input
        Import(cmd::ring_key_import::Arguments),
    }
}

group! {
    SupCommand {
        /// Start an interactive Bourne-like shell
        Bash(cmd::sup_shell::Bash),
        /// Collect what a report about this machine needs, in one archive
        DebugBundle(cmd::sup_debug_bundle::Arguments),
        /// Mark a member of the ring as departed
        Depart(cmd::sup_depart::Arguments),
        /// Restart a Supervisor; its services keep running
        Restart(cmd::sup_restart::Arguments),
        /// Run a Supervisor
        Run(Box<cmd::sup_run::Arguments>),
        /// Commands relating to the secret of the control gateway
        Secret(Group<SupSecretCommand>),
        /// Start an interactive Bourne shell
        Sh(cmd::sup_shell::Sh),
        /// Stop the Supervisor of this machine and its services
        Term(cmd::sup_term::Arguments),
        /// Commands relating to tokens of the HTTP API
        Token(Group<SupTokenCommand>),
    }
}

group! {
    SupTokenCommand {
        /// List the tokens and certificates of clients, and what each may read
        List(cmd::sup_token_list::Arguments),
        /// Make a token and print it
        New(cmd::sup_token_new::Arguments),
        /// Remove a token: what it reads ends at once
        Revoke(cmd::sup_token_revoke::Arguments),
    }
}

group! {
    SupSecretCommand {
        /// Print a new secret
        Generate(cmd::sup_secret_generate::Arguments),
        /// Generate a private key and a certificate for the control gateway
        GenerateTls(cmd::sup_secret_generate_tls::Arguments),
    }
}

group! {
    SvcCommand {
        /// Check the health of a service, as a plugin of a monitoring system
        Check(cmd::svc_check::Arguments),
        /// Show what happened to a service
        History(cmd::svc_history::Arguments),
        /// Commands relating to keys of service groups
        Key(Group<SvcKeyCommand>),
        /// Load a service and start it; it is started again with the Supervisor
        Load(Box<cmd::svc_load::Arguments>),
        /// Show what a service printed
        Logs(cmd::svc_logs::Arguments),
        /// Start a loaded, but stopped, service
        Start(cmd::svc_start::Arguments),
        /// Show what the processes of services use
        Stats(cmd::svc_stats::Arguments),
        /// Show the state of services
        Status(cmd::svc_status::Arguments),
        /// Stop a running service; it stays loaded
        Stop(cmd::svc_stop::Stop),
        /// Unload a service; a running one is stopped
        Unload(cmd::svc_stop::Unload),
        /// Change the options of a loaded service
        Update(Box<cmd::svc_update::Arguments>),
        /// Explain why a service is as it is, and what to do
        Why(cmd::svc_why::Arguments),
    }
}

group! {
    SvcKeyCommand {
        /// Generate a pair of keys of a service group
        Generate(cmd::svc_key_generate::Arguments),
    }
}

group! {
    UserCommand {
        /// Commands relating to keys of users
        Key(Group<UserKeyCommand>),
    }
}

group! {
    UserKeyCommand {
        /// Generate a pair of keys of a user
        Generate(cmd::user_key_generate::Arguments),
    }
}

impl<T: Run> Run for Box<T> {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        (*self).run(context)
    }
}
