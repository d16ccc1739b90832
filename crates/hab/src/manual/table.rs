//! The texts, one entry per command.

use super::{EXIT, Manual, Rows};

const fn manual(command: &'static str, examples: Rows) -> Manual {
    Manual { command, examples, files: &[], exit: EXIT }
}

const NO_FILES: Rows = &[];

pub(super) const MANUALS: &[Manual] = &[
    manual(
        "",
        &[
            ("hab sup run ./web", "Run a Supervisor and the service in the directory web."),
            ("hab svc status --format wide", "Show what runs on this machine."),
        ],
    ),
    manual(
        "cli completers",
        &[(
            "hab cli completers --shell bash > ~/.local/share/bash-completion/completions/hab",
            "Complete commands, services and keys in bash, for this user.",
        )],
    ),
    Manual {
        command: "cli setup",
        examples: &[("hab cli setup", "Answer the questions, one after the other.")],
        files: &[(
            "/hab/etc/cli.toml, ~/.hab/etc/cli.toml",
            "The settings it writes, of root and of other users.",
        )],
        exit: EXIT,
    },
    manual(
        "config apply",
        &[
            (
                "hab config apply redis.default 1 redis.toml",
                "Give the group redis.default this configuration, on all machines.",
            ),
            (
                "echo 'port = 7000' | hab config apply redis.default 2",
                "Replace it by a newer version from standard input.",
            ),
            (
                "hab config apply --user admin redis.default@acme 3 redis.toml",
                "Encrypt it, so that only the group can read it.",
            ),
        ],
    ),
    manual(
        "config show",
        &[("hab config show redis", "Print what can be configured, and the defaults.")],
    ),
    manual(
        "file upload",
        &[(
            "hab file upload web.default 1 ./motd.txt",
            "Put motd.txt into the directory files of web, on all machines of the group.",
        )],
    ),
    Manual {
        command: "license accept",
        examples: &[("hab license accept", "Write the file that Habitat's tools look for.")],
        files: &[(
            "/hab/accepted-licenses/habitat, ~/.hab/accepted-licenses/habitat",
            "The record, of root and of other users.",
        )],
        exit: EXIT,
    },
    manual(
        "origin key export",
        &[("hab origin key export acme", "Print the public key that packages are checked with.")],
    ),
    manual("origin key generate", &[("hab origin key generate acme", "Generate a pair of keys.")]),
    manual(
        "origin key import",
        &[("hab origin key import", "Take the key that is piped in: acme.pub, for example.")],
    ),
    manual(
        "pkg config",
        &[("hab pkg config core/redis", "Print what can be configured, and the defaults.")],
    ),
    manual(
        "plan render",
        &[
            (
                "hab plan render config/web.conf --print --no-render",
                "Show what the template makes of ./default.toml; write nothing.",
            ),
            (
                "hab plan render config/web.conf -u user.toml -m mock.json -p -n -q",
                "With a configuration on top, and with made-up members and binds.",
            ),
        ],
    ),
    manual(
        "ring key export",
        &[("hab ring key export prod > prod.key", "Keep the newest key of prod in a file.")],
    ),
    manual("ring key generate", &[("hab ring key generate prod", "Make a key for the ring prod.")]),
    manual(
        "ring key import",
        &[("hab ring key import < prod.key", "Take the key from another machine.")],
    ),
    manual("sup bash", &[("hab sup bash", "Start bash.")]),
    manual("sup sh", &[("hab sup sh", "Start sh.")]),
    manual(
        "sup depart",
        &[(
            "hab sup depart 4399afd30f3f46669c781de43b344120",
            "The member with this id is gone and will not come back.",
        )],
    ),
    manual(
        "sup restart",
        &[("hab sup restart --wait", "Take a new program into use; services keep running.")],
    ),
    Manual {
        command: "sup run",
        examples: &[
            ("hab sup run ./web", "Run a Supervisor and the service in the directory web."),
            ("hab sup run", "Run what was loaded before."),
            (
                "FS_ROOT=$HOME/roost hab sup run ./web",
                "As an ordinary user: keep everything below a directory of one's own.",
            ),
            (
                "hab sup run --listen-http 127.0.0.1:9631 --local-gossip-mode ./web",
                "Listen on this machine only.",
            ),
            (
                "hab sup run --ring prod --peer db-1 --peer db-2",
                "Join a ring whose messages are encrypted.",
            ),
        ],
        files: &[
            ("/hab/sup/default/config/sup.toml", "Settings; --generate-config prints them all."),
            ("/hab/sup/default/specs", "What is loaded, one file per service."),
            ("/hab/sup/default/CTL_SECRET", "The secret of the control gateway."),
            ("/hab/sup/default/config/log.yml", "Levels of the diagnostic log."),
            ("/hab/svc/NAME", "Files of a service: config, data, files, logs."),
            ("/hab/user/NAME/config/user.toml", "Configuration of a service on this machine."),
            ("/etc/default/hab-sup", "Variables of the systemd unit."),
        ],
        exit: &[
            ("0", "An orderly end."),
            ("1", "The system refuses what the launcher needs."),
            ("2", "Wrong command line, unreadable TLS file, or something not supported yet."),
            (
                "86",
                "The Supervisor cannot start or go on: port taken, lock held, bad key, departed. The \
                 last line on standard output says why.",
            ),
        ],
    },
    Manual {
        command: "sup secret generate",
        examples: &[(
            "hab sup secret generate > CTL_SECRET",
            "Make a secret, to be put in place before the Supervisor starts.",
        )],
        files: &[("/hab/sup/default/CTL_SECRET", "Where a Supervisor looks for its secret.")],
        exit: EXIT,
    },
    Manual {
        command: "sup secret generate-tls",
        examples: &[(
            "hab sup secret generate-tls --subject-alternative-name sup-1.example.com",
            "Make a key and a certificate for the control gateway of sup-1.",
        )],
        files: &[("/hab/cache/keys/ctl", "Where they are written.")],
        exit: EXIT,
    },
    Manual {
        command: "sup term",
        examples: &[("hab sup term", "Stop the Supervisor and all its services.")],
        files: &[("/hab/sup/default/LOCK", "Names the process that is asked to stop.")],
        exit: &[
            ("0", "It was asked to stop."),
            ("1", "There is none, with this root."),
            ("86", "This user may not stop it."),
        ],
    },
    Manual {
        command: "svc check",
        examples: &[
            ("hab svc check redis", "The health of redis.default on this machine."),
            (
                "hab svc check --url https://web-1:9631 --ca-certs ca.pem web.prod",
                "On another machine, over TLS.",
            ),
        ],
        files: NO_FILES,
        exit: &[
            ("0", "OK."),
            ("1", "Warning."),
            ("2", "Critical, or not loaded."),
            ("3", "Unknown: not reachable, not started, wrong token, wrong command line."),
        ],
    },
    manual(
        "svc key generate",
        &[(
            "hab svc key generate redis.default acme",
            "Make the keys that configurations for redis.default@acme are encrypted with.",
        )],
    ),
    manual(
        "svc load",
        &[
            ("hab svc load ./web", "Run the service in the directory web."),
            ("hab svc load acme/web --wait=healthy", "Run a package; return when it is healthy."),
            (
                "hab svc load acme/web --group prod --bind database:postgresql.prod",
                "In the group web.prod, with the members of postgresql.prod as its database.",
            ),
        ],
    ),
    manual("svc start", &[("hab svc start web --wait", "Start it; return when it is up.")]),
    manual(
        "svc status",
        &[
            ("hab svc status", "One line per service."),
            ("hab svc status web --format json", "Everything that is known of one."),
        ],
    ),
    manual("svc stop", &[("hab svc stop web --wait", "Stop it; return when it is down.")]),
    manual("svc unload", &[("hab svc unload web", "Stop it and forget it.")]),
    manual(
        "svc update",
        &[(
            "hab svc update web --health-check-interval 10",
            "Check its health every ten seconds from now on.",
        )],
    ),
    manual(
        "user key generate",
        &[("hab user key generate admin", "Make the keys of the user admin.")],
    ),
];
