//! A real S3 engine for tests: Ceph's gateway over one monitor and one store in memory, in a
//! directory that goes with the test. Debian: `radosgw`, `ceph-mon`, `ceph-osd`; `openssl` makes
//! its certificate, by an authority of its own.
//!
//! Nothing of it outlives the test: each program is told to end when the thread that started it
//! does. Users: tests of this crate, and by path those of the binary.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::store::s3::{Credentials, ObjectLock, S3Objects, S3Settings};

/// How the programs are installed.
const INSTALL: &str = "sudo apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd";
/// How long the whole may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Who asks.
pub(crate) const ID: &str = "AKBAILEETEST";
pub(crate) const SECRET: &str = "only-of-a-test-0123456789";
/// A key for all parts of a cluster that nobody else reaches.
const CEPH_KEY: &str = "AQAAaWJnAAAAABAAMDEyMzQ1Njc4OWFiY2RlZg==";

/// A running engine.
pub(crate) struct RadosGw {
    dir: tempfile::TempDir,
    port: u16,
    tls_port: u16,
    daemons: Vec<Child>,
    gateway: Option<Child>,
}

impl RadosGw {
    /// Starts one; about three seconds.
    pub(crate) fn start() -> RadosGw {
        let dir = tempfile::tempdir().expect("a directory");
        let [monitor, port, tls_port] = [free_port(), free_port(), free_port()];
        let mut engine = RadosGw { dir, port, tls_port, daemons: Vec::new(), gateway: None };
        engine.write_settings(monitor);
        engine.certify();
        let at = |name: &str| engine.dir.path().join(name).display().to_string();
        let fsid = FSID;
        let address = format!("[v2:127.0.0.1:{monitor}]");
        let map = at("monmap");
        engine.run("monmaptool", &["--create", "--fsid", fsid, "--addv", "a", &address, &map]);
        engine
            .run("ceph-mon", &["-i", "a", "--mkfs", "--monmap", &map, "--keyring", &at("keyring")]);
        let monitor = engine.spawn("ceph-mon", &["-i", "a", "-f"]);
        engine.daemons.push(monitor);
        engine.run("ceph", &["osd", "new", OSD, "0"]);
        engine.run("ceph-osd", &["-i", "0", "--mkfs", "--osd-uuid", OSD]);
        let store = engine.spawn("ceph-osd", &["-i", "0", "-f"]);
        engine.daemons.push(store);
        let mut user = vec!["user", "create", "--uid=bailee", "--display-name=bailee"];
        let (id, secret) = (format!("--access-key={ID}"), format!("--secret-key={SECRET}"));
        user.extend([id.as_str(), secret.as_str()]);
        engine.run("radosgw-admin", &user);
        engine.start_gateway();
        engine
    }

