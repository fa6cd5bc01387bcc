//! What a letter and a form may call something of ours, through every door.

use bailee_core::id::AccountId;
use bailee_core::{Action, NewAsset};
use bailee_server::api::words::TokenScope;
use serde_json::{Value, json};

use crate::common::{drive, letter_with, on_disk, people, register_account, yes};
use crate::http::{Served, token};

#[test]
fn a_label_a_name_and_an_address_freeze_by_form_by_letter_and_by_a_persons_word() {
    let dir = tempfile::tempdir().unwrap();
    let house = on_disk(dir.path());
    let people = people(&house);
    register_account(&house, &people);
    let server = NewAsset { label: "srv-12".into(), ..drive(1, vec![AccountId(1)], Vec::new()) };
    yes(&house, people.ada, Action::RegisterAsset(server));
    let operator = token(&house, people.ada, TokenScope::Operator);
    let intake = token(&house, people.ada, TokenScope::Intake);
    let served = Served::start(house);
    let scope = |hold: &str| served.get(&format!("/v1/{hold}"), &operator).json()["scope"].take();
    let asset = |scope: &Value| (scope["accounts"].clone(), scope["assets"].clone());

    let form = [("content-type", "text/plain")];
    let fields = "medium=portal&sender=Jan&identifier=srv-12";
    let taken = served.post_with(&format!("/v1/intake?{fields}"), &intake, &form, b"see form");
    assert_eq!(taken.status, 201, "{}", taken.text());
    assert_eq!(asset(&scope("H-1")), (json!([]), json!(["A-1"])));
    let gate = served.get("/v1/gate/A-1", &operator).text();
    assert!(gate.contains("hold_provisional") && gate.contains("H-1"), "{gate}");

    for (n, text) in [
        (2, "Preserve everything of your customer otto@people.example.\r\n"),
        (3, "Preserve everything of your customer, Mr. OTTO STORE.\r\n"),
    ] {
        let taken = served.post("/v1/intake", &intake, &letter_with(n, text));
        assert_eq!(taken.status, 201, "{}", taken.text());
        let receipt = served.get(&format!("/v1/demands/D-{n}/receipt"), &operator);
        assert_eq!(receipt.status, 200);
        assert_eq!(asset(&scope(&format!("H-{n}"))), (json!(["AC-1"]), json!([])), "{text}");
    }

    // A person's word for a letter that names nothing: what is not here finds out nothing.
    let vague = letter_with(4, "Preserve what I wrote to you about.\r\n");
    assert_eq!(served.post("/v1/intake", &intake, &vague).status, 201);
    let matched = |identifier: &str| {
        let scope = json!({ "identifiers": [identifier] });
        let body = json!({ "do": "match-demand", "demand": "D-4", "scope": scope });
        served.post("/v1/commands", &operator, body.to_string().as_bytes())
    };
    let duties = |kind: &str| {
        let all = served.get("/v1/duties", &operator).json();
        let all = all["items"].as_array().unwrap().clone();
        let open = |duty: &&Value| duty["about"] == "D-4" && duty["discharged"] == false;
        all.iter().filter(open).filter(|duty| duty["what"] == kind).count()
    };
    let away = matched("srv-99");
    assert_eq!((away.status, duties("unmatched")), (200, 1), "{}", away.text());
    assert_eq!(matched("srv-12").status, 201);
    assert_eq!((duties("unmatched"), duties("triage")), (0, 1));
    assert_eq!(scope("H-4")["assets"], json!(["A-1"]));
    let short = matched("A-1");
    assert_eq!(short.code(), "bad_value", "{}", short.text());
}
