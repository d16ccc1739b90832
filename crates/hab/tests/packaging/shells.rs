//! Completions as shells load them: from the place where they are installed, by the shell's own
//! search, for a key pressed behind `hab svc st`.

use super::{Installed, is_there, program, said};

/// bash-completion's own search for the file of a command.
const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";

#[test]
fn bash_completes_commands() {
    if !is_there("bash") {
        return;
    }
    if !std::path::Path::new(BASH_COMPLETION).exists() {
        return testkit::skip("no bash-completion");
    }
    let installed = Installed::at("/usr");
    // What bash does for the key: look for the file, then call the function it names.
    let script = format!(
        r#"source {BASH_COMPLETION}
_completion_loader hab
[[ $(complete -p hab) =~ -F\ ([^ ]+) ]] || exit 9
COMP_WORDS=(hab svc st) COMP_CWORD=2 COMP_LINE="hab svc st" COMP_POINT=10
"${{BASH_REMATCH[1]}}" hab st svc
printf '%s\n' "${{COMPREPLY[@]}}""#
    );
    let mut bash = program("bash");
    bash.args(["--norc", "--noprofile", "-c", &script]);
    bash.env("XDG_DATA_DIRS", installed.path("share")).env("HOME", installed.path("none"));
    bash.env("PATH", format!("{}:/usr/bin:/bin", installed.path("bin").display()));
    let mut words: Vec<String> =
        said(&bash.output().expect("bash")).lines().map(Into::into).collect();
    words.sort();
    assert_eq!(words, ["start", "stats", "status", "stop"]);
}

#[test]
fn zsh_completes_commands() {
    if !is_there("zsh") {
        return;
    }
    let installed = Installed::at("/usr");
    // A zsh on a pseudo-terminal: the key is really pressed.
    let script = r#"
zmodload zsh/zpty || exit 9
zpty shell env TERM=dumb HOME=$HOME PATH=$PATH FUNCTIONS=$FUNCTIONS zsh -f -i
zpty -w shell 'PS1=; fpath=($FUNCTIONS $fpath); autoload -Uz compinit; compinit -u -D'
zpty -w shell 'setopt no_beep; LISTMAX=0; print rea''dy'
zpty -r shell out '*ready*'
zpty -w -n shell $'hab svc st\t\t'
zpty -r shell out '*start*stats*status*stop*'
print -r -- "$out"
zpty -d shell
"#;
    // Only a completion that never comes needs the time.
    let mut zsh = program("timeout");
    zsh.args(["120", "zsh", "-f", "-c", script]);
    zsh.env("FUNCTIONS", installed.path("share/zsh/site-functions"));
    zsh.env("PATH", format!("{}:/usr/bin:/bin", installed.path("bin").display()));
    zsh.env("HOME", installed.directory.path());
    let output = zsh.output().expect("zsh");
    assert!(said(&output).contains("Show the state of services"), "{output:?}");
}

#[test]
fn fish_completes_commands() {
    if !is_there("fish") {
        return;
    }
    let installed = Installed::at("/usr");
    let mut fish = program("fish");
    fish.args(["-c", "complete -C 'hab svc st'"]).env("HOME", installed.directory.path());
    // Words that are not commands give no completions.
    fish.env("PATH", format!("{}:/usr/bin:/bin", installed.path("bin").display()));
    fish.env("XDG_DATA_DIRS", installed.path("share"));
    let words = said(&fish.output().expect("fish"));
    let words: Vec<&str> = words.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(words, ["start", "stats", "status", "stop"]);
}

/// The program computes the completion: without a Supervisor it completes the keys of rings.
#[test]
fn keys_of_rings_are_completed() {
    let place = tempfile::tempdir().expect("a directory");
    let keys = place.path().join("keys");
    std::fs::create_dir_all(&keys).expect("a directory");
    for file in ["prod-20260101000000.sym.key", "prod-20270101000000.sym.key", "x.box.key"] {
        std::fs::write(keys.join(file), "").expect("written");
    }
    let complete = |words: &[&str]| {
        let mut hab = program(env!("CARGO_BIN_EXE_hab"));
        hab.env("FS_ROOT", place.path().join("root")).env("HAB_CACHE_KEY_PATH", &keys);
        hab.env("COMPLETE", "bash").env("_CLAP_IFS", "\n");
        hab.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
        said(&hab.args(["--", "hab"]).args(words).output().expect("the program"))
    };
    assert_eq!(complete(&["ring", "key", "export", ""]).lines().next(), Some("prod"));
    assert_eq!(complete(&["svc", "stop", "w"]), "", "no Supervisor, nothing to offer");
}
