//! Output of processes arrives, whatever the reader does.

use std::{io::Read, process::Stdio, time::Duration};

use roost_launch::{
    line::Style,
    wire::{Hello, HookEnded, Kind, LauncherEvent, Output, Request, Scope, WireStatus},
};
use roost_logs::Stream;

use crate::{
    Test,
    rig::{Rig, Text, status_kb, wait_for},
};

pub(crate) const TESTS: &[Test] = &[
    ("lines_of_services_carry_their_group", lines_of_services_carry_their_group),
    (
        "the_last_words_of_a_service_come_before_its_end",
        the_last_words_of_a_service_come_before_its_end,
    ),
    ("the_supervisor_decides_the_style", the_supervisor_decides_the_style),
    ("output_of_hooks_goes_to_the_supervisor", output_of_hooks_goes_to_the_supervisor),
    (
        "a_background_process_does_not_hold_up_the_end_of_output",
        a_background_process_does_not_hold_up_the_end_of_output,
    ),
    ("a_hook_without_output_ends_with_its_process", a_hook_without_output_ends_with_its_process),
    ("a_hook_that_prints_200_mb_takes_no_memory", a_hook_that_prints_200_mb_takes_no_memory),
    ("a_vanished_reader_blocks_nothing", a_vanished_reader_blocks_nothing),
    (
        "a_stalled_reader_blocks_nothing_and_gets_the_number_of_lost_lines",
        a_stalled_reader_blocks_nothing_and_gets_the_number_of_lost_lines,
    ),
    ("a_slow_reader_misses_nothing", a_slow_reader_misses_nothing),
    (
        "what_is_in_a_pipe_when_the_launcher_ends_is_printed",
        what_is_in_a_pipe_when_the_launcher_ends_is_printed,
    ),
];

fn lines_of_services_carry_their_group() {
    let (rig, mut sup) = Rig::started();
    let script = "echo out; echo err >&2; printf 'cr\\r\\n\\n\\377\\nlast'";
    sup.spawn(1, Kind::Service, "a.default", script);
    sup.exited(1);
    rig.stderr.wait("a.default(E): err\n");
    let text = rig.stdout.wait("a.default(O): last\n");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("a.")).collect();
    assert_eq!(
        lines,
        [
            "a.default(O): out",
            "a.default(O): cr",
            "a.default(O): ",
            "a.default(O): \u{fffd}",
            "a.default(O): last"
        ]
    );
}

fn the_last_words_of_a_service_come_before_its_end() {
    let (rig, mut sup) = Rig::started();
    sup.spawn(1, Kind::Service, "a.default", "yes $(printf %0200d 0) | head -n 200; echo last");
    sup.exited(1);
    let text = rig.stdout.wait("Child for service");
    let end = text.find("Child for service").expect("waited for");
    assert!(text[..end].ends_with("a.default(O): last\nhab-launch(SV): "));
}

fn the_supervisor_decides_the_style() {
    let mut rig = Rig::new();
    rig.start();
    let mut sup = rig.accept();
    let style = Style { color: true, json: true, ..Style::default() };
    sup.send(&Request::Hello(Hello::new(style)));
    sup.spawn(1, Kind::Service, "a.default", "echo '\"x\"'");
    rig.stdout.wait(
        "{\"preamble\":\"a.default\",\"logkey\":\"O\",\"content\":\"\\\"x\\\"\",\"time\":\"2",
    );
    rig.stdout.wait(
        "\"level\":\"info\",\"service\":\"a.default\",\"hook\":null,\"stream\":\"stdout\"}\n",
    );
}

fn output_of_hooks_goes_to_the_supervisor() {
    let (rig, mut sup) = Rig::started();
    sup.spawn(1, Kind::Hook, "a hook[init]", "printf out; printf err >&2");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    sup.until(|event| match event {
        LauncherEvent::Output(output) => {
            match output.stream() {
                Stream::Stdout => out.extend(output.bytes),
                Stream::Stderr => err.extend(output.bytes),
            }
            None
        }
        LauncherEvent::HookEnded(HookEnded { id: 1, .. }) => Some(()),
        _ => None,
    });
    assert_eq!((out.as_slice(), err.as_slice()), (&b"out"[..], &b"err"[..]));
    assert_eq!(rig.stdout.get(), "");
}

fn a_background_process_does_not_hold_up_the_end_of_output() {
    let (rig, mut sup) = Rig::started();
    let script = "echo before; (read line < $ROOST_TEST_ROOT/fifo; echo after) &";
    let fifo = rig.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    sup.spawn(1, Kind::Hook, "a hook[post-run]", script);
    assert_eq!(sup.output(1), "before\n");
    // later output still arrives: the process must not die from writing it
    std::fs::write(&fifo, "go\n").expect("written");
    let late = sup.until(|event| match event {
        LauncherEvent::Output(Output { id: 1, bytes, .. }) => Some(bytes),
        _ => None,
    });
    assert_eq!(late, b"after\n");
}

fn a_hook_without_output_ends_with_its_process() {
    let (rig, mut sup) = Rig::started();
    let fifo = rig.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    let script = "echo word; exec >&- 2>&-; read line < $ROOST_TEST_ROOT/fifo; exit 7";
    sup.spawn(1, Kind::Hook, "a hook[init]", script);
    // opens once the hook reads, long after it closed its output
    std::fs::write(&fifo, "go\n").expect("written");
    assert_eq!(sup.hook_ended(1), Some(WireStatus::Code(7)));
    // no other event about it comes before the end of another one
    sup.spawn(2, Kind::Hook, "a hook[init]", "true");
    sup.until(|event| match event {
        LauncherEvent::HookEnded(HookEnded { id: 2, .. }) => Some(()),
        LauncherEvent::HookEnded(_) | LauncherEvent::Exited(_) => panic!("{event:?}"),
        _ => None,
    });
}

