//! A second S3 engine for tests, where the machine has it: Garage, from crates.io (`cargo install
//! garage`), one node in a directory that goes with the test.
//!
//! Nothing of it outlives the test: it is told to end when the thread that started it does.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::radosgw::{free_port, installed};
use crate::store::s3::{Credentials, S3Settings};

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who asks: keys of its own form.
const ID: &str = "GK0123456789abcdef01234567";
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A running engine.
pub(crate) struct Garage {
    dir: tempfile::TempDir,
    port: u16,
    node: Child,
}

impl Garage {
    /// Starts one, if the program is there; two seconds.
    pub(crate) fn start() -> Option<Garage> {
        if !installed("garage") {
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let [port, rpc] = [free_port(), free_port()];
        let at = dir.path().display();
        let settings = format!(
            "metadata_dir = \"{at}/meta\"\ndata_dir = \"{at}/data\"\ndb_engine = \"sqlite\"\n\
             metadata_fsync = true\ndata_fsync = true\nreplication_factor = 1\n\
             rpc_bind_addr = \"127.0.0.1:{rpc}\"\nrpc_public_addr = \"127.0.0.1:{rpc}\"\n\
             rpc_secret = \"{SECRET}\"\n[s3_api]\ns3_region = \"garage\"\n\
             api_bind_addr = \"127.0.0.1:{port}\"\n"
        );
        fs::write(dir.path().join("garage.toml"), settings).expect("write settings");
        let log = fs::File::create(dir.path().join("log")).expect("a file for its output");
        let mut server = Command::new("setpriv");
        server.args(["--pdeathsig", "KILL", "garage", "-c"]).arg(dir.path().join("garage.toml"));
        server.arg("server").stdin(Stdio::null()).stdout(log.try_clone().expect("its output"));
        let node = server.stderr(log).spawn().expect("start garage");
        let engine = Garage { dir, port, node };
        engine.lay_out();
        Some(engine)
    }

    /// One node that keeps everything, and one key.
    fn lay_out(&self) {
        let start = Instant::now();
        while !self.ask(&["status"]).status.success() {
            assert!(start.elapsed() < PATIENCE, "garage does not answer\n{}", self.told());
            sleep(Duration::from_millis(100));
        }
        let id = self.tell(&["node", "id", "-q"]);
        let id = id.split('@').next().expect("an id").trim();
        self.tell(&["layout", "assign", "-z", "here", "-c", "4G", id]);
        self.tell(&["layout", "apply", "--version", "1"]);
        self.tell(&["key", "import", "--yes", "-n", "test", ID, SECRET]);
    }

    /// Settings for a new bucket on it.
    pub(crate) fn bucket(&self, bucket: &str) -> S3Settings {
        self.tell(&["bucket", "create", bucket]);
        self.tell(&["bucket", "allow", "--read", "--write", "--owner", bucket, "--key", ID]);
        S3Settings {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            bucket: bucket.to_owned(),
            region: "garage".to_owned(),
            prefix: String::new(),
            credentials: Credentials::new(ID, SECRET, None),
            roots: None,
            patience: None,
        }
    }

    fn ask(&self, words: &[&str]) -> Output {
        let mut garage = Command::new("garage");
        garage.arg("-c").arg(self.dir.path().join("garage.toml")).args(words);
        garage.stdin(Stdio::null()).output().expect("garage")
    }

    fn tell(&self, words: &[&str]) -> String {
        let done = self.ask(words);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "garage {words:?}: {said}\n{}", self.told());
        String::from_utf8(done.stdout).expect("what garage says")
    }

    /// What it said, for whoever looks why it does not run.
    fn told(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Garage {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        _ = self.node.kill();
        _ = self.node.wait();
    }
}
