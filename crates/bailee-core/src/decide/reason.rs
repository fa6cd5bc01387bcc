//! Reasons: how long the words and the list of documents of one act may be.
//!
//! Invariant: the papers of every act of a person fit many times into the largest section that a
//! bundle carries (16 MiB), so that no note can keep a matter from being proven. A demand is no
//! such act: it is never refused (rule 1), and its words are cut to a length of their own.

use crate::command::{Action, Reason};
use crate::refusal::{Code, Refusal};

/// Longest note, bytes. Longer texts are documents.
pub const LONGEST_NOTE: usize = 64 * 1024;
/// Most documents of one act.
pub const MOST_EXHIBITS: usize = 1000;
/// Longest name, and longest media type, of a document, bytes.
pub const LONGEST_EXHIBIT_NAME: usize = 1024;

/// Refuses a reason that is too long, whatever the act.
pub(super) fn bounded(action: &Action) -> Result<(), Refusal> {
    let Some(reason) = of(action) else { return Ok(()) };
    let too_long = |about: &str, text: String| Err(Refusal::new(Code::ReasonTooLong, about, text));
    if reason.note.len() > LONGEST_NOTE {
        let (has, most) = (reason.note.len(), LONGEST_NOTE);
        return too_long("the note", format!("has {has} bytes of at most {most}"));
    }
    if reason.exhibits.len() > MOST_EXHIBITS {
        let (has, most) = (reason.exhibits.len(), MOST_EXHIBITS);
        return too_long("the reason", format!("has {has} documents of at most {most}"));
    }
    let longest = |name: &String| name.len() > LONGEST_EXHIBIT_NAME;
    if reason.exhibits.iter().any(|paper| longest(&paper.name) || longest(&paper.media)) {
        let most = LONGEST_EXHIBIT_NAME;
        return too_long("a document", format!("has a name of more than {most} bytes"));
    }
    Ok(())
}

/// The reason that goes with an act, if it has one.
fn of(action: &Action) -> Option<&Reason> {
    match action {
        Action::DecideDemand { reason, .. }
        | Action::CorrectMedium { reason, .. }
        | Action::FileCorrespondence { reason, .. }
        | Action::PlaceHold { reason, .. }
        | Action::AddBasis { reason, .. }
        | Action::ExtendBasis { reason, .. }
        | Action::EndBasis { reason, .. }
        | Action::AllowCopy { reason, .. }
        | Action::SetGag { reason, .. }
        | Action::ProposeRelease { reason, .. }
        | Action::ProposeDisposition { reason, .. }
        | Action::CancelDisposition { reason, .. }
        | Action::RecordEvidence { reason, .. }
        | Action::FileObjection { reason, .. }
        | Action::DecideObjection { reason, .. }
        | Action::Finish { reason, .. }
        | Action::Abort { reason, .. }
        | Action::RequestAccess { reason, .. }
        | Action::DecideAccess { reason, .. }
        | Action::FulfilAccess { reason, .. }
        | Action::DischargeDuty { reason, .. }
        | Action::ProposeRotation { reason, .. }
        | Action::EndRotation { reason, .. }
        | Action::CancelRotation { reason, .. }
        | Action::ContinueLog { reason, .. } => Some(reason),
        Action::SetPolicy(_)
        | Action::LoadInstruments(_)
        | Action::RegisterParty { .. }
        | Action::ChangeParty { .. }
        | Action::EraseDetails { .. }
        | Action::RegisterEntity { .. }
        | Action::RegisterAccount { .. }
        | Action::TerminateAccount { .. }
        | Action::RegisterAsset(_)
        | Action::MoveAsset { .. }
        | Action::RelabelAsset { .. }
        | Action::AssignAsset { .. }
        | Action::CopyAsset { .. }
        | Action::ReceiveDemand(_)
        | Action::MatchDemand { .. }
        | Action::ReceiptSent { .. }
        | Action::OpenMatter { .. }
        | Action::CloseMatter { .. }
        | Action::ApproveRelease { .. }
        | Action::RecordSnapshot { .. }
        | Action::VerifySnapshot { .. }
        | Action::QueueNotices { .. }
        | Action::ApproveDisposition { .. }
        | Action::AcceptHold { .. }
        | Action::NoticeSent { .. }
        | Action::Reserve { .. }
        | Action::ReserveDevice { .. }
        | Action::Begin { .. }
        | Action::Renew { .. }
        | Action::StartMeter { .. }
        | Action::StopMeter { .. }
        | Action::BookCost { .. }
        | Action::DutyPaged { .. }
        | Action::IssueToken { .. }
        | Action::RevokeToken { .. }
        | Action::ApproveRotation { .. }
        | Action::RecordProbe { .. }
        | Action::RecordVolumes { .. }
        | Action::RecordRefusal { .. }
        | Action::Tick => None,
    }
}
