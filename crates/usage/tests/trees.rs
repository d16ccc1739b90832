//! Figures of real process trees.

use std::{
    env,
    fs::{self, Permissions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use roost_usage::{Detail, Protocol, Reader};

/// Far longer than anything takes: only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(40);

/// A shell script in a session of its own, as services are started; all of it ends with this value.
struct Tree(Child);

impl Tree {
    /// Starts it and waits for its first line.
    fn start(script: &str) -> Self {
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("setsid starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // The end of its input ends each of these scripts.
        drop(self.0.stdin.take());
        let _ = self.0.stdout.as_mut().map(|pipe| pipe.read_to_end(&mut Vec::new()));
        let _ = self.0.wait();
    }
}

#[test]
fn a_tree_is_counted_with_descendants_in_other_sessions() {
    // The first process, a child, and one with a session of its own. Each waits for the end of
    // the input.
    let tree =
        Tree::start("exec 3<&0; cat <&3 & setsid sh -c 'echo ready; exec cat <&3' & cat <&3; wait");
    let other = Tree::start("echo ready; exec cat");
    let mut reader = Reader::default();
    let count = |reader: &mut Reader| {
        let reading = reader.read(&[tree.pid(), other.pid()]).expect("/proc");
        (reading.services[&tree.pid()].clone(), reading.services[&other.pid()].clone())
    };
    let begun = Instant::now();
    let (usage, single) = loop {
        // They start one after the other.
        let (usage, single) = count(&mut reader);
        if usage.processes == 4 {
            break (usage, single);
        }
        assert!(usage.processes < 4 && begun.elapsed() < PATIENCE, "{usage:?}");
    };
    assert_eq!((single.processes, single.threads), (1, 1), "{single:?}");
    // Also those that cargo passes on.
    let open = std::fs::read_dir(format!("/proc/{}/fd", other.pid())).expect("it runs").count();
    assert_eq!(single.descriptors, Some(open as u64), "{single:?}");
    assert!(single.io.is_some(), "{single:?}");
    assert_eq!(usage.threads, 4, "{usage:?}");
    assert!(usage.resident_bytes > single.resident_bytes, "{usage:?}");
    let detail = Detail::read(other.pid(), &single);
    let fullest = detail.fullest.expect("a process");
    assert_eq!((fullest.pid, fullest.open), (other.pid(), open as u64));
    assert!(fullest.limit > Some(open as u64), "{fullest:?}");
    assert_eq!(detail.listening, Some(Vec::new()));
}

#[test]
fn cpu_time_of_children_that_ended_counts() {
    let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let tree = Tree::start(&format!("sh -c '{burn}'; echo ready; cat"));
    let mut reader = Reader::default();
    let reading = reader.read(&[tree.pid()]).expect("/proc");
    assert!(reading.services[&tree.pid()].cpu_ms > 0, "{reading:?}");
}

#[test]
fn what_does_not_run_has_no_figures() {
    let mut ended = Command::new("true").spawn().expect("it starts");
    ended.wait().expect("it ends");
    let reading = Reader::default().read(&[ended.id(), u32::MAX]).expect("/proc");
    assert!(reading.services.is_empty(), "{reading:?}");
    assert!(!reading.hides);
}

#[test]
fn ports_are_those_of_the_tree_alone() {
    // A listener of this process is not inherited.
    let own = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let script = "import socket, sys; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); \
                  u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0)); \
                  print('ready', flush=True); sys.stdin.read()";
    if Command::new("python3").arg("-V").output().is_err() {
        eprintln!("SKIPPED ports: python3 is not installed");
        return;
    }
    let tree = Tree::start(&format!("python3 -c \"{script}\""));
    let reading = Reader::default().read(&[tree.pid()]).expect("/proc");
    let detail = Detail::read(tree.pid(), &reading.services[&tree.pid()]);
    let listening = detail.listening.expect("ports");
    let protocols: Vec<Protocol> = listening.iter().map(|it| it.protocol).collect();
    assert_eq!(protocols, [Protocol::Tcp, Protocol::Udp], "{listening:?}");
    let own = own.local_addr().expect("an address");
    assert!(listening.iter().all(|it| it.address != own), "{listening:?}");
}

/// A control group that ends with this value.
struct Group(PathBuf);

impl Group {
    /// Makes one, where that is possible.
    fn new() -> Option<Self> {
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let mount = mounts.into_iter().find(|mount| mount.join("cgroup.procs").exists())?;
        let path = mount.join(format!("roost-test-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    fn take(&self, pid: u32) -> bool {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).is_ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_control_group_of_its_own_is_shown() {
    // Declared first, so that it is removed after the processes in it have ended.
    let group = Group::new();
    let (tree, other) = (Tree::start("echo ready; cat"), Tree::start("echo ready; cat"));
    let Some(group) = group.as_ref().filter(|group| group.take(tree.pid())) else {
        eprintln!("SKIPPED control groups: this machine lets this user make none of version 2");
        return;
    };
    let cgroup = || {
        let reading = Reader::default().read(&[tree.pid()]).expect("/proc");
        Detail::read(tree.pid(), &reading.services[&tree.pid()]).cgroup
    };
    // Its children were started before or after it was moved.
    let begun = Instant::now();
    let shown = loop {
        let shown = cgroup();
        if shown.is_some() || begun.elapsed() > PATIENCE {
            break shown.expect("the group");
        }
    };
    assert!(group.0.ends_with(shown.path.trim_start_matches('/')), "{shown:?}");
    assert!(shown.cpu_ms.is_some(), "{shown:?}");
    assert!(group.take(other.pid()));
    assert_eq!(cgroup(), None, "another process is in it");
}

/// What the test below starts as another user.
#[test]
#[ignore = "started by another test"]
fn read_as_another_user() {
    let pid = env::var("ROOST_TEST_PID").expect("set").parse().expect("a number");
    let reading = Reader::default().read(&[pid]).expect("/proc");
    let usage = reading.services.get(&pid).expect("it is visible");
    assert!(usage.processes > 0 && usage.resident_bytes > 0, "{usage:?}");
    assert_eq!(usage.io, None, "{usage:?}");
    // Recent kernels show everyone how many there are.
    assert_ne!(usage.descriptors, Some(0), "{usage:?}");
    assert_eq!(Detail::read(pid, usage).listening, None);
    println!("read as another user");
}

#[test]
fn what_may_not_be_read_is_absent_and_not_zero() {
    let tree = Tree::start("echo ready; cat");
    // The program of this test may be in a directory that other users do not reach.
    let place = tempfile::tempdir().expect("a directory");
    let program = place.path().join("test");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("its mode");
    fs::copy(env::current_exe().expect("a program"), &program).expect("a copy");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program);
    command.args(["--exact", "read_as_another_user", "--ignored", "--nocapture"]);
    let output = command.env("ROOST_TEST_PID", tree.pid().to_string()).output();
    match output {
        Ok(output) if output.stderr.starts_with(b"setpriv: ") => {
            eprintln!("SKIPPED hidden files: only root can become another user");
        }
        Err(_) => eprintln!("SKIPPED hidden files: setpriv is not installed"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(text.contains("read as another user\n"), "{text}{errors}");
        }
    }
}

/// Prints what a reading of a service with many processes costs.
#[test]
#[ignore = "starts thousands of processes"]
fn a_service_of_many_processes_is_read() {
    const COUNT: u64 = 2_000;
    let tree = Tree::start(&format!(
        "exec 3<&0; i=1; while [ $i -lt {COUNT} ]; do i=$((i+1)); cat <&3 & done; echo ready; cat <&3; \
         wait"
    ));
    let mut reader = Reader::default();
    let begun = Instant::now();
    let mut usage = None;
    while usage.as_ref().is_none_or(|usage: &roost_usage::Usage| usage.processes <= COUNT) {
        let read = Instant::now();
        let reading = reader.read(&[tree.pid()]).expect("/proc");
        println!("{COUNT} processes: {:?}", read.elapsed());
        usage = reading.services.get(&tree.pid()).cloned();
        assert!(begun.elapsed() < PATIENCE, "{:?}", usage.map(|usage| usage.processes));
    }
    let usage = usage.expect("a reading");
    let begun = Instant::now();
    let detail = Detail::read(tree.pid(), &usage);
    println!("details: {:?}", begun.elapsed());
    assert_eq!(detail.listening, Some(Vec::new()));
    assert!(usage.descriptors > Some(COUNT * 3), "{:?}", usage.descriptors);
}
