//! A timestamp authority on this machine: `openssl ca` issues certificates, `openssl ts` stamps as
//! an honest authority does, `openssl cms` signs what no honest authority would.

use std::path::PathBuf;
use std::process::Command;

pub(crate) const POLICY: &str = "2.999.1";
pub(crate) const OTHER_POLICY: &str = "2.999.2";
const TIMESTAMP: &str = "1.2.840.113549.1.9.16.1.4";
/// Extensions of a certificate that may stamp.
pub(crate) const STAMPS: &str = "basicConstraints=critical,CA:false\n\
    keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
/// Extensions of a certificate that may issue.
pub(crate) const ISSUES: &str = "basicConstraints=critical,CA:true\n\
    keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";

const CA: &str = "[ca]\ndefault_ca=here\n[here]\nnew_certs_dir=.\ndatabase=index\nserial=serial\n\
    default_md=sha256\npolicy=any\nunique_subject=no\nrand_serial=yes\n\
    [any]\ncountryName=optional\norganizationName=optional\ncommonName=supplied\n\
    [req]\ndistinguished_name=name\n[name]\n";

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Rsa(u32),
    P256,
    P384,
}

/// How a certificate is made.
#[derive(Clone, Copy)]
pub(crate) struct Issue<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) key: Key,
    pub(crate) from: &'a str,
    pub(crate) until: &'a str,
    pub(crate) extensions: &'a str,
}

impl Default for Issue<'_> {
    fn default() -> Self {
        let (from, until) = ("20240101000000Z", "20450101000000Z");
        Self { issuer: "root", key: Key::P256, from, until, extensions: STAMPS }
    }
}

/// How `openssl ts` stamps.
#[derive(Clone, Copy)]
pub(crate) struct Stamping<'a> {
    /// Name of the signer.
    pub(crate) signer: &'a str,
    /// Further certificates to send, in this order.
    pub(crate) certs: &'a [&'a str],
    pub(crate) digest: &'a str,
    pub(crate) ess: &'a str,
    /// Further lines of its configuration.
    pub(crate) more: &'a str,
}

impl Default for Stamping<'_> {
    fn default() -> Self {
        Self { signer: "tsa", certs: &[], digest: "sha256", ess: "sha256", more: "" }
    }
}

