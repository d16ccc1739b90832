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
            ("hab svc status --format wide", "Show the services of this machine."),
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
        examples: &[("hab cli setup", "Answer the questions one by one.")],
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
                "Apply this configuration to the group redis.default on all machines.",
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
        &[("hab config show redis", "Print the configuration keys and their defaults.")],
    ),
    manual(
        "events",
        &[
            ("hab events --since -2h", "What happened in the last two hours."),
            ("hab events -f --severity warning,error", "What goes wrong, as it happens."),
        ],
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
        &[("hab origin key export acme", "Print the public key that verifies packages.")],
    ),
    manual("origin key generate", &[("hab origin key generate acme", "Generate a pair of keys.")]),
    manual(
        "origin key import",
        &[("hab origin key import", "Import a key from a pipe, for example acme.pub.")],
    ),
    manual(
        "pkg config",
        &[("hab pkg config core/redis", "Print the configuration keys and their defaults.")],
    ),
    manual(
        "plan render",
        &[
            (
                "hab plan render config/web.conf --print --no-render",
                "Print the template rendered with ./default.toml; write nothing.",
            ),
            (
                "hab plan render config/web.conf -u user.toml -m mock.json -p -n -q",
                "With an additional configuration, and with mock members and binds.",
            ),
        ],
    ),
    manual(
        "ring key export",
        &[("hab ring key export prod > prod.key", "Store the newest key of prod in a file.")],
    ),
    manual(
        "ring key generate",
        &[("hab ring key generate prod", "Generate a key for the ring prod.")],
    ),
    manual(
        "ring key import",
        &[("hab ring key import < prod.key", "Import the key from another machine.")],
    ),
    manual(
        "ring groups",
        &[
            ("hab ring groups --warnings", "The groups that need an operator."),
            ("hab ring groups redis.default", "One group with its members and votes."),
        ],
    ),
    manual(
        "ring health",
        &[
            ("hab ring health", "The services of all machines."),
            ("hab ring health --strict", "The same as a check of Nagios."),
        ],
    ),
    manual(
        "ring matrix",
        &[("hab ring matrix", "How the members see each other, and what is wrong with it.")],
    ),
    manual(
        "ring members",
        &[
            ("hab ring members", "Each member, and since when its state is known from whom."),
            (
                "hab ring members --state suspect,confirmed --url http://10.0.0.7:9631",
                "The members that another machine takes for dead.",
            ),
        ],
    ),
    manual("sup bash", &[("hab sup bash", "Start bash.")]),
    manual("sup sh", &[("hab sup sh", "Start sh.")]),
    manual(
        "sup debug-bundle",
        &[("hab sup debug-bundle -o report.tar.gz", "State, events, lines and processes.")],
    ),
    manual(
        "sup depart",
        &[(
            "hab sup depart 4399afd30f3f46669c781de43b344120",
            "The member with this id is gone and will not come back.",
        )],
    ),
    manual(
        "sup restart",
        &[("hab sup restart --wait", "Start a new version of the program; services keep running.")],
    ),
    Manual {
        command: "sup run",
        examples: &[
            ("hab sup run ./web", "Run a Supervisor and the service in the directory web."),
            ("hab sup run", "Run the services loaded before."),
            (
                "FS_ROOT=$HOME/roost hab sup run ./web",
                "As an ordinary user: keep all files below your own directory.",
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
            ("/hab/sup/default/specs", "Loaded services, one file each."),
            ("/hab/sup/default/CTL_SECRET", "The secret of the control gateway."),
            ("/hab/sup/default/config/log.yml", "Levels of the diagnostic log."),
            ("/hab/svc/NAME", "Files of a service: config, data, files, logs."),
            ("/hab/user/NAME/config/user.toml", "Configuration of a service on this machine."),
            ("/etc/default/hab-sup", "Variables of the systemd unit."),
        ],
        exit: &[
            ("0", "Clean shutdown."),
            ("1", "A system call of the launcher failed."),
            ("2", "Wrong command line, unreadable TLS file, or an unsupported option."),
            (
                "86",
                "The Supervisor cannot start or continue: port taken, lock held, bad key, departed. The \
                 last line on standard output shows the reason.",
            ),
        ],
    },
    Manual {
        command: "sup secret generate",
        examples: &[(
            "hab sup secret generate > CTL_SECRET",
            "Generate a secret, to install before the Supervisor starts.",
        )],
        files: &[("/hab/sup/default/CTL_SECRET", "The Supervisor reads its secret from here.")],
        exit: EXIT,
    },
    Manual {
        command: "sup secret generate-tls",
        examples: &[(
            "hab sup secret generate-tls --subject-alternative-name sup-1.example.com",
            "Generate a key and a certificate for the control gateway of sup-1.",
        )],
        files: &[("/hab/cache/keys/ctl", "They are written here.")],
        exit: EXIT,
    },
    Manual {
        command: "sup term",
        examples: &[("hab sup term", "Stop the Supervisor and all its services.")],
        files: &[("/hab/sup/default/LOCK", "Contains the id of the process to stop.")],
        exit: &[
            ("0", "The Supervisor received the stop signal."),
            ("1", "No Supervisor runs with this root."),
            ("86", "This user may not stop the Supervisor."),
        ],
    },
    Manual {
        command: "sup token list",
        examples: &[("hab sup token list --format json", "List tokens for a program.")],
        files: &[(
            "/hab/sup/default/http-tokens.toml",
            "The tokens, as hashes, unless another file is given.",
        )],
        exit: &[("1", "The file is missing or has a fault.")],
    },
    Manual {
        command: "sup token new",
        examples: &[
            (
                "hab sup token new prometheus --scopes read --expires 90d",
                "Make a token for Prometheus.",
            ),
            (
                "hab sup token new oncall --scopes read,logs,ring --expires 2027-01-31",
                "Make a token that also reads lines of services and the ring.",
            ),
        ],
        files: &[(
            "/hab/sup/default/http-tokens.toml",
            "The tokens, as hashes, unless another file is given.",
        )],
        exit: &[("1", "The name is taken, or the file has a fault or cannot be written.")],
    },
    Manual {
        command: "sup token revoke",
        examples: &[("hab sup token revoke prometheus", "Take access away at once.")],
        files: &[(
            "/hab/sup/default/http-tokens.toml",
            "The tokens, as hashes, unless another file is given.",
        )],
        exit: &[("1", "There is no such token, or the file cannot be written.")],
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
        "svc history",
        &[("hab svc history redis", "What happened to redis, with causes and last words.")],
    ),
    manual(
        "svc key generate",
        &[(
            "hab svc key generate redis.default acme",
            "Generate the keys that encrypt configurations for redis.default@acme.",
        )],
    ),
    manual(
        "svc load",
        &[
            ("hab svc load ./web", "Run the service in the directory web."),
            ("hab svc load acme/web --wait=healthy", "Run a package; return when it is healthy."),
            (
                "hab svc load acme/web --group prod --bind database:postgresql.prod",
                "In the group web.prod, with postgresql.prod bound as its database.",
            ),
        ],
    ),
    Manual {
        command: "svc logs",
        examples: &[
            ("hab svc logs redis --tail 50", "The last 50 lines of redis."),
            ("hab svc logs redis -f --stream stderr", "Its errors, as they are printed."),
            ("hab svc logs redis --since -10m --grep timeout", "Of the last ten minutes."),
        ],
        files: &[(
            "/hab/sup/default/logs/NAME.GROUP/",
            "The lines, in the format of Kubernetes' container logs: the file current, and older \
             ones.",
        )],
        exit: EXIT,
    },
    manual("svc start", &[("hab svc start web --wait", "Start it; return when it is up.")]),
    manual(
        "svc stats",
        &[
            ("hab svc stats", "CPU time, memory, files and ports of each service."),
            ("hab svc stats redis --format json", "All that is known of one service."),
        ],
    ),
    manual(
        "svc status",
        &[
            ("hab svc status", "One line per service."),
            ("hab svc status web --format json", "All known properties of one service."),
            ("hab svc status --watch", "Show all services again whenever one changes."),
        ],
    ),
    manual("svc stop", &[("hab svc stop web --wait", "Stop it; return when it is down.")]),
    manual("svc unload", &[("hab svc unload web", "Stop it and remove its spec.")]),
    manual(
        "svc update",
        &[("hab svc update web --health-check-interval 10", "Check its health every ten seconds.")],
    ),
    Manual {
        command: "svc why",
        examples: &[
            ("hab svc why web", "Causes from the effect to the root, and what to do."),
            ("hab svc why web --format json", "The same for programs."),
        ],
        files: NO_FILES,
        exit: &[
            ("0", "The service is as it should be: up and well, or stopped by a user."),
            ("1", "There is no such service, or the Supervisor refused to answer."),
            ("2", "A wrong command line."),
            ("3", "The service is not as it should be, or its Supervisor does not answer."),
        ],
    },
    manual(
        "user key generate",
        &[("hab user key generate admin", "Generate the keys of the user admin.")],
    ),
];
