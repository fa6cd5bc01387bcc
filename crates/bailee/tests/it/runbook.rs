//! The operator's runbook about keys (docs/keys.md): its commands, as they stand there, in one
//! shell, from the first key to a lost one. What comes "30 days later" is refused today, as it must
//! be, and then done with a reason that does not wait.

use std::fs;
use std::path::Path;

use crate::keys::shell;
use crate::room::{LETTER, Room};

/// The blocks of commands of the page, in order.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (block, after) = after.split_once("```").expect("a block ends");
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

/// A block whose first command waits for the end of an overlap.
fn later(block: &str) -> String {
    let (first, rest) = block.split_once('\n').expect("two commands");
    let (retire, rest) = if first.starts_with('#') {
        rest.split_once('\n').expect("more commands")
    } else {
        panic!("{block}")
    };
    format!(
        "if {retire} 2> refused; then echo 'the overlap was not waited for'; exit 9; fi\n\
         grep -q overlap_running refused\n{retire} --stolen \
         --note 'as if thirty days had passed'\n{rest}"
    )
}

#[test]
fn the_first_commands_after_init_work_as_they_stand_in_the_operators_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
    let page = fs::read_to_string(page).unwrap();
    let all = blocks(&page);
    let first = |what: &str| all.iter().find(|block| block.contains(what)).expect(what);
    let names = first("BAILEE_AS=P-2").replace("export BAILEE_DIR=/var/lib/bailee/house", "export");
    let names = names.replace("sudo -u bailee -s\n", "");
    assert!(names.contains("BAILEE_AS=P-2") && !names.contains("sudo"), "{names}");
    let room = Room::with_house();
    let said = shell(&room, &format!("{names}{}stat -c %a agent.token", first("token issue")));
    assert_eq!((said.code, said.out.trim()), (0, "600"), "{said:?}");
    let token = fs::read_to_string(room.path("agent.token")).unwrap();
    assert!(token.starts_with("bailee_"), "not a token");
}

#[test]
fn the_commands_of_the_runbook_work_as_they_stand_there() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/keys.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = blocks(&page);
    assert!(blocks.len() >= 12, "only {} blocks were found", blocks.len());
    let room = Room::empty();
    room.file("letter.eml", LETTER.as_bytes());
    let mut script = "trap 'ssh-agent -k > /dev/null || true' EXIT\nset -x\n".to_owned();
    for (n, block) in blocks.iter().enumerate() {
        let waits = block.starts_with("# 30 days later");
        let lost = block.starts_with("# the key is lost");
        if lost {
            script.push_str("rm house/keys/log.key; if bailee status; then exit 9; fi\n");
        }
        script.push_str(&if waits { later(block) } else { block.clone() });
        // After each: every rule and proof holds, and a receipt verifies under what was published.
        script.push_str(&format!(
            "\nsed 's/Vos/Vos {n}/' letter.eml > letter-{n}.eml\n\
             bailee intake letter-{n}.eml --receipt receipt-{n}.bailee.zip\n\
             bailee keys policy > now.tlog-policy\n\
             bailee verify --policy now.tlog-policy receipt-{n}.bailee.zip\nbailee check\n"
        ));
    }
    let said = shell(&room, &script);
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert_eq!(said.out.matches("every rule and every proof holds").count(), blocks.len() + 1);
    assert!(!said.out.contains("FAILED"), "{}", said.out);
    // What was published at each time is kept, by the size it begins with.
    assert_eq!(fs::read_dir(room.house().join("policies")).unwrap().count(), 10);
    let last = fs::read_to_string(room.path("log.tlog-policy")).unwrap();
    assert!(last.starts_with("log log.example.org/2027+"), "{last}");
    for secret in ["secrets/passphrase", "secrets/pin"] {
        let secret = fs::read_to_string(room.path(secret)).unwrap();
        assert!(
            !said.err.contains(secret.trim()) || secret.trim().len() < 20,
            "a secret was shown"
        );
    }
}
