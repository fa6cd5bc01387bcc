//! Which crate may use which. The architecture is stated as absences, and checked here from
//! `cargo metadata`: an arrow that is not in this table does not exist, for tests neither.

use super::Finding;
use serde_json::Value;

/// Left may use right, and nothing else of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("bailee", &["bailee-server", "bailee-ledger"]),
    (
        "bailee-server",
        &[
            "bailee-core",
            "bailee-ledger",
            "bailee-store",
            "bailee-vault",
            "bailee-mount",
            "bailee-post",
            "bailee-sanitize",
        ],
    ),
    ("bailee-vault", &["bailee-store", "bailee-ledger"]),
    ("bailee-mount", &["bailee-vault"]),
    ("bailee-sanitize", &["bailee-ledger"]),
    ("bailee-core", &[]),
    ("bailee-ledger", &[]),
    ("bailee-store", &[]),
    ("bailee-post", &[]),
    (
        "bailee-fuzz",
        &[
            "bailee-core",
            "bailee-ledger",
            "bailee-post",
            "bailee-sanitize",
            "bailee-server",
            "bailee-store",
            "bailee-vault",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that decide or prove, and what they must not depend on even without using it.
const PURE: &[&str] = &["bailee-core", "bailee-ledger"];
const IMPURE: &[&str] = &["tokio", "getrandom", "rand", "rustix", "libc", "mio", "async-std"];

/// Names of the workspace's crates.
pub(crate) fn names(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    packages.iter().filter_map(|package| Some(package["name"].as_str()?.to_owned())).collect()
}

/// Findings in the whole workspace.
pub(crate) fn check(metadata: &Value) -> Vec<Finding> {
    let ours = names(metadata);
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let path = match name {
            "xtask" => "xtask/Cargo.toml".to_owned(),
            "bailee-fuzz" => "fuzz/Cargo.toml".to_owned(),
            _ => format!("crates/{name}/Cargo.toml"),
        };
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            let instead = "give it its arrows in xtask/src/tidy/arrows.rs and docs/architecture.md";
            findings.push(Finding::new(&path, 0, format!("crate `{name}` has no arrows"), instead));
            continue;
        };
        let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
        for dependency in dependencies {
            let used = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if ours.iter().any(|own| own == used) && !allowed.contains(&used) && used != name {
                let what = format!("`{name}` uses `{used}`");
                let instead = match allowed {
                    [] => "nothing of ours: take what is needed as an argument".to_owned(),
                    some => format!("only {}", some.join(", ")),
                };
                findings.push(Finding::new(&path, 0, what, instead));
            }
            if PURE.contains(&name) && IMPURE.contains(&used) && !for_tests {
                let what = format!("`{name}` is pure and depends on `{used}`");
                findings.push(Finding::new(&path, 0, what, "take its result as an argument"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Uses = &'static [(&'static str, Option<&'static str>)];

    fn check_of(packages: &[(&str, Uses)]) -> Vec<String> {
        let packages: Vec<Value> = packages
            .iter()
            .map(|(name, uses)| {
                let uses: Vec<Value> =
                    uses.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
                json!({"name": name, "dependencies": uses})
            })
            .collect();
        check(&json!({ "packages": packages })).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn allowed_arrows_pass_and_others_are_found() {
        let good = check_of(&[
            ("bailee-vault", &[("bailee-store", None), ("serde", None)]),
            ("bailee-store", &[("tokio", None)]),
        ]);
        assert_eq!(good, [""; 0]);
        let bad = check_of(&[
            ("bailee-core", &[("bailee-store", Some("dev")), ("getrandom", None)]),
            ("bailee-store", &[("bailee-core", None)]),
            ("bailee-new", &[]),
        ]);
        assert_eq!(
            bad,
            [
                "`bailee-core` uses `bailee-store`",
                "`bailee-core` is pure and depends on `getrandom`",
                "`bailee-store` uses `bailee-core`",
                "crate `bailee-new` has no arrows",
            ]
        );
    }
}
