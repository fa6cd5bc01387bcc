//! Keys at the command line: passphrases from every place they may come from, a real ssh-agent, a
//! real PKCS#11 token (SoftHSM), and what is said when one of them is locked, wrong or gone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::room::{BAILEE, LETTER, Room, Said};

/// Makes a house in the room; `more` are further arguments of `init`.
pub(crate) const INIT: &str = "bailee init --origin log.example.org/2026 --country NL \
    --entity 'Example Host B.V.' --counsel 'Cora Maas <cora@example.org>' \
    --staff 'Ada Smit <ada@example.org>'";

/// Types lines into a shell of the room: the system's programs, the binary, nothing else of the
/// caller's environment.
pub(crate) fn shell(room: &Room, script: &str) -> Said {
    let mut command = Command::new("bash");
    command.args(["-euc", script]).current_dir(room.path("")).env_clear();
    let own = std::path::Path::new(BAILEE).parent().expect("the binary is in a directory");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", own.display());
    command.env("PATH", path).env("HOME", room.path("")).env("BAILEE_DIR", room.house());
    Said::of(command.stdin(Stdio::null()).output().expect("bash starts"))
}

fn secret(room: &Room, name: &str, text: &str) {
    let path = room.file(name, text.as_bytes());
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("a file of ours");
}

/// A house whose key files are under the passphrase in `passphrase`.
fn protected() -> Room {
    let room = Room::empty();
    secret(&room, "passphrase", "correct horse\n");
    shell(&room, &format!("{INIT} --protect --passphrase-file passphrase")).ok();
    room
}

fn json(said: Said) -> Value {
    let out = said.ok();
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

/// Sources of the keys, as `keys show` tells them.
fn sources(shown: &Value) -> Vec<&str> {
    let keys = shown["keys"].as_array().expect("a list of keys").iter();
    keys.map(|key| key["source"].as_str().expect("each has a source")).collect()
}

#[test]
fn plain_files_are_named_as_such_and_protected_ones_keep_no_seed() {
    let room = Room::with_house();
    let shown = room.run(&["--json", "keys", "show"]).json();
    assert!(sources(&shown).iter().all(|source| source.contains("plain file, mode 0600")));
    let check = room.run(&["check"]).ok();
    assert!(check.contains("log.key: plain file") && check.contains("keys protect"), "{check}");
    let before = shown["keys"][0]["vkey"].as_str().unwrap().to_owned();
    let seed = fs::read(room.house().join("keys/log.key")).unwrap();
    secret(&room, "passphrase", "correct horse\n");
    let said = room.run(&["keys", "protect", "--passphrase-file", "passphrase"]).ok();
    assert!(said.contains("log.key, log-ml-dsa.key, clearance.key, vault.key"), "{said}");
    for entry in fs::read_dir(room.house().join("keys")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(32).any(|window| window == seed), "a seed is left");
    }
    let show = "BAILEE_PASSPHRASE_FILE=passphrase bailee --json keys show";
    let shown = json(shell(&room, show));
    assert!(sources(&shown).iter().all(|source| source.contains("under a passphrase")));
    assert_eq!(shown["keys"][0]["vkey"], before.as_str());
    assert_eq!(shown["remarks"], serde_json::json!([]));
}

#[test]
fn a_passphrase_comes_from_a_file_a_descriptor_a_credential_or_a_person() {
    let room = protected();
    for from in [
        "BAILEE_PASSPHRASE_FILE=passphrase bailee status",
        "BAILEE_PASSPHRASE_FD=7 bailee status 7< passphrase",
        "cat passphrase | BAILEE_PASSPHRASE_FD=0 bailee status",
        "mkdir -p c && cp passphrase c/bailee.passphrase && \
         CREDENTIALS_DIRECTORY=$PWD/c bailee status",
    ] {
        let said = shell(&room, from).ok();
        assert!(said.contains("log.example.org/2026"), "{from}: {said}");
    }
    let asked =
        shell(&room, "{ sleep 1; cat passphrase; } | script -qec 'bailee status' typed").ok();
    assert!(asked.contains("passphrase of ") && asked.contains("log.example.org/2026"), "{asked}");
    assert!(!asked.contains("horse"), "the passphrase was echoed: {asked}");
}

