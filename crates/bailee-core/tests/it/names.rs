//! Rules 1 and 3: whatever names something of ours means it, in a letter and in a field of a form,
//! today and when it comes to be called so.

use bailee_core::demand::{Flag, Scope};
use bailee_core::disposition::DispositionKind;
use bailee_core::id::*;
use bailee_core::party::{Channel, ChannelKind, Role, Who};
use bailee_core::{Action, Code, DutyKind, Event, NewAsset, NewDemand};

use crate::house::*;

fn called(names: &[&str]) -> Scope {
    Scope { identifiers: names.iter().map(|name| (*name).into()).collect(), ..Scope::default() }
}

fn bare(label: &str, n: u32) -> NewAsset {
    NewAsset { label: label.into(), accounts: vec![], ..new_asset(n) }
}

fn relabel(house: &mut House, asset: AssetId, label: &str) {
    let (label, identifiers) = (label.to_owned(), vec![]);
    house.yes(STAFF, Action::RelabelAsset { asset, label, identifiers, bytes: None });
}

fn reached(house: &House, hold: HoldId, asset: AssetId) -> bool {
    bailee_core::coverage::reaches(&house.state, hold, asset)
}

fn accounts(house: &House, hold: HoldId) -> &[AccountId] {
    &house.state.holds.get(hold).unwrap().scope.accounts
}

fn account(owner: PartyId, label: &str) -> Action {
    let (label, law) = (label.to_owned(), "NL".to_owned());
    Action::RegisterAccount { owner, entity: EntityId(1), label, law, retention_days: 0 }
}

#[test]
fn a_label_in_a_field_for_identifiers_freezes_what_has_it_and_what_comes_to_have_it() {
    let mut house = House::new();
    let here = house.asset(bare("srv-12", 1));
    let other = house.asset(bare("srv-13", 2));
    for name in ["srv-12", "SRV_12", "srv12", "s-r-v 12", "ｓｒｖ－１２"] {
        let hold = house.hold(called(&[name]), "letter");
        assert!(reached(&house, hold, here) && !reached(&house, hold, other), "{name}");
    }
    let (demand, form) =
        house.demand(NewDemand { scope: called(&["srv-12"]), ..letter("Nora", "see form") });
    assert_eq!(house.state.demands.get(demand).unwrap().flags, []);
    assert!(reached(&house, form, here));
    let mega = house.hold(called(&["Mega-Store"]), "letter");
    assert_eq!(accounts(&house, mega), [MEGA]);

    // What is called so later: by registration, by another label; and it stays held under any.
    let early = house.hold(called(&["rack.7/box", "green shop"]), "letter");
    let (_, waiting) =
        house.demand(NewDemand { scope: called(&["Rack 7 Box"]), ..letter("Nora", "form 2") });
    let new = house.asset(bare("rack-7-box", 3));
    relabel(&mut house, other, "RACK 7 BOX");
    relabel(&mut house, other, "spare");
    relabel(&mut house, new, "spare 2");
    for asset in [new, other] {
        assert!(reached(&house, early, asset) && reached(&house, waiting, asset), "{asset}");
    }
    let green = house.state.accounts.next();
    house.system(account(STRANGER, "Green Shop"));
    assert_eq!(accounts(&house, early), [green]);
    // The label that it had first still names it.
    let again = house.hold(called(&["srv-13"]), "letter");
    assert!(reached(&house, again, other));
    assert!(replay(&house.records, |_, _| false) == house.state);
}

#[test]
fn an_open_clearance_is_revoked_when_what_goes_comes_to_be_called_what_a_hold_wants() {
    let mut house = House::new();
    let asset = house.asset(bare("old name", 1));
    house.hold(called(&["new name"]), "letter");
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    house.reserve(x, asset, 1);
    let label = "new-name".to_owned();
    let relabel = Action::RelabelAsset { asset, label, identifiers: vec![], bytes: None };
    let names = House::names(&house.yes(STAFF, relabel));
    assert_eq!(names, ["AssetRelabelled", "HoldMatched", "ClearanceRevoked"]);
}

