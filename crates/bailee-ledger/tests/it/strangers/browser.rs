//! A headless Chromium, driven by its DevTools protocol over a pipe: no port, no driver program.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// A browser that has hung ends the test: no answer of it takes as long as this.
const PATIENCE: Duration = Duration::from_secs(300);

/// Fewest processes, no network of its own, everything in one directory.
const FLAGS: &str = "--headless --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync \
    --disable-extensions --disable-dev-shm-usage --remote-debugging-pipe";

/// A browser with one page.
pub(super) struct Browser {
    child: Child,
    requests: Option<ChildStdin>,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// Errors and messages of the page's console.
    pub(super) console: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts the browser and opens a file.
    pub(super) fn open(page: &Path) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let sandbox = if root { "--no-sandbox" } else { "" };
        // The protocol speaks on descriptors 3 and 4.
        let line = format!(
            "exec chromium {FLAGS} {sandbox} --user-data-dir=\"$0\" about:blank \
             3<&0 4>&1 </dev/null >/dev/null 2>\"$0/stderr\""
        );
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(line)
            .arg(profile.path())
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while answers.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let value: Value = serde_json::from_slice(&message).unwrap();
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let (session, console) = (None, Vec::new());
        let mut browser =
            Browser { child, requests, messages, session, last: 0, console, _profile: profile };
        browser.attach(page);
        browser
    }

    fn attach(&mut self, page: &Path) {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", target);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "DOM", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        let url = format!("file://{}", page.canonicalize().unwrap().display());
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("document.readyState === 'complete' && location.protocol === 'file:'");
    }

    /// One request, and its answer.
    pub(super) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&request).unwrap();
        bytes.push(0);
        self.requests.as_mut().unwrap().write_all(&bytes).unwrap();
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|_| {
                panic!("chromium does not answer {method}; `cargo xtask setup` installs it")
            });
            if message["id"] == json!(self.last) {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].clone();
            }
            let noteworthy =
                ["Runtime.exceptionThrown", "Log.entryAdded", "Network.requestWillBeSent"];
            if noteworthy.iter().any(|method| message["method"] == *method) {
                self.console.push(message);
            }
        }
    }

    /// The value of an expression, awaited.
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", parameters);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(super) fn wait_for(&mut self, expression: &str) {
        let tries = PATIENCE.as_millis() / 20;
        for _ in 0..tries {
            if self.evaluate(expression) == json!(true) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never true: {expression}");
    }

    /// Gives files to an `<input>` that an expression names, as if chosen by hand.
    pub(super) fn choose(&mut self, input: &str, files: &[String]) {
        let object = self.call("Runtime.evaluate", json!({ "expression": input }));
        let object = &object["result"]["objectId"];
        self.call("DOM.setFileInputFiles", json!({ "objectId": object, "files": files }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The pipe's end is the browser's.
        drop(self.requests.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
