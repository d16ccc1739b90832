//! A fake Supervisor: connects to the test and forwards bytes in both directions.
//!
//! It ends when the test closes the connection, with the code in `<root>/exit-code` (0 without).

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::ExitCode,
};

use roost_launch::client::Client;

pub(crate) fn run() -> ExitCode {
    roost_launch::name_process(roost_launch::line::SUPERVISOR);
    let root = PathBuf::from(std::env::var_os("FS_ROOT").expect("set by the test"));
    let launcher = Client::from_env().expect("a launcher").into_stream();
    launcher.set_nonblocking(false).expect("blocking");
    let Ok(test) = UnixStream::connect(root.join("sup.sock")) else {
        return ExitCode::from(3);
    };
    let (mut from_launcher, mut to_test) =
        (launcher.try_clone().expect("cloned"), test.try_clone().expect("cloned"));
    std::thread::spawn(move || {
        pump(&mut from_launcher, &mut to_test);
        // the launcher or the test is gone: nothing is left to do
        let _ = to_test.shutdown(Shutdown::Both);
    });
    let (mut from_test, mut to_launcher) = (test, launcher);
    pump(&mut from_test, &mut to_launcher);
    let code = std::fs::read_to_string(root.join("exit-code")).unwrap_or_default();
    ExitCode::from(code.trim().parse::<u8>().unwrap_or(0))
}

fn pump(from: &mut UnixStream, to: &mut UnixStream) {
    let mut buffer = [0; 65536];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}