fn a_hook_that_prints_200_mb_takes_no_memory() {
    let (rig, mut sup) = Rig::started();
    sup.spawn(1, Kind::Hook, "a hook[init]", "head -c 200000000 /dev/zero");
    sup.spawned(1);
    let mut count = 0_usize;
    let status = sup.until(|event| match event {
        LauncherEvent::Output(Output { bytes, .. }) => {
            count += bytes.len();
            None
        }
        LauncherEvent::HookEnded(HookEnded { id: 1, status }) => Some(status),
        _ => None,
    });
    assert_eq!(status, Some(WireStatus::Code(0)));
    assert_eq!(count, 200_000_000);
    let peak_kb = status_kb(rig.pid(), "VmHWM");
    assert!(peak_kb < 10_000, "{peak_kb} kB");
}

fn a_vanished_reader_blocks_nothing() {
    let mut rig = Rig::new();
    let command = rig.command();
    rig.start_with(command);
    let launcher = rig.launcher.as_mut().expect("started");
    drop(launcher.stdout.take());
    drop(launcher.stderr.take());
    let mut sup = rig.accept();
    sup.hello();
    let script = "i=0; while [ $i -lt 3000 ]; do echo $i; echo $i >&2; i=$((i+1)); done; exit 5";
    sup.spawn(1, Kind::Service, "a.default", script);
    assert_eq!(sup.exited(1), Some(WireStatus::Code(5)));
    sup.sleeper(2, "a.default");
    rig.signal(libc::SIGTERM);
    sup.until(|event| matches!(event, LauncherEvent::Shutdown(_)).then_some(()));
    sup.end(0);
    assert_eq!(rig.wait().code(), Some(0));
}

fn a_stalled_reader_blocks_nothing_and_gets_the_number_of_lost_lines() {
    let mut rig = Rig::new();
    let mut command = rig.command();
    command.stderr(Stdio::null());
    rig.start_with(command);
    let stdout = rig.launcher.as_mut().expect("started").stdout.take().expect("piped");
    let mut sup = rig.accept();
    sup.hello();
    sup.spawn(1, Kind::Service, "a.default", "yes 0123456789 | head -n 400000");
    assert_eq!(sup.exited(1), Some(WireStatus::Code(0)));
    assert!(status_kb(rig.pid(), "VmRSS") < 10_000);
    // it reads again
    let text = Text::default();
    text.collect(stdout);
    let text = text.wait("lines of output could not be written and are lost\n");
    assert!(text.starts_with("a.default(O): 0123456789\n"), "lines that were taken are kept");
    let lost = text.lines().find(|line| line.contains("are lost")).expect("there");
    let lost: usize = lost.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    let printed = text.matches("(O): 0123456789\n").count();
    // the one line about the end may be among the lost ones
    assert!((400_000..=400_001).contains(&(printed + lost)), "{printed} + {lost}");
}

fn a_slow_reader_misses_nothing() {
    let mut rig = Rig::new();
    let command = rig.command();
    rig.start_with(command);
    let launcher = rig.launcher.as_mut().expect("started");
    let mut stdout = launcher.stdout.take().expect("piped");
    let mut sup = rig.accept();
    sup.hello();
    sup.spawn(1, Kind::Service, "a.default", "yes 0123456789 | head -n 100000; exec sleep 1000");
    // slower than the service, which is slowed down instead of losing lines
    let mut text = Vec::new();
    let mut buffer = [0; 700];
    let wanted = 100_000 * "a.default(O): 0123456789\n".len();
    while text.len() < wanted {
        std::thread::sleep(Duration::from_millis(1));
        let count = stdout.read(&mut buffer).expect("readable");
        assert!(count > 0);
        text.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8(text).expect("text");
    assert_eq!(text.matches("a.default(O): 0123456789\n").count(), 100_000);
    sup.signal(1, libc::SIGKILL, Scope::Group);
    sup.group_gone(1);
}

/// The launcher's own output is full when the service and the Supervisor end, so that the last
/// lines are still in the service's pipe when everything else is done.
fn what_is_in_a_pipe_when_the_launcher_ends_is_printed() {
    let mut rig = Rig::new();
    let command = rig.command();
    rig.start_with(command);
    let stdout = rig.launcher.as_mut().expect("started").stdout.take().expect("piped");
    let mut sup = rig.accept();
    sup.hello();
    // 64 KiB for the pipe of the launcher, as much for what waits in it, the rest stays behind
    sup.spawn(1, Kind::Service, "a.default", "yes 0123456789 | head -n 10000; echo the last one");
    assert_eq!(sup.exited(1), Some(WireStatus::Code(0)));
    sup.end(84);
    let pid_file = rig.path("hab/launcher/PID");
    wait_for("the end of everything else", || (!pid_file.exists()).then_some(()));
    let text = Text::default();
    text.collect(stdout);
    text.wait("a.default(O): the last one\n");
    let all = text.get();
    assert_eq!(all.matches("a.default(O): 0123456789\n").count(), 10_000);
    assert_eq!(rig.wait().code(), Some(0));
    let kept = std::fs::read_to_string(rig.path("hab/sup/default/logs/a.default/current"));
    let kept = kept.expect("readable");
    assert_eq!(kept.matches(" stdout F 0123456789\n").count(), 10_000);
    assert!(kept.contains(" stdout F the last one\n"), "{kept}");
}
