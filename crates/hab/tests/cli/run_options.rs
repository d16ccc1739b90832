//! Options of `hab sup run`, seen through `--generate-config` and through what it refuses.

use toml::Table;

use testkit::Ended;

use crate::Place;

fn run(place: &Place, arguments: &[&str]) -> Ended {
    run_with(place, arguments, &[])
}

fn run_with(place: &Place, arguments: &[&str], env: &[(&str, &str)]) -> Ended {
    let all: Vec<&str> = ["sup", "run"].into_iter().chain(arguments.iter().copied()).collect();
    place.hab_with(&all, env, "")
}

/// The settings in force.
fn settings(place: &Place, arguments: &[&str], env: &[(&str, &str)]) -> Table {
    let (settings, warnings) = settings_and_warnings(place, arguments, env);
    assert_eq!(warnings, "");
    settings
}

fn settings_and_warnings(
    place: &Place,
    arguments: &[&str],
    env: &[(&str, &str)],
) -> (Table, String) {
    let all: Vec<&str> = arguments.iter().copied().chain(["--generate-config"]).collect();
    let ended = run_with(place, &all, env);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    (ended.stdout.parse().expect("TOML"), ended.stderr)
}

#[test]
fn the_generated_configuration_is_the_checked_in_one_and_reads_back() {
    let place = Place::new();
    let ended = run(&place, &["--generate-config"]);
    assert_eq!(ended.stdout, include_str!("generated.toml"), "see crates/hab/tests/cli");
    place.write("again.toml", &ended.stdout);
    let again = run(&place, &["--config-files", "again.toml", "--generate-config"]);
    assert_eq!(again.stdout, ended.stdout);
}

#[test]
fn the_last_file_wins_option_by_option() {
    let place = Place::new();
    place.write("a.toml", "strategy = \"rolling\"\ngroup = \"ga\"\nlisten_http = \"1.1.1.1:1\"\n");
    place.write("b.toml", "group = \"gb\"\nverbose = true\nunknown = 1\n");
    for files in
        [vec!["--config-files", "a.toml", "b.toml"], vec!["--config-files", "a.toml b.toml"]]
    {
        let (settings, warnings) = settings_and_warnings(&place, &files, &[]);
        assert!(warnings.starts_with("Ø b.toml: unknown key unknown is ignored."), "{warnings}");
        assert_eq!(settings["group"].as_str(), Some("gb"));
        assert_eq!(settings["strategy"].as_str(), Some("rolling"));
        assert_eq!(settings["binding_mode"].as_str(), Some("strict"));
        assert_eq!(settings["verbose"].as_bool(), Some(true));
        assert_eq!(settings["listen_http"].as_str(), Some("1.1.1.1:1"));
    }
}

#[test]
fn a_flag_is_set_by_any_layer_and_an_empty_list_hides_none() {
    let place = Place::new();
    place.write("a.toml", "verbose = true\npeer = [\"1.1.1.1\"]\nbind = [\"a:b.c\"]\n");
    place.write("b.toml", "verbose = false\npeer = []\njson_logging = true\nlisten_htpp = 1\n");
    let files = ["--config-files", "a.toml", "b.toml", "--http-disable", "--group", "g"];
    let (settings, warnings) = settings_and_warnings(&place, &files, &[("HAB_RING", "blue")]);
    assert_eq!(
        warnings,
        "Ø b.toml: unknown key listen_htpp is ignored. Did you mean listen_http?\n"
    );
    for (key, expected) in
        [("verbose", true), ("json_logging", true), ("http_disable", true), ("no_color", false)]
    {
        assert_eq!(settings[key].as_bool(), Some(expected), "{key}");
    }
    assert_eq!(settings["peer"].as_array().map(Vec::len), Some(1));
    assert_eq!(settings["bind"].as_array().map(Vec::len), Some(1));
    assert_eq!(settings["group"].as_str(), Some("g"));
    assert_eq!(settings["ring"].as_str(), Some("blue"));
    assert!(!settings.contains_key("ring_key"));
}