#[test]
fn a_passphrase_that_is_wrong_missing_or_public_is_named() {
    let room = protected();
    secret(&room, "wrong", "battery staple\n");
    let no = |script: &str| {
        let said = shell(&room, script);
        assert_ne!(said.code, 0, "{said:?}");
        assert!(!said.err.contains("horse") && !said.err.contains("staple"), "{said:?}");
        said.err
    };
    let said = no("BAILEE_PASSPHRASE_FILE=wrong bailee status");
    assert!(said.contains("wrong_passphrase") && said.contains("clearance.key"), "{said}");
    let said = no("setsid -w bailee status");
    assert!(said.contains("secret_not_given") && said.contains("BAILEE_PASSPHRASE_FILE"), "{said}");
    let said = no("chmod 644 passphrase; BAILEE_PASSPHRASE_FILE=passphrase bailee status");
    assert!(said.contains("can be read by others"), "{said}");
    let said = no("BAILEE_PASSPHRASE_FILE=absent bailee status");
    assert!(said.contains("absent"), "{said}");
    secret(&room, "other", "another staple\n");
    let said = no("chmod 600 passphrase; BAILEE_PASSPHRASE_FILE=wrong bailee keys protect \
                   --passphrase-file other");
    assert!(said.contains("wrong_passphrase"), "{said}");
    shell(&room, "BAILEE_PASSPHRASE_FILE=passphrase bailee check").ok();
}

#[test]
fn everything_that_needs_a_key_works_under_a_passphrase() {
    let room = protected();
    room.file("letter.eml", LETTER.as_bytes());
    room.file("data.txt", b"a picture");
    let script = "export BAILEE_PASSPHRASE_FILE=passphrase BAILEE_AS=P-2
        bailee party add 'Dana Vos' --role owner --email dana@example.com
        bailee account add 'Vos Photography' --owner P-3 --entity E-1 --law NL
        bailee asset add srv-12 --kind server --account AC-1 --serial WX42-9
        bailee intake letter.eml --receipt letter.bailee.zip
        bailee preserve A-1 data.txt
        bailee restore S-1 back
        bailee verify --key \"$(bailee --json status | \
        sed -n 's/.*\"log_key\": \"\\(.*\\)\".*/\\1/p')\" \
            letter.bailee.zip";
    let said = shell(&room, script).ok();
    assert!(said.contains("PROVEN    log"), "{said}");
    assert_eq!(fs::read(room.path("back/data.txt")).unwrap(), b"a picture");
}

/// An agent of the room with the key `k`, for the lines after it.
const AGENT: &str = "eval \"$(ssh-agent -s)\" > /dev/null; trap 'ssh-agent -k > /dev/null' EXIT
    test -f k || ssh-keygen -q -t ed25519 -N '' -f k
    ssh-add -q k; source=agent:$(ssh-keygen -l -f k.pub | cut -d' ' -f2)
    printf '#!/bin/sh\\necho lock-it\\n' > ask; chmod 700 ask
    export SSH_ASKPASS=$PWD/ask SSH_ASKPASS_REQUIRE=force\n";

#[test]
fn a_house_signs_with_a_key_in_an_ssh_agent() {
    let room = Room::empty();
    room.file("letter.eml", LETTER.as_bytes());
    let script = format!(
        "{AGENT} {INIT} --log-key $source
        bailee intake letter.eml --receipt letter.bailee.zip
        bailee keys policy > policy
        bailee verify --policy policy letter.bailee.zip
        test ! -e house/keys/log.key
        bailee --json keys show > shown"
    );
    let said = shell(&room, &script).ok();
    assert!(said.contains("PROVEN    log"), "{said}");
    let shown: Value = serde_json::from_slice(&fs::read(room.path("shown")).unwrap()).unwrap();
    let key = &shown["keys"][0];
    assert_eq!(key["source"], format!("agent:{}", key["fingerprint"].as_str().unwrap()));
    assert_eq!(key["signs"], "yes");
}