    /// Starts the gateway, again if it was stopped, and waits until it answers.
    pub(crate) fn start_gateway(&mut self) {
        self.gateway = Some(self.spawn("radosgw", &["-n", "client.rgw", "-f"]));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "radosgw does not answer\n{}", self.told());
            sleep(Duration::from_millis(50));
        }
    }

    /// Kills the gateway; what it acknowledged is in the cluster behind it.
    pub(crate) fn kill_gateway(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.kill().expect("kill radosgw");
            gateway.wait().expect("wait for radosgw");
        }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where it speaks TLS.
    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The authority that its certificate is of, as PEM.
    pub(crate) fn authority(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("ca.pem")).expect("its certificate")
    }

    /// Settings for a bucket on it.
    pub(crate) fn settings(&self, bucket: &str) -> S3Settings {
        S3Settings {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            bucket: bucket.to_owned(),
            region: "us-east-1".to_owned(),
            prefix: String::new(),
            credentials: Credentials::new(ID, SECRET, None),
            roots: None,
            patience: None,
        }
    }

    /// Settings for a new bucket on it.
    pub(crate) fn bucket(&self, bucket: &str, lock: ObjectLock) -> S3Settings {
        let settings = self.settings(bucket);
        S3Objects::create_bucket(&settings, lock).expect("create the bucket");
        settings
    }

    fn write_settings(&self, monitor: u16) {
        let dir = self.dir.path().display();
        let text = format!(
            "[global]\nfsid = {FSID}\nmon host = [v2:127.0.0.1:{monitor}]\n\
             mon initial members = a\nkeyring = {dir}/keyring\n\
             auth allow insecure global id reclaim = false\n\
             osd pool default size = 1\nosd pool default min size = 1\n\
             osd pool default pg num = 2\nosd pool default pgp num = 2\n\
             osd crush chooseleaf type = 0\nmon allow pool size one = true\n\
             {AT_ONCE}\
             mon data = {dir}/mon\nosd data = {dir}/osd\nosd objectstore = memstore\n\
             memstore device bytes = 4294967296\nrun dir = {dir}\ncrash dir = {dir}\n\
             admin socket = {dir}/$name.asok\nlog file = {dir}/$name.log\n\
             public addr = 127.0.0.1\ncluster addr = 127.0.0.1\n\
             rgw frontends = beast endpoint=127.0.0.1:{} ssl_endpoint=127.0.0.1:{} \
             ssl_certificate={dir}/tls.pem ssl_private_key={dir}/tls.key\n",
            self.port, self.tls_port
        );
        let write = |name: &str, text: &str| {
            fs::write(self.dir.path().join(name), text).expect("write settings");
        };
        write("ceph.conf", &text);
        let mut keys = String::new();
        for name in ["mon.", "client.admin", "client.rgw", "osd.0"] {
            let caps = "caps mon = \"allow *\"\ncaps osd = \"allow *\"";
            writeln!(keys, "[{name}]\nkey = {CEPH_KEY}\n{caps}").expect("a string");
        }
        write("keyring", &keys);
        for part in ["mon", "osd"] {
            fs::create_dir(self.dir.path().join(part)).expect("a directory");
        }
    }

    /// An authority, and a certificate of it for this machine's own address.
    fn certify(&self) {
        certify(self.dir.path());
    }

    fn command(&self, program: &str) -> Command {
        assert!(installed(program), "{program} is missing: {INSTALL}");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        command.arg("-c").arg(self.dir.path().join("ceph.conf")).env_remove("CEPH_ARGS");
        command
    }

    fn out(&self, program: &str) -> File {
        let path = self.dir.path().join(format!("{program}.out"));
        File::options().create(true).append(true).open(path).expect("a file for its output")
    }

    fn run(&self, program: &str, words: &[&str]) {
        let mut command =
            if program == "monmaptool" { Command::new(program) } else { self.command(program) };
        assert!(installed(program), "{program} is missing: {INSTALL}");
        let out = self.out(program);
        let error = out.try_clone().expect("its output");
        let done = command.args(words).stdin(Stdio::null()).stdout(out).stderr(error).status();
        let done = done.unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(done.success(), "{program} {words:?} failed\n{}", self.told());
    }

    fn spawn(&self, program: &str, words: &[&str]) -> Child {
        let out = self.out(program);
        let error = out.try_clone().expect("its output");
        let mut command = self.command(program);
        let child = command.args(words).stdin(Stdio::null()).stdout(out).stderr(error).spawn();
        child.unwrap_or_else(|e| panic!("{program}: {e}"))
    }

    /// What the programs said, for whoever looks why it does not run.
    fn told(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let names = ["monmaptool", "ceph-mon", "ceph", "ceph-osd", "radosgw-admin", "radosgw"];
        let file = |name| self.dir.path().join(format!("{name}.out"));
        names.iter().map(|name| format!("{name}: {}\n", read(file(name)))).collect()
    }
}

/// A cluster of many gathers changes of its maps for a second before it agrees on them, and each of
/// the gateway's pools is such a change; one monitor agrees with itself at once.
const AT_ONCE: &str = "paxos propose interval = 0.01\npaxos min wait = 0.001\n\
                       objecter tick interval = 0.25\n";

/// The cluster's name, and its store's.
const FSID: &str = "6d7e5f0a-7a3c-4d0e-9b5d-2b1f0c9a8e71";
const OSD: &str = "0f4c1b8e-53a2-4b8e-8f57-5d2c6a1e9b30";

impl Drop for RadosGw {
    fn drop(&mut self) {
        for child in self.daemons.iter_mut().chain(&mut self.gateway) {
            // One that has ended already is what is wanted.
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Makes `ca.pem`, and `tls.pem` with `tls.key` for 127.0.0.1, which it signs.
pub(crate) fn certify(dir: &Path) {
    let ext = "subjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n";
    fs::write(dir.join("tls.ext"), ext).expect("write extensions");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for words in [
        format!("req -x509 {key} -keyout ca.key -out ca.pem -days 30 -subj /CN=authority"),
        format!("req {key} -keyout tls.key -out tls.csr -subj /CN=engine"),
        "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tls.pem -days 30 \
         -extfile tls.ext"
            .to_owned(),
    ] {
        let mut openssl = Command::new("openssl");
        let done = openssl.args(words.split_whitespace()).current_dir(dir).output();
        let done = done.expect("openssl is missing: sudo apt-get install -y openssl");
        assert!(done.status.success(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

pub(crate) fn free_port() -> u16 {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    taken.local_addr().expect("its number").port()
}

pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = |dir: PathBuf| Path::new(&dir).join(program).is_file();
    std::env::split_paths(&path).any(file)
}