#[test]
fn generated_settings_hold_no_secrets() {
    let place = Place::new();
    place.write("a.toml", "event_stream_url = \"nats://me:s3cret@h\"\nring_key = \"s3cret\"\n");
    let secrets = [("HAB_AUTOMATE_AUTH_TOKEN", "s3cret"), ("HAB_RING_KEY", "s3cret")];
    let arguments = ["--generate-config", "--config-files", "a.toml"];
    let ended = run_with(&place, &arguments, &secrets);
    assert!(!ended.stdout.contains("s3cret"), "{}", ended.stdout);
    for key in ["event_stream_token", "event_stream_url"] {
        let line = format!("###  It is set, and its value is not shown\n# {key} = \n");
        assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    }
    let ended = run(&place, &["--generate-config", "--event-stream-url", "nats://me:s3cret@h:x"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    let expected = "error: invalid value 'nats://***@h:x' for '--event-stream-url \
                    <EVENT_STREAM_URL>': invalid address \"nats://***@h:x\"\n";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
}

#[test]
fn an_error_in_a_file_has_its_line_and_the_name_of_the_file() {
    let place = Place::new();
    place.write("a.toml", "group = \"g\"\n");
    place.write("b.toml", "# first line\nservice_min_backoff_period = \"soon\"\n");
    let ended = run(&place, &["--config-files", "a.toml", "b.toml"]);
    assert_eq!(ended.code, 86);
    assert!(ended.stdout.contains("line 2"), "{}", ended.stdout);
    assert!(ended.stdout.contains("(in b.toml)"), "{}", ended.stdout);
}

#[test]
fn command_line_and_environment_win_over_files_also_with_the_default_value() {
    let place = Place::new();
    place.write(
        "a.toml",
        "listen_http = \"1.1.1.1:1\"\nlisten_ctl = \"1.1.1.1:2\"\npeer = [\"1.1.1.1\"]\n",
    );
    let arguments = [
        "--config-files",
        "a.toml",
        "--listen-http",
        "0.0.0.0:9631",
        "--peer",
        "2.2.2.2:5 3.3.3.3",
    ];
    let settings = settings(&place, &arguments, &[("HAB_LISTEN_CTL", "127.0.0.9")]);
    assert_eq!(settings["listen_http"].as_str(), Some("0.0.0.0:9631"));
    assert_eq!(settings["listen_ctl"].as_str(), Some("127.0.0.9:9632"));
    let peers: Vec<_> = settings["peer"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|peer| peer.as_str())
        .collect();
    assert_eq!(peers, ["2.2.2.2:5", "3.3.3.3:9638"]);
}

#[test]
fn the_usual_file_counts_only_without_others_and_below_the_root() {
    let place = Place::new();
    place.write("root/hab/sup/default/config/sup.toml", "organization = \"usual\"\n");
    place.write("other.toml", "");
    assert_eq!(settings(&place, &[], &[])["organization"].as_str(), Some("usual"));
    let other = settings(&place, &["--config-files", "other.toml"], &[]);
    assert!(!other.contains_key("organization"));
}

#[test]
fn files_that_cannot_be_used_end_with_86() {
    let place = Place::new();
    place.write("a.conf", "");
    place.write("bad.toml", "listen_http = \"nonsense\"\n");
    for (file, expected) in [
        ("a.conf", "'a.conf' is not a valid toml config file.\n"),
        ("bad.toml", "Can't deserialize TOML: "),
        ("none.toml", "Config file 'none.toml' not found.\n"),
    ] {
        let ended = run(&place, &["--config-files", file]);
        assert_eq!((ended.code, ended.stderr.as_str()), (86, ""), "{file}");
        assert!(ended.stdout.starts_with(expected), "{}", ended.stdout);
    }
}

#[test]
fn what_does_not_exist_yet_is_refused() {
    let place = Place::new();
    place.write("a.toml", "keep_latest_packages = 3\n");
    for (arguments, option) in [
        (vec!["--auto-update"], "--auto-update"),
        (vec!["--service-update-period", "5"], "--service-update-period"),
        (vec!["--keep-latest-packages", "3"], "--keep-latest-packages"),
        (vec!["core/redis", "--strategy", "rolling"], "--strategy at-once or rolling"),
        (vec!["--config-files", "a.toml"], "--keep-latest-packages"),
    ] {
        let ended = run(&place, &arguments);
        assert_eq!(ended.code, 2, "{arguments:?}");
        let expected = format!("error: {option} is not supported yet\n");
        assert!(ended.stderr.starts_with(&expected), "{}", ended.stderr);
    }
}

#[test]
fn options_that_exclude_each_other_are_refused_also_from_the_environment() {
    let place = Place::new();
    let gossip: &[_] = &[("HAB_LISTEN_GOSSIP", "127.0.0.1:9638")];
    let rings: &[_] = &[("HAB_RING", "a"), ("HAB_RING_KEY", "b")];
    let empty: &[_] = &[("HAB_LISTEN_CTL", "")];
    for (arguments, env) in [
        (vec!["--local-gossip-mode"], gossip),
        (vec!["--local-gossip-mode", "--peer", "1.1.1.1"], &[]),
        (vec!["--peer", "1.1.1.1", "--peer-watch-file", "x"], &[]),
        (vec![], rings),
        (vec!["--ring", "a"], &[("HAB_RING_KEY", "b")]),
        // An empty variable counts as given.
        (vec![], empty),
        (vec!["--certs", "x"], &[]),
        (vec!["--ca-certs", "x", "--key", "y"], &[]),
        (vec!["--listen-gossip", "[::1]:9638"], &[]),
        // Values are taken greedily: the package becomes a peer.
        (vec!["--peer", "1.1.1.1", "core/redis"], &[]),
        (vec!["no-package"], &[]),
        (vec!["./no-directory"], &[]),
    ] {
        let ended = run_with(&place, &arguments, env);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?} {env:?}");
        assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    }
}

#[test]
fn a_key_without_certificates_ends_the_start() {
    let ended = run(&Place::new(), &["--key", "key.pem"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (86, ""));
    assert!(ended.stdout.starts_with("HTTP TLS needs both"), "{}", ended.stdout);
}

#[test]
fn a_load_can_show_its_settings_too() {
    let ended = Place::new().hab(&["svc", "load", "--generate-config", "core/redis", "-f"]);
    assert_eq!(ended.code, 0);
    let settings: Table = ended.stdout.parse().expect("TOML");
    assert_eq!(settings["pkg_ident"].as_str(), Some("core/redis"));
    assert_eq!(settings["force"].as_bool(), Some(true));
    assert_eq!(settings["bldr_url"].as_str(), Some("https://bldr.habitat.sh"));
    assert_eq!(settings["remote_sup"].as_str(), Some("127.0.0.1:9632"));
    assert!(ended.stdout.ends_with("# config_from = \n\n\n"), "{}", ended.stdout);
}

#[test]
fn options_of_the_event_stream_are_checked_as_recorded() {
    let place = Place::new();
    place.write("meta.toml", "event_meta = [\"a\"]\n");
    place.write("none.pem", "no certificate\n");
    let needed = ["--event-stream-application", "a", "--event-stream-environment", "e"];
    let token = ["--event-stream-token", "T"];
    let url = ["--event-stream-url", "127.0.0.1:1"];
    let all = [&needed[..], &token, &url].concat();
    let with = |more: &[&'static str]| [&all[..], more].concat();
    let missing = |names: &[&str]| {
        let shown = |name: &&str| {
            format!("\n  --event-stream-{name} <EVENT_STREAM_{}>", name.to_uppercase())
        };
        let names: String = names.iter().map(shown).collect();
        format!("error: the following required arguments were not provided:{names}\n")
    };
    let meta = "Invalid key-value pair given (must be '='-delimited pair of non-empty strings): ";
    let meta = |text: &str| {
        format!("error: invalid value '{text}' for '--event-meta <KEY=VALUE>...': {meta}{text}\n")
    };
    let address = |text: &str, error: &str| {
        let option = "'--event-stream-url <EVENT_STREAM_URL>'";
        format!("error: invalid value '{text}' for {option}: {error}\n")
    };
    for (arguments, expected) in [
        (url.to_vec(), missing(&["application", "environment", "token"])),
        ([&needed[..], &url].concat(), missing(&["token"])),
        ([&token[..], &url].concat(), missing(&["application", "environment"])),
        (
            vec!["--event-stream-application", ""],
            "error: a value is required for '--event-stream-application \
             <EVENT_STREAM_APPLICATION>' but none was supplied\n"
                .into(),
        ),
        (
            vec!["--event-stream-token", ""],
            "error: invalid value '' for '--event-stream-token <EVENT_STREAM_TOKEN>': Invalid \
             event stream token provided: ''\n"
                .into(),
        ),
        (with(&["--event-meta", "a"]), meta("a")),
        (with(&["--event-meta", "a=b=c"]), meta("a=b=c")),
        (with(&["--event-meta", "=b"]), meta("=b")),
        (with(&["--config-files", "meta.toml"]), meta("a")),
        (vec!["--event-stream-url", ""], address("", "invalid address \"\"")),
        (
            vec!["--event-stream-url", "http://x:1"],
            address("http://x:1", "invalid scheme 'http' only 'nats' is supported"),
        ),
        (
            with(&["--event-stream-server-certificate", "none.pem"]),
            "error: invalid value 'none.pem' for '--event-stream-server-certificate \
             <EVENT_STREAM_SERVER_CERTIFICATE>': none.pem holds no certificate in PEM\n"
                .into(),
        ),
    ] {
        let ended = run(&place, &arguments);
        assert_eq!(ended.code, 2, "{arguments:?}");
        assert!(ended.stderr.starts_with(&expected), "{arguments:?}: {}", ended.stderr);
    }
}
