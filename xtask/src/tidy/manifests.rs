//! Manifests: each dependency is declared once, in the root, with the reason beside it; each
//! crate has one integration-test binary.

use super::Finding;

/// Whether this is a manifest of the workspace.
pub(crate) fn is_manifest(path: &str) -> bool {
    path.ends_with("Cargo.toml")
}

/// Findings in a manifest: reasons in a workspace's root, inheritance in its members.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let is_root = text.lines().any(|line| line.trim() == "[workspace]");
    let mut findings = Vec::new();
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        if line.is_empty() || line.starts_with('#') || !section.ends_with("dependencies") {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else { continue };
        let (name, number) = (name.trim(), number + 1);
        if is_root {
            findings.extend(check_reason(path, number, name, value));
        } else if !name.ends_with(".workspace") && !value.contains("workspace = true") {
            let what = format!("`{name}` has its own version");
            let instead = "declare it in the root's [workspace.dependencies], with the reason";
            findings.push(Finding::new(path, number, what, instead));
        }
    }
    findings
}

fn check_reason(path: &str, number: usize, name: &str, value: &str) -> Option<Finding> {
    let reason = value.rsplit_once(" # ").map(|(_, reason)| reason.trim());
    if value.contains("path = ") || reason.is_some_and(|reason| reason.contains(' ')) {
        return None;
    }
    let what = format!("`{name}` has no reason beside it");
    Some(Finding::new(path, number, what, "`# ` and why, on the same line"))
}

/// More than one test binary per crate costs a link each.
pub(crate) fn check_test_binaries(path: &str) -> Option<Finding> {
    let (_, inside) = path.split_once("/tests/")?;
    let lone = inside.ends_with(".rs") && !inside.contains('/');
    let second = inside.ends_with("/main.rs") && inside != "it/main.rs";
    let instead = "a module of tests/it/main.rs: one test binary per crate";
    let of_ours = path.starts_with("crates/") && !path.contains("/src/");
    (of_ours && (lone || second)).then(|| Finding::new(path, 0, "a second test binary", instead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_needs_a_reason_in_the_root_and_none_elsewhere() {
        let root = "[workspace]\n[workspace.dependencies]\nours = { path = \"x\" }\n\
                    good = \"1\" # why it is here\nbad = \"1\"\nshort = \"1\" # why\n\
                    [workspace.lints]\nx = \"deny\"\n";
        let lines: Vec<usize> = check("Cargo.toml", root).iter().map(|found| found.line).collect();
        assert_eq!(lines, [5, 6]);
        let member = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n\
                      b = { workspace = true, features = [] }\nc = \"1\"\n";
        let lines: Vec<usize> = check("a/Cargo.toml", member).iter().map(|f| f.line).collect();
        assert_eq!(lines, [6]);
    }

    #[test]
    fn one_test_binary_per_crate() {
        assert_eq!(check_test_binaries("crates/x/tests/it/main.rs"), None);
        assert_eq!(check_test_binaries("crates/x/tests/it/gate.rs"), None);
        assert!(check_test_binaries("crates/x/tests/gate.rs").is_some());
        assert!(check_test_binaries("crates/x/tests/other/main.rs").is_some());
    }
}
