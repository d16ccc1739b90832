//! A real browser, driven over its DevTools protocol through two pipes: no port, no driver program.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{PATIENCE, skip, wait_for};

const PROGRAM: &str = "chromium";
/// A page of its own for each test; nothing that asks its maker for anything.
const ARGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-default-browser-check",
    "--font-render-hinting=none",
];

/// A browser. Dropping it ends all its processes and removes its profile.
#[derive(Debug)]
pub struct Chromium {
    process: Child,
    link: Mutex<Link>,
    _profile: TempDir,
}

/// What goes to the browser, and what comes from it.
#[derive(Debug)]
struct Link {
    to: ChildStdin,
    from: Receiver<Value>,
    last: u64,
    /// Messages that are no reply, with the page that they are about.
    events: Vec<Value>,
}

impl Chromium {
    /// Starts a browser. `None` where there is none: the test should then return; a line outside
    /// of the harness's capture reports the skipped test.
    ///
    /// # Panics
    /// When the browser does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let version = Command::new(PROGRAM).arg("--version").output();
        if !version.is_ok_and(|output| output.status.success()) {
            skip("no chromium (Debian package chromium)");
            return None;
        }
        let profile =
            tempfile::Builder::new().prefix("roost-chromium-").tempdir().expect("a place");
        let mut command = Command::new("sh");
        // The browser reads from descriptor 3 and writes to descriptor 4.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh", PROGRAM]);
        command.args(ARGS).arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg("about:blank").env("HOME", profile.path()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("a shell");
        let to = process.stdin.take().expect("a pipe");
        let output = process.stdout.take().expect("a pipe");
        let (sender, from) = channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("a message");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let link = Mutex::new(Link { to, from, last: 0, events: Vec::new() });
        Some(Self { process, link, _profile: profile })
    }

    /// Opens an empty page with storage of its own.
    ///
    /// # Panics
    /// When the browser does not respond.
    #[must_use]
    pub fn page(&self) -> Page<'_> {
        let context = self.call(None, "Target.createBrowserContext", &json!({}));
        let target = self.call(
            None,
            "Target.createTarget",
            &json!({"url": "about:blank", "browserContextId": context["browserContextId"]}),
        );
        let attached = self.call(
            None,
            "Target.attachToTarget",
            &json!({"targetId": target["targetId"], "flatten": true}),
        );
        let session = attached["sessionId"].as_str().expect("a session").to_owned();
        let page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, session: Option<&str>, method: &str, params: &Value) -> Value {
        let mut link = self.link();
        link.last += 1;
        let id = link.last;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        link.to.write_all(&bytes).expect("the browser runs");
        loop {
            let mut message = link.from.recv_timeout(PATIENCE).expect("the browser responds");
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            link.events.push(message);
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}

/// A page of a browser.
#[derive(Debug)]
pub struct Page<'a> {
    browser: &'a Chromium,
    session: String,
}

impl Page<'_> {
    /// Calls a method of the DevTools protocol.
    pub fn call(&self, method: &str, params: &Value) -> Value {
        self.browser.call(Some(&self.session), method, params)
    }

    /// Width and height in CSS pixels, and `light` or `dark`.
    pub fn look(&self, width: u32, height: u32, scheme: &str) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
        let features = json!([{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Goes to an address.
    ///
    /// # Panics
    /// When the browser cannot.
    pub fn open(&self, address: &str) {
        let navigated = self.call("Page.navigate", &json!({ "url": address }));
        assert!(navigated["errorText"].is_null(), "{address}: {navigated}");
    }

    /// The value of a JavaScript expression; a promise is awaited.
    ///
    /// # Panics
    /// When it throws.
    pub fn value(&self, expression: &str) -> Value {
        let mut result = self.call(
            "Runtime.evaluate",
            &json!({"expression": expression, "awaitPromise": true, "returnByValue": true}),
        );
        let thrown = &result["exceptionDetails"];
        assert!(thrown.is_null(), "{expression:.300}: {thrown}");
        result["result"]["value"].take()
    }

    /// Waits until an expression is true, also while the page is being loaded.
    ///
    /// # Panics
    /// When it does not become true in time; the message has the text of the page.
    pub fn wait(&self, condition: &str) {
        let expression =
            format!("(() => {{ try {{ return !!({condition}) }} catch {{ return false }} }})()");
        let begun = std::time::Instant::now();
        wait_for("the page", || {
            let is_so = self.value(&expression) == true;
            if !is_so && begun.elapsed() > PATIENCE * 9 / 10 {
                let text = self.value("document.body?.innerText");
                panic!("{condition} does not become true in:\n{text:#}");
            }
            is_so.then_some(())
        });
    }

    /// Presses a key, such as `a`, `Tab` or `Enter`, on what has the focus.
    pub fn press(&self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            _ if key.chars().count() == 1 => key,
            _ => "",
        };
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "ArrowDown" => 40,
            "ArrowUp" => 38,
            _ => 0,
        };
        let press = json!({"type": "keyDown", "key": key, "text": text,
            "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", &press);
        self.call("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": key}));
    }

    /// Types text into what has the focus.
    pub fn type_text(&self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Writes a picture of the page, from its top to this height, or of all of it.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn picture(&self, path: &Path, height: Option<u32>) {
        let size = self.value("[innerWidth, document.documentElement.scrollHeight]");
        let height = height.map_or_else(|| size[1].clone(), Value::from);
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1});
        let taken = self.call(
            "Page.captureScreenshot",
            &json!({"format": "png", "captureBeyondViewport": true, "clip": clip}),
        );
        let png = STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(path, png).expect("the picture is written");
    }

    /// What the page complained about so far: exceptions, refusals of its policy, errors in its
    /// console. Answers that are no document are not among them.
    pub fn complaints(&self) -> Vec<String> {
        // What has been sent before the reply to this has arrived with it.
        self.value("0");
        let of_page = |event: &&Value| event["sessionId"] == self.session.as_str();
        let complaint = |event: &Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(event["params"].to_string()),
            Some("Log.entryAdded") => {
                let entry = &event["params"]["entry"];
                let is_error = entry["level"] == "error" && entry["source"] != "network";
                is_error.then(|| entry.to_string())
            }
            Some("Runtime.consoleAPICalled") if event["params"]["type"] == "error" => {
                Some(event["params"]["args"].to_string())
            }
            _ => None,
        };
        self.browser.link().events.iter().filter(of_page).filter_map(complaint).collect()
    }

    /// Addresses that the page has asked for.
    pub fn requested(&self) -> Vec<String> {
        self.value("0");
        let link = self.browser.link();
        let sent = link.events.iter().filter(|event| {
            event["method"] == "Network.requestWillBeSent"
                && event["sessionId"] == self.session.as_str()
        });
        let address = |event: &Value| event["params"]["request"]["url"].as_str().map(str::to_owned);
        sent.filter_map(address).collect()
    }
}
