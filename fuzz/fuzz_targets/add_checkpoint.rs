//! Requests to a witness: what parses is written in a form that reads back as itself, and no
//! request is cosigned by a witness that watches nobody, whatever is on record.
#![no_main]

use bailee_ledger::Signer;
use bailee_ledger::witness::{AddCheckpoint, Record, decide, parse_size};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    _ = parse_size(bytes);
    let Ok(request) = AddCheckpoint::parse(bytes) else { return };
    let again = AddCheckpoint::parse(request.to_string().as_bytes());
    assert_eq!(again.as_ref(), Ok(&request), "a request reads back");
    let Ok(log) = Signer::from_seed("log.example.org/2026", &[1; 32]) else { return };
    let key = log.verifier().clone();
    assert!(decide(&[], &Record::default(), &request).is_err(), "nobody is watched");
    let decided = decide(&[key.clone()], &Record { size: request.old, root: [0; 32] }, &request);
    if let Ok(checkpoint) = decided {
        assert!(request.note.verify(&[key]).is_ok(), "cosigned, and not signed by the log");
        assert!(checkpoint.size >= request.old, "cosigned backwards");
    }
});
