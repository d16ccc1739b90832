//! Help, versions, wrong command lines.

use crate::Place;

#[test]
fn versions_name_habitat_and_roost() {
    let place = Place::new();
    let version = concat!("2.1.78+roost.", env!("CARGO_PKG_VERSION"));
    for (arguments, expected) in [
        (vec!["--version"], format!("hab {version}\n")),
        (vec!["-V"], format!("hab {version}\n")),
        (vec!["sup", "--version"], format!("hab-sup {version}\n")),
    ] {
        let ended = place.hab(&arguments);
        assert_eq!((ended.code, ended.stdout), (0, expected));
    }
}

#[test]
fn a_group_without_command_shows_its_help_and_ends_with_2() {
    let place = Place::new();
    for arguments in [vec![], vec!["svc"], vec!["sup", "secret"], vec!["ring", "key"]] {
        let ended = place.hab(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ended.stderr.contains("Usage: hab"), "{}", ended.stderr);
    }
    let ended = place.hab(&["svc", "--help"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.contains("Usage: hab svc <COMMAND>"));
}

#[test]
fn commands_that_habitat_has_not_are_unrecognized() {
    let place = Place::new();
    for (arguments, word) in [
        (vec!["sup", "status"], "status"),
        (vec!["svc", "bulkload"], "bulkload"),
        (vec!["config", "sh"], "sh"),
        (vec!["start"], "start"),
        (vec!["stop"], "stop"),
        (vec!["term"], "term"),
        (vec!["apply"], "apply"),
        (vec!["setup"], "setup"),
        (vec!["install"], "install"),
    ] {
        let ended = place.hab(&arguments);
        assert_eq!(ended.code, 2);
        let expected = format!("error: unrecognized subcommand '{word}'");
        assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    }
}

#[test]
fn wrong_values_end_with_2_and_say_why() {
    let place = Place::new();
    for (arguments, expected) in [
        (
            vec!["svc", "status", "-r", "[::1]:9632"],
            "error: invalid value '[::1]:9632' for '--remote-sup <REMOTE_SUP>': Failed to resolve \
             ctl address '[::1]:9632': did not resolve to an ipv4 socket address",
        ),
        (
            vec!["config", "apply", "redis", "1"],
            "error: invalid value 'redis' for '<SERVICE_GROUP>': Invalid service group: redis. A \
             valid service group string is in the form service.group (example: redis.production)",
        ),
        (
            vec!["config", "apply", "redis.default", "1", "none.toml"],
            "error: invalid value 'none.toml' for '[FILE]': none.toml: is not a valid file or \
             stdin",
        ),
        (
            vec!["config", "show", "a/b/c/d/e"],
            "error: invalid value 'a/b/c/d/e' for '<SERVICE>': Invalid package identifier: \
             \"a/b/c/d/e\". A valid identifier is in the form origin/name (example: acme/redis)",
        ),
        (
            vec!["svc", "load", "a/b", "--bind", "db"],
            "error: invalid value 'db' for '--bind <BIND>...': Invalid binding 'db', must be of \
             the form <NAME>:<SERVICE_GROUP> where <NAME> is a service name, and <SERVICE_GROUP> \
             is a valid service group",
        ),
        (
            vec!["svc", "load", "a/b", "-t", "Leader"],
            "error: invalid value 'Leader' for '--topology <TOPOLOGY>'",
        ),
        (
            vec!["svc", "load", "a/b", "--force", "--force"],
            "error: the argument '--force' cannot be used multiple times",
        ),
        (vec!["svc", "load"], "error: the following required arguments were not provided"),
        (
            vec!["svc", "load", "a-b-1-2-x86_64-linux.hart"],
            "error: invalid value 'a-b-1-2-x86_64-linux.hart' for '[PKG_IDENT]': File not found \
             at: a-b-1-2-x86_64-linux.hart",
        ),
        (
            vec!["svc", "start", "a/b", "--timeout", "3"],
            "error: the following required arguments were not provided",
        ),
    ] {
        let ended = place.hab(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ended.stderr.starts_with(expected), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn glyphs_have_three_styles() {
    let place = Place::new();
    // Different names, as two keys of the same second would be one revision.
    let begin = |style: &str, ring: &str| {
        let env = [("HAB_GLYPH_STYLE", style)];
        place.hab_with(&["ring", "key", "generate", ring], &env, "")
    };
    assert!(begin("ascii", "a").stdout.starts_with(" >> Generating ring key for a\n*** Generated"));
    assert!(begin("LIMITED", "b").stdout.starts_with("» Generating ring key for b\n≡ Generated"));
    let unknown = begin("", "c");
    assert!(unknown.stdout.starts_with("» Generating"));
    assert!(unknown.stderr.starts_with("Unknown symbol style ''\n"), "{}", unknown.stderr);
}

#[test]
fn commands_of_habitat_that_are_not_there_say_what_to_do_instead() {
    let place = Place::new();
    for arguments in [vec!["studio", "enter"], vec!["origin", "create", "acme"], vec!["bldr", "-h"]]
    {
        let ended = place.hab(&arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("hab {}", arguments[0])), "{}", ended.stderr);
    }
}

#[test]
fn completions_know_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = place.hab(&["cli", "completers", "-s", shell]);
        assert_eq!(ended.code, 0);
        assert!(ended.stdout.contains("COMPLETE"), "{shell}: the program is asked");
    }
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let place = Place::new();
    let directory = place.path().join("man");
    let ended = place.hab(&["cli", "man", directory.to_str().expect("text")]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for page in ["hab.1", "hab-sup-run.1", "hab-svc-status.1"] {
        assert!(directory.join(page).is_file(), "{page}");
    }
}

#[test]
fn output_that_is_lost_is_a_failure_and_a_closed_pipe_is_none() {
    let place = Place::new();
    let run = |stdout: std::process::Stdio| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hab"));
        command.args(["cli", "completers", "-s", "bash"]).env_clear();
        command.env("FS_ROOT", place.root()).stdout(stdout);
        command.stderr(std::process::Stdio::piped()).output().expect("it starts")
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let closed = run(writer.into());
    assert!(closed.status.success() && closed.stderr.is_empty(), "{closed:?}");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let lost = run(full.into());
    assert_eq!(lost.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&lost.stderr);
    assert!(stderr.contains("cannot write to standard output: No space left"), "{stderr}");
}

#[test]
fn a_check_with_a_wrong_command_line_tells_nothing_of_the_service() {
    let ended = Place::new().hab(&["svc", "check", "--no-such-option"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (3, "UNKNOWN: wrong command line\n"));
    assert!(ended.stderr.starts_with("error: unexpected argument"), "{}", ended.stderr);
    assert_eq!(Place::new().hab(&["svc", "check", "--help"]).code, 0);
    let for_ever = u64::MAX.to_string();
    let nowhere = ["svc", "check", "--timeout", &for_ever, "--url", "http://127.0.0.1:1", "web"];
    let ended = Place::new().hab(&nowhere);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
}

#[test]
fn sup_term_fails_where_no_supervisor_runs_and_names_the_root() {
    let place = Place::new();
    let ended = place.hab(&["sup", "term"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    let start = "✗✗✗\n✗✗✗ Supervisor not terminated: Lock file error -> ";
    assert!(ended.stderr.starts_with(start), "{}", ended.stderr);
    let root = format!("FS_ROOT is {}.", place.root().display());
    assert!(ended.stderr.contains(&root), "{}", ended.stderr);
}

#[test]
fn a_secret_that_is_a_directory_is_told() {
    let place = Place::new();
    let secret = place.root().join("hab/sup/default/CTL_SECRET");
    std::fs::create_dir_all(&secret).expect("a directory");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let ended = place.hab(&["svc", "status", "-r", &address]);
    let expected = format!(
        "✗✗✗\n✗✗✗ [Err: 1] Expected file but found directory when reading ctl secret, {}\n✗✗✗\n",
        secret.display()
    );
    assert_eq!((ended.code, ended.stderr), (1, expected));
}
