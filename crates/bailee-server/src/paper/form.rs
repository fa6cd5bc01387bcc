//! The certification form: what a person may sign about a bundle, with everything filled in that
//! the bundle knows, and blanks for everything that only a person can say.
//!
//! Invariants: it says that it is a form, that unsigned it certifies nothing, and that it is no
//! legal advice; nothing that is filled in speaks for a person. Wording follows Fed. R. Evid.
//! 902(11), 902(14), 803(6)(A)-(C) and 28 U.S.C. 1746.

use super::{Block, Document, Table};

/// Documents listed one by one; more are covered by the digest over their list.
const LISTED: usize = 200;

/// What the bundle knows.
pub(crate) struct Facts {
    pub(crate) matter: String,
    pub(crate) reader: String,
    pub(crate) origin: String,
    /// Hex id of the log's key.
    pub(crate) key: String,
    pub(crate) size: u64,
    /// Root of the tree, base64, as it stands in the checkpoint.
    pub(crate) root: String,
    /// SHA-256 of the file `checkpoint`.
    pub(crate) checkpoint: String,
    pub(crate) entries: u64,
    /// SHA-256 and size of each document, in order.
    pub(crate) documents: Vec<(String, u64)>,
    /// SHA-256 over the lines of `manifest-sha256.txt` about documents.
    pub(crate) list: String,
    pub(crate) witnesses: String,
    pub(crate) timestamps: String,
    pub(crate) program: String,
}

/// The form.
pub(crate) fn certification(facts: &Facts) -> Document {
    let title = "Certification of records and of copies made by a process of digital \
                 identification (form)";
    let foot = format!("Form, {} for {}  ·  log {}", facts.matter, facts.reader, facts.origin);
    let mut form = Document { title: title.to_owned(), foot, blocks: Vec::new() };
    form.paragraph(
        "THIS IS A FORM AND NOT A CERTIFICATION. It was filled in by a program as far as a \
         program can. Unsigned it certifies nothing. It becomes a certification when a qualified \
         person has read it, struck out what is not so, filled in the blanks and signed. It is \
         not legal advice: whether it fits the case, the court and the rules in force is for \
         counsel to say.",
    );
    form.paragraph(
        "Made with a view to Rules 902(11) and 902(14) of the Federal Rules of Evidence (records \
         of a regularly conducted activity; data copied from an electronic device, storage \
         medium or file, authenticated by a process of digital identification). Both ask for \
         reasonable written notice to the adverse party before trial, with the record and the \
         certification made available for inspection.",
    );
    form.heading("1. What this is about");
    form.blocks.push(Block::Fields(what(facts)));
    documents(&mut form, facts);
    process(&mut form);
    statement(&mut form);
    form
}

fn what(facts: &Facts) -> Vec<(String, String)> {
    let bytes: u64 = facts.documents.iter().map(|(_, size)| size).sum();
    let documents = format!("{}, {bytes} bytes together", facts.documents.len());
    let fields = [
        ("Matter", facts.matter.clone()),
        ("Bundle made for", facts.reader.clone()),
        ("Log (origin)", facts.origin.clone()),
        ("Key of the log", facts.key.clone()),
        ("Entries in the log", facts.size.to_string()),
        ("Root of its tree", facts.root.clone()),
        ("SHA-256 of checkpoint", facts.checkpoint.clone()),
        ("Witnesses", facts.witnesses.clone()),
        ("Timestamps", facts.timestamps.clone()),
        ("Entries in the bundle", facts.entries.to_string()),
        ("Documents", documents),
        ("SHA-256 of their list", facts.list.clone()),
        ("Made by", facts.program.clone()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn documents(form: &mut Document, facts: &Facts) {
    form.paragraph(
        "The list of documents is the lines of manifest-sha256.txt that name data/exhibits/, in \
         their order: grep ' data/exhibits/' manifest-sha256.txt | sha256sum gives its SHA-256.",
    );
    let all = facts.documents.len();
    if all == 0 {
        return;
    }
    let rows = facts.documents.iter().take(LISTED);
    let rows = rows.map(|(digest, size)| vec![digest.clone(), size.to_string()]).collect();
    let caption = match all <= LISTED {
        true => "Documents".to_owned(),
        false => format!("The first {LISTED} of {all} documents; the list covers all"),
    };
    let (head, widths) = (vec!["SHA-256", "Bytes"], vec![80, 20]);
    form.blocks.push(Block::Table(Table { caption, head, widths, rows }));
}

fn process(form: &mut Document) {
    form.heading("2. The process");
    form.paragraph(
        "Each act was recorded as an entry of an append-only log when it was done. An entry is a \
         leaf that holds a commitment (HMAC-SHA-256 under a random 32-byte salt) to what \
         happened, to personal details, and to documents by their SHA-256. Leaves are hashed into \
         a Merkle tree (RFC 6962, SHA-256), whose root and size the house signs with Ed25519 in a \
         checkpoint.",
    );
    form.paragraph(
        "Letters and documents were stored as the exact bytes received and named by their \
         SHA-256. When this bundle was made, each was read again and its SHA-256 compared with \
         its name; each opened part of an entry was compared with the commitment in its leaf, \
         and each leaf with the signed root. A document or entry that differed would have \
         stopped the making of the bundle.",
    );
    form.paragraph(
        "The bundle is a bag (BagIt 1.0, RFC 8493) in a ZIP: manifest-sha256.txt lists the \
         SHA-256 of every file, and bundle.note is signed over that list. Anybody can repeat \
         these comparisons offline: bailee verify FILE, or the steps in VERIFY.md with openssl, \
         sha256sum and base64.",
    );
}

fn statement(form: &mut Document) {
    form.heading("3. Statement of a qualified person");
    form.paragraph(
        "I am the person named below. Tick what is so from your own knowledge; strike out the \
         rest.",
    );
    for text in [
        "I am a custodian of the records described in part 1, or another person qualified to \
         speak about how they are made and kept.",
        "The records were made at or near the time of what they record by, or from information \
         transmitted by, someone with knowledge; they were kept in the course of a regularly \
         conducted activity; and making them was a regular practice of that activity.",
        "I am qualified, by the training or experience described below, to speak about the \
         process of digital identification described in part 2.",
        "I verified the bundle named below with the means named below, and the SHA-256 values of \
         the copies were identical with those recorded. I compared the key of the log with the \
         one that the log publishes.",
    ] {
        form.tick(text);
    }
    for label in [
        "File name of the bundle, and SHA-256 of the whole file (sha256sum FILE)",
        "Date and means of verification (program and version, or the steps in VERIFY.md)",
        "Training or experience that qualifies me",
        "Anything that differs from the above",
    ] {
        form.blank(label);
    }
    form.paragraph(
        "I declare under penalty of perjury that the foregoing is true and correct. (If executed \
         outside of the United States: under penalty of perjury under the laws of the United \
         States of America. 28 U.S.C. 1746.)",
    );
    let blanks =
        ["Name", "Title and organisation", "Executed on (date)", "at (place)", "Signature"];
    for label in blanks {
        form.blank(label);
    }
}
