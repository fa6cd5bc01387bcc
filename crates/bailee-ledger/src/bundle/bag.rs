//! What makes a directory a bag (RFC 8493): its declaration, and `bag-info.txt`.
//!
//! No claim rests on these files, but a bundle whose bag does not hold has a problem: other
//! people's tools read them.

use crate::checkpoint::check_origin;
use crate::encoding::decimal;
use crate::error::Error;

const WHAT: &str = "bag-info.txt";
/// The declaration's member name.
pub const BAGIT: &str = "bag/bagit.txt";
/// Member name of the metadata.
pub const BAG_INFO: &str = "bag/bag-info.txt";
/// The only content of `bagit.txt`.
pub const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// Largest `bag-info.txt` read, in bytes.
pub(crate) const MAX_BAG_INFO: u64 = 4096;
/// Longest identifier and agent, in bytes.
const MAX_VALUE: usize = 1000;
const LABELS: [&str; 4] =
    ["Source-Organization: ", "External-Identifier: ", "Bag-Software-Agent: ", "Payload-Oxum: "];

/// `bag-info.txt`: four lines, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BagInfo {
    /// Log origin.
    pub origin: String,
    /// What the issuer calls the bundle.
    pub identifier: String,
    /// The program that wrote it.
    pub agent: String,
    /// Bytes of the payload.
    pub octets: u64,
    /// Files of the payload.
    pub files: u64,
}

impl BagInfo {
    /// The file's text. Error: a value that is empty, too long or not one line of plain text.
    pub fn to_text(&self) -> Result<String, Error> {
        check_origin(&self.origin)?;
        check_value(&self.identifier)?;
        check_value(&self.agent)?;
        let oxum = format!("{}.{}", self.octets, self.files);
        let values = [&self.origin, &self.identifier, &self.agent, &oxum];
        Ok(LABELS.iter().zip(values).map(|(label, value)| format!("{label}{value}\n")).collect())
    }

    /// Parses the file; strict.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |why| Error::malformed(WHAT, why);
        let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
        let lines: Vec<&str> = text.splitn(6, '\n').collect();
        let [origin, identifier, agent, oxum, ""] = lines.as_slice() else {
            return Err(bad("it does not have four lines"));
        };
        let value = |number: usize, line: &str| {
            let label = LABELS[number];
            let value = line.strip_prefix(label).map(str::to_owned);
            value.ok_or(Error::Line { what: WHAT, line: number + 1, why: "another label" })
        };
        let (origin, identifier) = (value(0, origin)?, value(1, identifier)?);
        let (agent, oxum) = (value(2, agent)?, value(3, oxum)?);
        let (octets, files) = oxum
            .split_once('.')
            .and_then(|(octets, files)| Some((decimal(octets)?, decimal(files)?)))
            .ok_or(bad("Payload-Oxum is not `<bytes>.<files>`"))?;
        check_origin(&origin)?;
        check_value(&identifier)?;
        check_value(&agent)?;
        Ok(Self { origin, identifier, agent, octets, files })
    }
}

fn check_value(value: &str) -> Result<(), Error> {
    let plain = !value.is_empty() && value.trim() == value && !value.contains(char::is_control);
    if plain && value.len() <= MAX_VALUE {
        Ok(())
    } else {
        Err(Error::malformed(WHAT, "a value is empty, too long, or not one line of plain text"))
    }
}