/// A root, and what it issued.
pub(crate) struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    /// A root named `root`, nothing issued.
    pub(crate) fn new() -> Self {
        let authority = Self { dir: tempfile::tempdir().unwrap() };
        authority.write("ca.cnf", CA.as_bytes());
        authority.write("index", b"");
        authority.write("tsaserial", b"01\n");
        let root = Issue { extensions: ISSUES, ..Issue::default() };
        authority.issue("root", &root);
        authority
    }

    /// A root and a signer named `tsa`.
    pub(crate) fn with_signer(key: Key) -> Self {
        let authority = Self::new();
        authority.issue("tsa", &Issue { key, ..Issue::default() });
        authority
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs openssl in the authority's directory; panics with its words when it fails.
    pub(crate) fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        match self.try_openssl(arguments) {
            Ok(output) => output,
            Err(said) => panic!("openssl {arguments:?}: {said}"),
        }
    }

    /// Runs openssl; its standard output, or what it said when it failed.
    pub(crate) fn try_openssl(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("openssl");
        let output = command.args(arguments).current_dir(self.dir.path()).output().unwrap();
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// Makes `name.key` and `name.pem`.
    pub(crate) fn issue(&self, name: &str, how: &Issue) {
        let [key, csr, ext] = [".key", ".csr", ".ext"].map(|end| format!("{name}{end}"));
        let pem = format!("{name}.pem");
        let curve = match how.key {
            Key::Rsa(bits) => format!("rsa_keygen_bits:{bits}"),
            Key::P256 => "ec_paramgen_curve:P-256".to_owned(),
            Key::P384 => "ec_paramgen_curve:P-384".to_owned(),
        };
        let kind = if matches!(how.key, Key::Rsa(_)) { "RSA" } else { "EC" };
        if !self.path(&key).exists() {
            self.openssl(&["genpkey", "-algorithm", kind, "-pkeyopt", &curve, "-out", &key]);
        }
        let subject = format!("/C=NL/O=Bailee tests/CN={name}");
        self.openssl(&[
            "req", "-new", "-config", "ca.cnf", "-key", &key, "-subj", &subject, "-out", &csr,
        ]);
        self.write(&ext, how.extensions.as_bytes());
        let issuer_key = format!("{}.key", how.issuer);
        let issuer_pem = format!("{}.pem", how.issuer);
        let mut arguments = vec![
            "ca",
            "-batch",
            "-notext",
            "-config",
            "ca.cnf",
            "-in",
            &csr,
            "-out",
            &pem,
            "-extfile",
            &ext,
            "-startdate",
            how.from,
            "-enddate",
            how.until,
            "-keyfile",
            &issuer_key,
        ];
        if how.issuer == name {
            arguments.push("-selfsign");
        } else {
            arguments.extend(["-cert", &issuer_pem]);
        }
        self.openssl(&arguments);
    }

    /// Certificates in one PEM file's text.
    pub(crate) fn pem(&self, names: &[&str]) -> Vec<u8> {
        names.iter().flat_map(|name| self.read(&format!("{name}.pem"))).collect()
    }

    /// A certificate in DER.
    pub(crate) fn der(&self, name: &str) -> Vec<u8> {
        self.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER"])
    }

    /// What `openssl ts` answers to a query.
    pub(crate) fn stamp(&self, query: &[u8], how: &Stamping) -> Vec<u8> {
        self.write("query", query);
        self.write("certs.pem", &self.pem(how.certs));
        let certs = if how.certs.is_empty() { "" } else { "certs=certs.pem\n" };
        let signer = how.signer;
        let configuration = format!(
            "[tsa]\ndefault_tsa=here\n[here]\nserial=tsaserial\nsigner_cert={signer}.pem\n\
             signer_key={signer}.key\nsigner_digest={}\ndefault_policy={POLICY}\n\
             other_policies={OTHER_POLICY}\ndigests=sha256\ness_cert_id_alg={}\n{certs}{}\n",
            how.digest, how.ess, how.more
        );
        self.write("tsa.cnf", configuration.as_bytes());
        self.openssl(&[
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "query",
            "-out",
            "reply",
        ]);
        self.read("reply")
    }

    /// Signs `content` as the contents of a token by `openssl cms`, with these further arguments.
    pub(crate) fn sign(&self, content: &[u8], arguments: &[&str]) -> Vec<u8> {
        self.sign_as(TIMESTAMP, content, arguments)
    }

    /// The same with another type of contents.
    pub(crate) fn sign_as(&self, kind: &str, content: &[u8], arguments: &[&str]) -> Vec<u8> {
        self.write("content", content);
        let fixed = [
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-nosmimecap",
            "-outform",
            "DER",
            "-in",
            "content",
            "-econtent_type",
            kind,
        ];
        let token = self.openssl(&[&fixed[..], arguments].concat());
        sequence(&[&sequence(&[&[0x02, 0x01, 0x00]]), &token])
    }
}

/// One DER element.
pub(crate) fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let mut out = vec![tag];
    match contents.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => {
            out.push(0x84);
            out.extend_from_slice(&(long as u32).to_be_bytes());
            let zeros = out[2..].iter().take_while(|octet| **octet == 0).count();
            out.drain(2..2 + zeros);
            out[1] -= zeros as u8;
        }
    }
    out.extend_from_slice(&contents);
    out
}

pub(crate) fn sequence(contents: &[&[u8]]) -> Vec<u8> {
    element(0x30, contents)
}

/// A `TSTInfo` without nonce over `imprint`, made at `time` (`20261122070000Z`).
pub(crate) fn info(imprint: &[u8], time: &str) -> Vec<u8> {
    const SHA256: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    let imprint = sequence(&[&sequence(&[SHA256, &[0x05, 0x00]]), &element(0x04, &[imprint])]);
    let policy = [0x06, 0x03, 0x88, 0x37, 0x01];
    let time = element(0x18, &[time.as_bytes()]);
    sequence(&[&[0x02, 0x01, 0x01], &policy, &imprint, &[0x02, 0x01, 0x07], &time])
}