#[test]
fn while_an_agent_is_locked_or_gone_letters_are_recorded_and_receipted_later() {
    let room = Room::empty();
    room.file("letter.eml", LETTER.as_bytes());
    shell(&room, &format!("{AGENT} {INIT} --log-key $source")).ok();
    // Recorded, frozen, exit code 0: what is pending is its receipt.
    let script = format!("{AGENT} ssh-add -q -x; bailee intake letter.eml; bailee check");
    let said = shell(&room, &script);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("D-1") && said.err.contains("is locked or empty"), "{said:?}");
    assert!(said.out.contains("is locked or empty"), "check says it too: {said:?}");
    let said = shell(&room, "bailee keys show");
    assert!(said.err.contains("SSH_AUTH_SOCK is not set"), "{said:?}");
    let gone = format!(
        "{AGENT} ssh-keygen -q -t ed25519 -N '' -f other; ssh-add -q other; ssh-add -q -d k
        bailee receipt D-1"
    );
    let said = shell(&room, &gone);
    assert!(said.code != 0 && said.err.contains("does not have the key"), "{said:?}");
    let dead = format!("{AGENT} kill $SSH_AGENT_PID; trap - EXIT; sleep 0.2; bailee receipt D-1");
    let said = shell(&room, &dead);
    assert!(said.code != 0 && said.err.contains("does not answer"), "{said:?}");
    assert!(!room.house().join("outbox/receipt-D-1.eml").exists());
    let script = format!(
        "{AGENT} ssh-add -q -x; ssh-add -q -X; bailee settle; bailee check; bailee receipt D-1 -o r
        bailee verify r"
    );
    let said = shell(&room, &script).ok();
    assert!(said.contains("PROVEN    log"), "{said}");
    assert!(room.house().join("outbox/receipt-D-1.eml").exists());
}