#[test]
fn matching_a_demand_to_what_is_not_here_finds_out_nothing() {
    let mut house = House::new();
    let (demand, hold) = house.demand(letter("Nora", "keep what I wrote"));
    let open = |house: &House, kind| {
        let mut duties = house.state.open_duties();
        duties.any(|id| house.state.duties.get(id).unwrap().kind == kind)
    };
    house.yes(STAFF, Action::MatchDemand { demand, scope: called(&["srv-12"]) });
    assert!(open(&house, DutyKind::Unmatched(demand)), "nothing is frozen yet");
    let asset = house.asset(bare("srv-12", 1));
    assert!(reached(&house, hold, asset));
    house.yes(STAFF, Action::MatchDemand { demand, scope: called(&["srv 12"]) });
    assert!(!open(&house, DutyKind::Unmatched(demand)) && open(&house, DutyKind::Triage(demand)));
}

#[test]
fn an_identifier_too_short_for_anything_is_refused_to_the_house_and_flagged_from_outside() {
    let mut house = House::new();
    for short in ["A-1", "x", "no", "-7-"] {
        let (instrument, reason) = ("letter".to_owned(), because());
        let scope = called(&[short]);
        let place = Action::PlaceHold { scope, instrument, matter: None, silent: None, reason };
        assert_eq!(house.no(STAFF, place), Code::BadValue, "{short}");
        let form = letter("Otto Owner", &format!("as filled in: {short}"));
        let (demand, hold) = house.demand(NewDemand { scope: called(&[short]), ..form });
        let flags = &house.state.demands.get(demand).unwrap().flags;
        assert_eq!(flags, &[Flag::ScopeUnreadable], "{short}");
        assert_eq!(accounts(&house, hold), [MEGA], "{short}");
    }
}

#[test]
fn the_name_and_the_mail_address_of_an_owner_mean_all_accounts_of_that_person() {
    let mut house = House::new();
    let second = house.state.accounts.next();
    house.system(account(OWNER, "otto's other shop"));
    for (n, text) in [
        "everything of your customer Otto OWNER.",
        "the mailbox of <otto.owner@example.org>",
        "the customer Otto\u{a0}Owner",
    ]
    .into_iter()
    .enumerate()
    {
        let (demand, hold) = house.demand(letter(&format!("Nora {n}"), text));
        assert_eq!(accounts(&house, hold), [MEGA, second], "{text}");
        assert_eq!(house.state.demands.get(demand).unwrap().flags, [], "{text}");
    }
    let by_form = house.hold(called(&["otto.owner@example.org"]), "letter");
    assert_eq!(accounts(&house, by_form), [MEGA, second]);
    // Whoever owns nothing is found by no name, and the post goes to many at one address.
    for text in ["everything of Rita Requester", "all of 1 Main Street", "Otto's data"] {
        let (demand, _) = house.demand(letter("Max", text));
        assert_eq!(house.state.demands.get(demand).unwrap().flags, [Flag::Unmatched], "{text}");
    }
}

#[test]
fn an_owner_who_becomes_one_or_gets_another_name_later_is_held_by_earlier_letters() {
    let mut house = House::new();
    let (_, hold) = house.demand(letter("Nora", "Keep all of Rita Requester and of Zoë Zander"));
    let wants = house.hold(called(&["zoe@zander.example"]), "letter");
    assert_eq!(accounts(&house, hold), []);
    let rita = house.state.accounts.next();
    let records = house.system(account(REQUESTER, "a shop"));
    assert_eq!(House::names(&records), ["AccountRegistered", "DemandMatched"]);
    assert_eq!(accounts(&house, hold), [rita]);

    let asset = house.asset(NewAsset { accounts: vec![BLUE], ..new_asset(1) });
    house.end_accounts();
    let x = house.ready(DispositionKind::Sanitize, &[asset]);
    house.reserve(x, asset, 1);
    let mail = Channel { kind: ChannelKind::Email, address: "zoe@zander.example".into() };
    let zoe = Who { name: "Zoe\u{308} Zander".into(), channels: vec![mail] };
    let change = Action::ChangeParty { party: STRANGER, who: zoe.clone() };
    let records = house.yes(STAFF, change.clone());
    let told = ["PartyChanged", "DemandMatched", "HoldMatched", "ClearanceRevoked"];
    assert_eq!(House::names(&records), told);
    assert_eq!((accounts(&house, hold), accounts(&house, wants)), (&[rita, BLUE][..], &[BLUE][..]));
    assert_eq!(House::names(&house.yes(STAFF, change)), ["PartyChanged"], "it is held already");
    // Letters go on using the name that their writers know.
    let (_, old) = house.demand(letter("Nora", "Keep all of Sam Stranger"));
    assert_eq!(accounts(&house, old), [BLUE]);

    // Another login of the same person is the same person.
    let (_, alias) = house.demand(letter("Nora", "Keep all of Otto Alias"));
    let (roles, same_person_as) = (vec![Role::Owner], Some(OWNER));
    let who = who("Otto Alias");
    let records = house.yes(STAFF, Action::RegisterParty { who, roles, same_person_as });
    assert_eq!(House::names(&records), ["PartyRegistered", "DemandMatched"]);
    assert_eq!(accounts(&house, alias), [MEGA]);
    assert!(replay(&house.records, |_, _| false) == house.state);
}

