//! The service of the README: needs only a shell.

use crate::common::Example;

#[test]
fn hello_says_what_it_is_told() {
    let hello = Example::start("hello", "interval_s = 1\n");
    hello.sup.wait_log("hello.default(O): Hello from Roost");
    let pid = hello.pid();
    hello.configure("interval_s = 1\ngreeting = \"good evening\"\n");
    hello.sup.wait_log("hello.default(O): good evening");
    assert_eq!(hello.pid(), pid, "reconfigured, not restarted");
    hello.kill_and_wait_for_the_next();
    hello.stop();
}
