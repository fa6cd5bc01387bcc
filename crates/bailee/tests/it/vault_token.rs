//! The vault's key in a token: into it, out of it, and everything that can be wrong with it.

use std::fs;

use crate::keys::{INIT, shell};
use crate::room::{LETTER, Room};

const HEADER: &[u8] = b"bailee/key-in-token/v1\nfor vault\ntoken pkcs11:";

/// A token of the room with an AES key that stays in it; its URI is in `$source`.
const TOKEN: &str = "mkdir -p tokens; echo \"directories.tokendir = $PWD/tokens\" > softhsm2.conf
    export SOFTHSM2_CONF=$PWD/softhsm2.conf module=/usr/lib/softhsm/libsofthsm2.so
    export PIN=471138; umask 077; test -f pin || echo $PIN > pin
    tool() { pkcs11-tool --module $module --token-label custody --login --pin env:PIN \"$@\"; }
    aes() { tool --keygen --key-type AES:32 \"$@\" > /dev/null 2>&1; }
    test -n \"$(ls tokens)\" || {
        softhsm2-util --init-token --free --label custody --so-pin 0815 --pin $PIN > /dev/null
        aes --sensitive --label vault --id 02; }
    source=\"pkcs11:token=custody;object=vault?module-path=$module&pin-source=$PWD/pin\"\n";

/// A dataset, and a snapshot of it.
const KEPT: &str = "mkdir data; echo notes > data/notes
    bailee --as P-2 asset add spare --kind dataset
    bailee --as P-2 preserve A-1 data\n";

#[test]
fn the_vaults_key_goes_into_a_token_and_out_of_it_and_nothing_kept_is_touched() {
    let room = Room::empty();
    let script = format!(
        "{TOKEN} {INIT}\n{KEPT}
        cp house/keys/vault.key plain
        printf '[keys]\\nvault = \"%s\"\\n' \"$source\" >> house/bailee.toml
        bailee keys vault rotate
        cp house/keys/vault.key sealed
        bailee --as P-2 snapshot verify S-1
        bailee keys protect --passphrase-file pin && cmp house/keys/vault.key sealed
        export BAILEE_PASSPHRASE_FILE=pin
        bailee --json keys show > shown
        sed -i 's/&pin-source=[^\"]*//' house/bailee.toml house/keys/vault.key
        BAILEE_PIN_FILE=pin bailee --as P-2 snapshot verify S-1
        sed -i '/^vault = /d' house/bailee.toml
        BAILEE_PIN_FILE=pin bailee keys vault rotate
        rm -r tokens softhsm2.conf
        bailee --as P-2 snapshot verify S-1
        bailee check"
    );
    let said = shell(&room, &script);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fs::read(room.path("plain")).unwrap().len(), 32);
    let sealed = fs::read(room.path("sealed")).unwrap();
    assert!(sealed.starts_with(HEADER), "{}", String::from_utf8_lossy(&sealed));
    let shown = fs::read_to_string(room.path("shown")).unwrap();
    assert!(shown.contains("file that a token opens"), "{shown}");
    let back = fs::read_to_string(room.house().join("keys/vault.key")).unwrap();
    assert!(back.starts_with("bailee/key/"), "under the passphrase of the others: {back}");
    assert!(!said.out.contains("471138") && !said.err.contains("471138"), "the PIN was shown");
}

#[test]
fn a_missing_token_a_wrong_pin_and_a_wrong_key_are_named_and_letters_are_taken() {
    let room = Room::empty();
    room.file("letter.eml", LETTER.as_bytes());
    let made = shell(&room, &format!("{TOKEN} {INIT} --vault-key \"$source\"\n{KEPT}"));
    assert_eq!(made.code, 0, "{made:?}");
    let sealed = fs::read(room.house().join("keys/vault.key")).unwrap();
    assert!(sealed.starts_with(HEADER), "in the token from the first day");
    let other = "tool --delete-object --type secrkey --id 02 > /dev/null 2>&1";
    let cases = [
        (
            "mv tokens out; mkdir tokens",
            "rm -r tokens; mv out tokens",
            "was taken out",
            "token_gone",
        ),
        ("echo 999999 > pin", "echo $PIN > pin", "refuses the PIN", "wrong_pin"),
        (
            "sed -i s/libsofthsm2/absent/ house/keys/vault.key",
            "sed -i s/absent/libsofthsm2/ house/keys/vault.key",
            "the module",
            "holder_unreachable",
        ),
        (
            "sed -i s/object=vault/object=other/ house/keys/vault.key",
            "sed -i s/object=other/object=vault/ house/keys/vault.key",
            "does not have the key",
            "key_gone",
        ),
        (
            "cp house/keys/vault.key k; sed -i 's/^sealed ./sealed g/' house/keys/vault.key",
            "cp k house/keys/vault.key",
            "is no key file",
            "key_unfit",
        ),
        (
            "cp house/keys/vault.key k; sed -i 's/^iv ../iv 00/;t' house/keys/vault.key",
            "cp k house/keys/vault.key",
            "does not open",
            "wrong_token_key",
        ),
        // The last: the key is gone for good, and another has its name.
        (
            &format!("{other}; aes --sensitive --label vault --id 02"),
            "",
            "does not open",
            "wrong_token_key",
        ),
    ];
    for (n, (before, after, named, code)) in cases.into_iter().enumerate() {
        room.file("letter.eml", LETTER.replace("Vos", &format!("Vos {n}")).as_bytes());
        let script = format!(
            "{TOKEN} {before}; set +e; bailee --as P-2 snapshot verify S-1; echo \"said $?\"
            bailee intake letter.eml; echo \"taken $?\"; {after}"
        );
        let said = shell(&room, &script);
        assert!(!said.out.contains("said 0"), "{before}: {said:?}");
        assert!(said.err.contains(named) && said.err.contains(code), "{before}: {said:?}");
        assert!(!said.err.contains("999999") && !said.err.contains("471138"), "{before}: {said:?}");
        let taken = said.out.contains("taken 0");
        assert!(taken || code == "key_unfit", "recorded all the same: {before}: {said:?}");
    }
}

#[test]
fn a_key_that_can_leave_its_token_is_refused_and_the_old_one_works_on() {
    let room = Room::empty();
    let script = format!(
        "{TOKEN} {INIT}\n{KEPT}
        cp house/keys/vault.key plain
        aes --extractable --label loose --id 03
        printf '[keys]\\nvault = \"%s\"\\n' \"$source\" >> house/bailee.toml
        sed -i s/object=vault/object=loose/ house/bailee.toml
        if bailee keys vault rotate 2> refused; then exit 9; fi
        cmp house/keys/vault.key plain && test ! -e house/keys/vault.next.key
        bailee --as P-2 snapshot verify S-1
        sed -i s/object=loose/object=vault/ house/bailee.toml
        bailee keys vault rotate
        bailee --as P-2 snapshot verify S-1"
    );
    let said = shell(&room, &script);
    assert_eq!(said.code, 0, "{said:?}");
    let refused = fs::read_to_string(room.path("refused")).unwrap();
    assert!(refused.contains("can leave it") && refused.contains("holder_refused"), "{refused}");
    assert!(fs::read(room.house().join("keys/vault.key")).unwrap().starts_with(HEADER));
    let agent = format!("agent:SHA256:{}", "a".repeat(43));
    let said = shell(&Room::empty(), &format!("{INIT} --vault-key {agent}"));
    assert!(said.code == 2 && said.err.contains("--vault-key"), "{said:?}");
}
