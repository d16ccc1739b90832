//! Options that configuration files may also contain: the values of the command line and the
//! environment are kept apart, and override those of files.

use std::marker::PhantomData;

use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

/// Values of the options `T` from the command line and the environment.
#[derive(Debug, Clone)]
pub(crate) struct Given<T> {
    matches: ArgMatches,
    options: PhantomData<T>,
}

impl<T: Args> Given<T> {
    /// Texts of an option or argument.
    pub(crate) fn values(&self, key: &str) -> Vec<String> {
        self.matches.get_many(key).unwrap_or_default().cloned().collect()
    }

    /// Replaces the given options.
    ///
    /// # Errors
    /// Never for values that were already parsed.
    pub(crate) fn lay_over(&self, options: &mut T) -> Result<(), clap::Error> {
        options.update_from_arg_matches(&self.matches)
    }
}

impl<T: Args> FromArgMatches for Given<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut matches = matches.clone();
        for key in keys::<T>() {
            // An absent flag parses as false; it must not override a file.
            if matches.value_source(&key) == Some(ValueSource::DefaultValue) {
                let _ = matches.try_clear_id(&key);
            }
        }
        Ok(Self { matches, options: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<T: Args> Args for Given<T> {
    fn augment_args(command: Command) -> Command {
        T::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

/// Names of the options, as in files, in order of definition.
pub(crate) fn keys<T: Args>() -> Vec<String> {
    let command = T::augment_args(Command::new("options"));
    command.get_arguments().map(|option| option.get_id().to_string()).collect()
}