/// A server of the room, for the lines after it; `get` asks it without a token, `soon` waits half a
/// minute for what a line says and then gives up by name: a test that hangs tells nothing.
const SERVE: &str = "bailee serve --listen 127.0.0.1:0 2> served & server=$!
    trap 'kill $server; wait $server; ssh-agent -k > /dev/null || true' EXIT
    soon() { for _ in $(seq 600); do if \"$@\"; then return; fi; sleep 0.05; done
        echo \"never came: $*\" >&2; exit 8; }
    soon grep -q 'answers on' served
    address=$(sed -n 's/.*answers on http:..\\([0-9.:]*\\);.*/\\1/p' served)
    get() { exec 3<> \"/dev/tcp/${address%:*}/${address#*:}\"
        printf 'GET %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' \"$1\" >&3
        cat <&3; }\n";

#[test]
fn a_server_whose_agent_is_locked_says_that_nothing_is_signed_and_goes_on_when_it_is_not() {
    let room = Room::empty();
    room.file("letter.eml", LETTER.as_bytes());
    shell(&room, &format!("{AGENT} {INIT} --log-key $source")).ok();
    let script = format!(
        "{AGENT} bailee --as P-1 token issue P-1 --scope operator > token 2> issued
        ssh-add -q -x; {SERVE} export BAILEE_SERVER=http://$address BAILEE_TOKEN_FILE=token
        bailee intake letter.eml
        stopped() {{ get /readyz | grep 'signing: stopped'; }}; soon stopped
        ssh-add -q -X
        bailee intake letter.eml --receipt receipt.bailee.zip
        get /readyz > ready; if grep signing ready; then exit 9; fi; tail -1 ready
        bailee verify receipt.bailee.zip"
    );
    let said = shell(&room, &script).ok();
    assert!(said.contains("D-1") && said.contains("signing: stopped"), "{said}");
    assert!(said.contains("ready\n") && said.contains("PROVEN    log"), "{said}");
}

#[test]
fn new_keys_are_approved_and_shown_through_a_server() {
    let room = Room::with_house();
    let script = format!(
        "bailee --as P-2 keys rotate --note yearly
        for p in 1 2; do bailee --as P-1 token issue P-$p --scope operator > $p 2> issued; done
        {SERVE} export BAILEE_SERVER=http://$address
        if bailee --token-file 2 keys approve R-1 2> refused; then exit 9; fi
        bailee --token-file 1 keys approve R-1
        bailee --token-file 1 --json keys show > shown
        get /checkpoint > checkpoint"
    );
    shell(&room, &script).ok();
    let refused = fs::read_to_string(room.path("refused")).expect("it was said");
    assert!(refused.contains("approver_is_proposer"), "{refused}");
    let shown = fs::read(room.path("shown")).expect("it was shown");
    let shown: Value = serde_json::from_slice(&shown).expect("it is JSON");
    assert_eq!(shown["rotations"][0]["status"], "overlap");
    let signs = |key: &Value| key["signs"].as_str().is_some_and(|signs| signs.contains("next"));
    let keys = shown["keys"].as_array().expect("a list of keys");
    assert_eq!(keys.iter().filter(|key| signs(key)).count(), 2, "{shown}");
    let signed = fs::read_to_string(room.path("checkpoint")).expect("it was fetched");
    assert_eq!(signed.matches("\u{2014} log.example.org/2026 ").count(), 4, "{signed}");
}

/// A token of the room with an Ed25519 key; its URI is in `$source`.
const TOKEN: &str = "mkdir -p tokens; echo \"directories.tokendir = $PWD/tokens\" > softhsm2.conf
    export SOFTHSM2_CONF=$PWD/softhsm2.conf module=/usr/lib/softhsm/libsofthsm2.so
    export PIN=4711; umask 077; test -f pin || echo $PIN > pin
    tool() { pkcs11-tool --module $module --token-label custody --login --pin env:PIN \"$@\"; }
    test -n \"$(ls tokens)\" || {
        softhsm2-util --init-token --free --label custody --so-pin 0815 --pin $PIN
        tool --keypairgen --key-type EC:edwards25519 --label log --id 01; } > /dev/null 2>&1
    source=\"pkcs11:token=custody;object=log?module-path=$module&pin-source=$PWD/pin\"\n";

#[test]
fn a_house_signs_with_a_key_in_a_token() {
    let room = Room::empty();
    room.file("letter.eml", LETTER.as_bytes());
    let script = format!(
        "{TOKEN} {INIT} --log-key \"$source\"
        bailee intake letter.eml --receipt letter.bailee.zip
        bailee keys policy > policy
        bailee verify --policy policy letter.bailee.zip
        test ! -e house/keys/log.key
        bailee check
        sed -i 's/&pin-source=[^\"]*//' house/bailee.toml
        BAILEE_PIN_FILE=pin bailee --as P-2 matter open Again
        bailee --json keys show > shown || true"
    );
    let said = shell(&room, &script).ok();
    assert!(said.contains("PROVEN    log") && said.contains("MatterOpened"), "{said}");
    let shown: Value = serde_json::from_slice(&fs::read(room.path("shown")).unwrap()).unwrap();
    let trouble = shown["keys"][0]["trouble"].as_str().unwrap();
    assert!(trouble.contains("needs a PIN") && !trouble.contains("4711"), "{trouble}");
}

#[test]
fn a_token_that_is_out_a_wrong_pin_and_a_deleted_key_are_named() {
    let room = Room::empty();
    room.file("letter.eml", LETTER.as_bytes());
    shell(&room, &format!("{TOKEN} {INIT} --log-key \"$source\"")).ok();
    let cases = [
        ("mv tokens out; mkdir tokens", "rm -r tokens; mv out tokens", "was taken out"),
        ("echo 9999 > pin", "echo $PIN > pin", "refuses the PIN"),
        ("mv softhsm2.conf c; SOFTHSM2_CONF=absent", "mv c softhsm2.conf", "token"),
        (
            "sed -i s/libsofthsm2/absent/ house/bailee.toml",
            "sed -i s/absent/libsofthsm2/ house/bailee.toml",
            "the module",
        ),
        (
            "sed -i s/object=log/object=other/ house/bailee.toml",
            "sed -i s/object=other/object=log/ house/bailee.toml",
            "does not have the key",
        ),
    ];
    for (n, (before, after, named)) in cases.into_iter().enumerate() {
        room.file("letter.eml", LETTER.replace("Vos", &format!("Vos {n}")).as_bytes());
        let script = format!("{TOKEN} {before}; bailee intake letter.eml; {after}");
        let said = shell(&room, &script);
        assert_eq!(said.code, 0, "{before}: {said:?}");
        assert!(said.out.contains(&format!("D-{}", n + 1)), "recorded all the same: {said:?}");
        assert!(said.err.contains(named) && !said.err.contains("9999"), "{before}: {said:?}");
    }
    let said = shell(&room, &format!("{TOKEN} bailee settle; bailee check")).ok();
    assert!(said.contains("every rule and every proof holds"), "{said}");
    for n in 1..=cases.len() {
        assert!(room.house().join(format!("outbox/receipt-D-{n}.eml")).exists());
    }
}

#[test]
fn a_source_that_names_no_key_is_refused_before_a_house_is_made() {
    let room = Room::empty();
    for (source, why) in [
        ("agent:MD5:00", "ssh-add -l"),
        ("pkcs11:object=log?module-path=/m.so&pin-value=1234", "a PIN is no setting"),
        ("vault", "is not `file`"),
    ] {
        let said = shell(&room, &format!("{INIT} --log-key '{source}'"));
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(why), "{said:?}");
        assert!(!room.house().exists());
    }
}
