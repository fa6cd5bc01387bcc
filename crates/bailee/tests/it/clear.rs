//! What could be read by somebody else on the way, or on this machine, is said or refused.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::room::{Room, Said, text};
use crate::wire::{Server, token};

#[test]
fn a_token_that_every_user_can_read_is_used_and_said() {
    let room = Room::with_house();
    let reader = room.file("reader.token", token(&room, "P-2", "reader").as_bytes());
    let server = Server::start(&room);
    let line = ["--server", server.url(), "--token-file", text(&reader), "party", "list"];
    for (mode, said_so) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&reader, fs::Permissions::from_mode(mode)).unwrap();
        let said = room.run(&line);
        assert!(said.code == 0 && said.out.contains("P-2"), "{said:?}");
        assert_eq!(said.err.matches("every user").count(), usize::from(said_so), "{said:?}");
        assert!(!said.err.contains("bailee_") && said_so == said.err.contains("reader.token"));
    }
}

#[test]
fn another_machine_is_spoken_to_in_clear_only_on_demand() {
    let room = Room::with_house();
    let reader = token(&room, "P-2", "reader");
    let server = Server::start(&room);
    // Not an address of loopback, and yet this machine.
    let url = server.url().replace("127.0.0.1", "0.0.0.0");
    let asked = |more: &[&str], env: Option<&str>| -> Said {
        let mut command = server.command(&url, &reader, &[more, &["party", "list"]].concat());
        command.envs(env.map(|value| ("BAILEE_INSECURE_HTTP", value)));
        Said::of(command.stdin(Stdio::null()).output().unwrap())
    };
    let refused = asked(&[], None);
    assert!(refused.code == 2 && refused.err.contains("--insecure-http"), "{refused:?}");
    assert!(refused.err.contains("https://"), "{refused:?}");
    assert_eq!(asked(&[], Some("0")).code, 2);
    assert!(asked(&["--insecure-http"], None).ok().contains("P-2"));
    assert!(asked(&[], Some("1")).ok().contains("P-2"));
}

#[test]
fn a_service_that_others_can_reach_without_tls_says_so() {
    let room = Room::with_house();
    for (listen, warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let mut command = room.command(&["serve", "--listen", listen]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let (mut answers, mut before) = (false, String::new());
        for line in lines {
            answers = line.contains("answers on");
            if answers {
                break;
            }
            before.push_str(&line);
        }
        _ = child.kill();
        _ = child.wait();
        assert!(answers, "{before}");
        assert_eq!(before.contains("without TLS"), warned, "{before}");
    }
}
