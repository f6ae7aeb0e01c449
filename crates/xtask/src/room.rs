//! Room on the disk: a build that runs out of it ends with errors that do not say so plainly.

use std::process::Command;

use crate::{layout::Layout, run::captured};

/// What the tools and a build of everything take, in MiB, rounded up.
const NEEDED_MIB: u64 = 12 * 1024;

/// Says so when a first build may not find room beside the repository. A `target` that is there
/// already has taken its share.
pub(crate) fn warn_if_tight(layout: &Layout) {
    if layout.root.join("target/debug/foretide").exists() {
        return;
    }
    let told = captured(Command::new("df").args(["-Pm"]).arg(&layout.root));
    if let Some(free) = told.ok().as_deref().and_then(available)
        && free < NEEDED_MIB
    {
        println!(
            "note: {free} MiB are free on this disk, and a first build takes up to {NEEDED_MIB}"
        );
    }
}

/// The fourth column of the last line of `df -P`.
fn available(told: &str) -> Option<u64> {
    told.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn free_space_is_read_from_df() {
        let told = "Filesystem 1048576-blocks  Used Available Capacity Mounted on\n\
                    /dev/vda           257000 50000     44000      54% /\n";
        assert_eq!(available(told), Some(44_000));
        assert_eq!(available(""), None);
        assert_eq!(available("Filesystem\n/dev/vda nonsense"), None);
    }
}
