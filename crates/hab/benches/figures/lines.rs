//! What lines of services cost the launcher, and whether it keeps all of them.

use std::{thread, time::Duration};

use testkit::{Root, wait_for};

use super::{cpu_of, report, root, spec, stop};

/// Time of one sample.
const ROUND: Duration = Duration::from_secs(5);
const ROUNDS: usize = 5;
/// Length of a line, with its line feed.
const LINE_BYTES: usize = 100;

/// A service that prints so many lines, ten times a second.
fn printer(lines: usize) -> String {
    format!(
        "#!/bin/sh\nyes $(printf %0{}d 7) | head -n {lines} > {{{{pkg.svc_data_path}}}}/lines\n\
         while :; do cat {{{{pkg.svc_data_path}}}}/lines; sleep 0.1; done\n",
        LINE_BYTES - 1,
    )
}

fn install(root: &Root, run: &str) {
    root.package("acme/web/1.0/20250101000000", &[("hooks/run", run)]);
    root.spec("web", &spec("web"));
}

/// All lines that are kept, the newest 8 MiB.
fn kept(root: &Root) -> String {
    let directory = root.join("hab/sup/default/logs/web.default");
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .expect("lines")
        .map(|entry| entry.expect("a file").path())
        .collect();
    names.sort();
    names.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect()
}

fn lost(root: &Root) -> f64 {
    let text = kept(root);
    let marks = text.lines().filter_map(|line| line.split_once(" F:lost "));
    marks.filter_map(|(_, mark)| mark.split(' ').next()?.parse::<f64>().ok()).sum()
}

pub(super) fn rate() {
    for (each, name, budget) in [
        (1_000, "launcher, 10,000 lines/s of a service", "<= 5 % of a core"),
        (10_000, "launcher, 100,000 lines/s of a service", "-"),
    ] {
        let root = root();
        install(&root, &printer(each));
        let sup = root.supervisor().start();
        sup.wait_up("web");
        thread::sleep(Duration::from_secs(1));
        let samples = (0..ROUNDS).map(|_| {
            let (began, before) = (std::time::Instant::now(), cpu_of(sup.launcher_pid()));
            thread::sleep(ROUND);
            (cpu_of(sup.launcher_pid()) - before) / began.elapsed().as_secs_f64() * 100.0
        });
        let samples = samples.collect();
        report(name, "%", samples, budget);
        report("... lines lost", "", vec![lost(&root)], "0");
        stop(sup);
    }
}

pub(super) fn burst() {
    const LAST: usize = 3_200_000;
    let root = root();
    install(&root, &format!("#!/bin/sh\nseq {LAST}\nexec sleep 100000\n"));
    let sup = root.supervisor().start();
    wait_for("the last line", || kept(&root).contains(&format!(" {LAST}\n")).then_some(()));
    report("lines lost of a burst of 24 MB", "", vec![lost(&root)], "0");
    stop(sup);
}
