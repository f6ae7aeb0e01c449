//! Which checks to run.

use std::{collections::BTreeSet, process::Command};

use anyhow::Context;

use crate::{layout::Layout, run::captured, steps::ALL};

/// Which checks to run, and on what.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Only these, if any are named.
    pub(crate) only: Vec<String>,
    /// Not these.
    pub(crate) skip: Vec<String>,
    /// Only what a change touches.
    pub(crate) changed: bool,
    /// What takes hours, too.
    pub(crate) long: bool,
    /// Packages that are tested, as a filter of nextest; all when nothing.
    pub(crate) packages: Option<String>,
    /// What is left out because nothing that it checks has changed, and why.
    pub(crate) left_out: Vec<String>,
}

impl Selection {
    /// Only the steps `names`.
    pub(crate) fn only(names: &[&str]) -> Self {
        Self {
            only: names.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// Whether the step `name` runs.
    pub(crate) fn includes(&self, name: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|other| other == name);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// With `--changed`, only what the difference to the main branch touches.
    ///
    /// # Errors
    /// When git does not tell what has changed.
    pub(crate) fn resolved(mut self, layout: &Layout) -> anyhow::Result<Self> {
        if self.changed {
            let files = changed_files(layout)?;
            println!("{} files differ from the main branch", files.len());
            self.narrow(&Touched::by(&files, &members(layout)?));
        }
        Ok(self)
    }

    fn narrow(&mut self, touched: &Touched) {
        for step in ALL {
            if let Some(reason) = touched.leaves_out(step.name) {
                self.left_out.push(format!("{}: {reason}", step.name));
                self.skip.push(step.name.to_owned());
            }
        }
        if !touched.everything {
            let packages = touched.packages.iter();
            let filter: Vec<_> = packages.map(|name| format!("rdeps(={name})")).collect();
            self.left_out
                .push("tests of packages that do not depend on a changed one".to_owned());
            self.packages = Some(if filter.is_empty() {
                "none()".to_owned()
            } else {
                filter.join(" + ")
            });
        }
    }
}

/// What differing files touch.
#[derive(Debug, Default)]
struct Touched {
    everything: bool,
    packages: BTreeSet<String>,
    proto: bool,
    chart: bool,
    kql: bool,
    browser: bool,
    policy: bool,
}

impl Touched {
    /// `members` are package names by their folder.
    fn by(files: &[String], members: &[(String, String)]) -> Self {
        let mut touched = Self::default();
        for file in files {
            let is_in = |folder: &str| file.starts_with(&format!("{folder}/"));
            touched.everything |= [
                "Cargo.lock",
                "Cargo.toml",
                "rust-toolchain.toml",
                "clippy.toml",
            ]
            .contains(&file.as_str())
                || ["crates/xtask", ".config", ".cargo", ".ci"]
                    .into_iter()
                    .any(is_in);
            touched.policy |= file == "deny.toml" || file.ends_with("Cargo.toml");
            touched.proto |= is_in("proto");
            touched.chart |= is_in("charts");
            touched.kql |= file.ends_with(".kql") || is_in("e2e/kql");
            touched.browser |= is_in("e2e/browser");
            let package = members
                .iter()
                .filter(|(folder, _)| is_in(folder))
                .max_by_key(|(folder, _)| folder.len());
            touched
                .packages
                .extend(package.map(|(_, name)| name.clone()));
        }
        // generated code and embedded texts are of these
        if touched.proto {
            touched.packages.insert("foretide-api".to_owned());
        }
        touched
    }

    fn leaves_out(&self, step: &str) -> Option<&'static str> {
        let needed = match step {
            "proto" => self.proto,
            "policy" => self.policy,
            "chart" => self.chart,
            "kql" => self.kql,
            "build" | "test" | "doc" => !self.packages.is_empty(),
            "e2e" | "browser" | "clocks" => self.browser || self.chart || !self.packages.is_empty(),
            _ => true,
        };
        let reason = "nothing that it checks has changed";
        (!needed && !self.everything).then_some(reason)
    }
}

/// Files that differ from where this branch left the main one, uncommitted and new ones included.
fn changed_files(layout: &Layout) -> anyhow::Result<Vec<String>> {
    let git = |arguments: &[&str]| {
        captured(
            Command::new("git")
                .args(arguments)
                .current_dir(&layout.root),
        )
    };
    let base = ["origin/main", "main"]
        .into_iter()
        .find_map(|branch| git(&["merge-base", "HEAD", branch]).ok())
        .context("there is no main branch to compare with")?;
    let differing = git(&["diff", "--name-only", base.trim()])?;
    let new = git(&["ls-files", "--others", "--exclude-standard"])?;
    let files: BTreeSet<&str> = differing.lines().chain(new.lines()).collect();
    Ok(files.into_iter().map(str::to_owned).collect())
}

/// Our packages: folder and name.
fn members(layout: &Layout) -> anyhow::Result<Vec<(String, String)>> {
    let listed = captured(
        crate::run::cargo(layout)
            .args(["tree", "--workspace", "--depth", "0", "--locked"])
            .args(["--prefix", "none", "--format", "{p}"]),
    )?;
    let root = format!("{}/", layout.root.display());
    let member = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let folder = rest.split_once('(')?.1.trim_end_matches(')');
        Some((folder.strip_prefix(&root)?.to_owned(), name.to_owned()))
    };
    Ok(listed.lines().filter_map(member).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(files: &[&str]) -> Selection {
        let files: Vec<String> = files.iter().map(ToString::to_string).collect();
        let members = [("crates/db", "foretide-db"), ("e2e", "foretide-e2e")];
        let members = members.map(|(folder, name)| (folder.to_owned(), name.to_owned()));
        let mut selection = Selection::default();
        selection.narrow(&Touched::by(&files, &members));
        selection
    }

    #[test]
    fn a_changed_crate_is_tested_with_what_depends_on_it() {
        let selection = narrowed(&["crates/db/src/lib.rs", "docs/SCALE.md"]);
        assert_eq!(selection.packages.as_deref(), Some("rdeps(=foretide-db)"));
        assert!(selection.includes("e2e") && selection.includes("doc"));
        assert!(!selection.includes("chart") && !selection.includes("kql"));
        assert!(
            selection
                .left_out
                .iter()
                .any(|left| left.starts_with("chart: "))
        );
    }

    #[test]
    fn words_need_no_build_and_a_lock_file_needs_all() {
        let words = narrowed(&["README.md"]);
        assert!(!words.includes("build") && words.includes("fmt"));
        let all = narrowed(&["Cargo.lock"]);
        assert!(all.left_out.is_empty() && all.packages.is_none());
    }
}