#[test]
fn what_is_erased_names_nobody_any_more() {
    let mut house = House::new();
    let change = Action::ChangeParty { party: OWNER, who: who("Otto Renamed") };
    house.yes(STAFF, change);
    let (roles, same_person_as) = (vec![Role::Owner], Some(OWNER));
    let twin = house.state.parties.next();
    let who = who("Otto Twin");
    house.yes(STAFF, Action::RegisterParty { who, roles, same_person_as });
    house.end_accounts();
    house.yes(COUNSEL, Action::EraseDetails { party: OWNER });
    for name in ["Otto Owner", "Otto Renamed", "otto.owner@example.org", "mega store"] {
        let (demand, hold) = house.demand(letter("Nora", &format!("all of {name}")));
        assert_eq!(accounts(&house, hold), [], "{name}");
        assert_eq!(house.state.demands.get(demand).unwrap().flags, [Flag::Unmatched], "{name}");
    }
    // The other login is not erased: it is still known whose the account was.
    let (_, hold) = house.demand(letter("Nora", "all of Otto Twin"));
    assert_eq!(accounts(&house, hold), [MEGA]);
    house.yes(COUNSEL, Action::EraseDetails { party: twin });
    let destroyed: Vec<u64> = (house.records.iter())
        .filter_map(|record| match &record.fact.event {
            Event::DetailsErased { positions, .. } => Some(positions.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let again = replay(&house.records, |section, seq| section == 1 && destroyed.contains(&seq));
    assert!(again == house.state);
}

#[test]
fn an_owner_whose_name_brought_a_silent_hold_sees_nothing_of_it() {
    let seen = |silent: bool| {
        let mut house = House::new();
        house.server(1);
        if silent {
            let instrument = Some("epoc-pr".to_owned());
            house.demand(NewDemand { instrument, ..letter("Nora", "data of Otto Owner") });
        }
        house.system(account(OWNER, "a second shop"));
        house.yes(STAFF, Action::ChangeParty { party: OWNER, who: who("Otto Other") });
        let view = bailee_core::view::owner(&house.state, OWNER);
        (view.accounts, view.assets, view.holds)
    };
    assert_eq!(seen(true), seen(false));
}

#[test]
fn a_range_means_what_lies_between_and_the_widest_scope() {
    let of = |label: &str| NewAsset { label: label.into(), identifiers: vec![], ..new_asset(1) };
    for (labels, texts) in [
        (
            ["srv-9", "srv-10", "srv-11", "srv-12", "srv-13"],
            &[
                "keep the servers srv-10 to srv-12",
                "keep srv-10 through 12.",
                "keep srv-10 \u{2013} srv-12",
                "keep srv-10 - srv-12",
                "keep srv-10..srv-12",
                "srv-12 up to srv-10, please",
                "srv-10 up to and including srv-12",
                "between srv-10 and srv-12",
                "srv-[10-12]",
                "srv-10-12",
                "srv-10 \u{e0} srv-12",
                "srv-10 ~ srv-12",
                "srv-10 -> srv-12",
                "srv-10 \u{2192} srv-12",
                "srv-10-srv-12",
                "srv-10, 11-12",
                "srv-10 and 11 to 12",
                "srv-10, srv-11 to 12",
                "srv-10 t/m srv-12",
                "srv-10 tot en met srv-12",
                "srv-10 bis zu srv-12",
                "srv-10 bis einschlie\u{df}lich srv-12",
                "de srv-10 jusqu'\u{e0} srv-12",
                "de srv-10 a srv-12",
            ][..],
        ),
        (
            ["web0009", "web0010", "web0011", "web0012", "web0013"],
            &[
                "keep web0010 to web0012",
                "web0010 bis 0012",
                "web0010\u{2013}web0012",
                "web0010-web0012",
            ][..],
        ),
        (
            ["rack14-u9", "rack14-u10", "rack14-u11", "rack14-u12", "rack14-u13"],
            &[
                "rack14-u10 to rack14-u12",
                "rack14-u10-u12",
                "rack14-u10 to u12",
                "rack14-u10, u11-12",
            ][..],
        ),
    ] {
        for text in texts {
            let mut house = House::new();
            let all = labels.map(|label| house.asset(NewAsset { accounts: vec![], ..of(label) }));
            let (demand, hold) = house.demand(letter("Nora", text));
            let scope = &house.state.holds.get(hold).unwrap().scope;
            for (asset, expected) in all.into_iter().zip([false, true, true, true, false]) {
                assert_eq!(scope.assets.contains(&asset), expected, "{asset} {text}");
            }
            let flags = &house.state.demands.get(demand).unwrap().flags;
            assert!(flags.contains(&Flag::ScopeUnreadable), "{text}");
        }
    }
}

#[test]
fn a_list_means_its_members_for_certain() {
    let mut house = House::new();
    let all = [1, 2, 3, 4].map(|n| house.asset(bare(&format!("srv-{n}"), n)));
    for text in ["srv-1, 2 and 4", "srv-1/2/4", "srv-1, srv-2 or 4"] {
        let (demand, hold) = house.demand(letter("Nora", text));
        let scope = &house.state.holds.get(hold).unwrap().scope;
        assert_eq!(scope.assets, [all[0], all[1], all[3]], "{text}");
        assert_eq!(house.state.demands.get(demand).unwrap().flags, [], "{text}");
    }
}

#[test]
fn a_range_of_serial_numbers_means_what_lies_between() {
    let mut house = House::new();
    let named = |n: u32| NewAsset {
        identifiers: vec![identifier(
            bailee_core::asset::IdentifierKind::Serial,
            &format!("WDA{n}"),
        )],
        ..bare(&format!("disk of {n}"), n)
    };
    let drives = [5, 6, 7, 8].map(|n| house.asset(named(n)));
    let (_, hold) = house.demand(letter("Nora", "the drives WDA5 to WDA7"));
    let mut assets = house.state.holds.get(hold).unwrap().scope.assets.clone();
    assets.sort();
    assert_eq!(assets, drives[..3]);
}

#[test]
fn an_identifier_is_found_behind_what_it_is_said_to_be_and_in_a_row() {
    let mut house = House::new();
    let disk = |serial: &str, n: u32| NewAsset {
        identifiers: vec![identifier(bailee_core::asset::IdentifierKind::Serial, serial)],
        ..bare(&format!("disk of {n}"), n)
    };
    let (one, other) = (house.asset(disk("WDWX42A10", 1)), house.asset(disk("WD-WX43A11", 2)));
    for (text, meant) in [
        ("S/N:WD-WX42A10", &[one][..]),
        ("serial=WD-WX42A10;", &[one]),
        ("WD-WX42A10,WD-WX43A11", &[one, other]),
        ("S/N WD-WX42A10/WD-WX43A11", &[one, other]),
        ("/dev/disk/by-id/ata-WDC_WD-WX43A11", &[other]),
        ("\"WD-WX43A11\"", &[other]),
    ] {
        let (_, hold) = house.demand(letter("Nora", text));
        let mut assets = house.state.holds.get(hold).unwrap().scope.assets.clone();
        assets.sort();
        assert_eq!(assets, meant, "{text}");
    }
}

/// However many fields a form has, they are read with the strength of one letter.
#[test]
fn the_ranges_of_a_form_are_bounded_together_and_wait_for_what_comes() {
    let mut house = House::new();
    let here = house.asset(bare("srv-7", 7));
    let form = |identifiers: Vec<String>| NewDemand {
        scope: Scope { identifiers, ..Scope::default() },
        ..letter("Nora", "")
    };
    let (demand, hold) = house.demand(form(vec!["zrv-1 to zrv-5".into(), "srv-6 to 8".into()]));
    let later = house.asset(bare("zrv-3", 3));
    let scope = house.state.holds.get(hold).unwrap().scope.clone();
    assert_eq!(scope.assets, [here, later]);
    assert!(house.state.demands.get(demand).unwrap().flags.contains(&Flag::ScopeUnreadable));
    let many = (0..400).map(|n| format!("srv-9000 to srv-9999{n}, A-50 to A-99{n}")).collect();
    let (demand, _) = house.demand(form(many));
    assert!(house.state.demands.get(demand).unwrap().flags.contains(&Flag::ScopeUnreadable));
}

#[test]
fn what_is_in_a_range_and_comes_later_is_held_from_then_on() {
    for (text, held) in [
        ("Please keep qrv-10 to qrv-20", [true, true, false]),
        ("Please keep qrv-10, 15 and 20", [true, true, false]),
        ("Please keep qrv-10 to 20 until 21 December", [true, true, false]),
        ("Please keep qrv-100015 and our 10 to 20 people", [false, false, false]),
    ] {
        let mut house = House::new();
        let (_, hold) = house.demand(letter("Nora", text));
        let later = ["qrv-15", "qrv-20", "qrv-21"].map(|label| {
            house.asset(NewAsset { label: label.into(), identifiers: vec![], ..new_asset(1) })
        });
        let scope = &house.state.holds.get(hold).unwrap().scope;
        assert_eq!(later.map(|asset| scope.assets.contains(&asset)), held, "{text}");
    }
}

#[test]
fn what_is_no_range_of_anything_here_is_read_for_certain() {
    let mut house = House::new();
    let asset = house.asset(bare("srv-10", 1));
    for text in [
        "10 to 12 people",
        "keep srv-10 to the end of 2027",
        "keep srv-10 until 2027",
        "srv-10 bis 2027-12-31",
        "srv-10, srv-12",
        "srv-10-3",
    ] {
        let (demand, hold) = house.demand(letter("Nora", text));
        let named = house.state.holds.get(hold).unwrap().scope.assets.contains(&asset);
        assert_eq!(named, text.contains("srv"), "{text}");
        let flags = &house.state.demands.get(demand).unwrap().flags;
        assert!(!flags.contains(&Flag::ScopeUnreadable), "{text}: {flags:?}");
    }
    // The hyphen of a name that is here; the shorter name in it is meant as ever.
    let all = [2, 3, 4].map(|n| house.asset(bare(&format!("srv-{n}"), n)));
    let drive = house.asset(bare("srv-2-4", 5));
    let (demand, hold) = house.demand(letter("Nora", "keep srv-2-4"));
    assert_eq!(house.state.holds.get(hold).unwrap().scope.assets, [drive, all[0]]);
    assert_eq!(house.state.demands.get(demand).unwrap().flags, []);
}

#[test]
fn more_ranges_than_are_looked_up_make_a_letter_uncertain_and_not_long_to_read() {
    let mut house = House::new();
    let all = (1..=9).map(|n| house.asset(bare(&format!("srv-{n}"), n))).collect::<Vec<_>>();
    let many = "srv-1 to srv-2, ".repeat(70);
    let junk = ["srv-1 1 1 1 1 to ", "1 ", "- ", "srv-1 to "].map(|part| part.repeat(1 << 15));
    let wide = format!("srv-1 to srv-{}, srv-1 to srv-99999999", "0".repeat(70_000));
    let phone = "1-999999999, call 020-1234567. ".repeat(1 << 13);
    for text in [many, junk.concat(), wide, format!("srv-1 to srv-3 {phone}")] {
        let (demand, hold) = house.demand(letter("Nora", &text));
        let flags = &house.state.demands.get(demand).unwrap().flags;
        assert!(flags.contains(&Flag::ScopeUnreadable));
        assert!(house.state.holds.get(hold).unwrap().scope.assets.starts_with(&all[..1]));
    }
}
