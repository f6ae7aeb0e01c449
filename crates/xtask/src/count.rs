//! Counts of tests, read from what test runners print.

/// Tests that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed, timed out or leaked.
    pub(crate) failed: u64,
}

impl Count {
    /// Adds what `line` reports, if it is a closing line of cargo test or nextest.
    pub(crate) fn read_line(&mut self, line: &str) {
        // Indented, it is the output of one test that nextest shows again, and counted already.
        let summary = if let Some(rest) = line.strip_prefix("test result: ") {
            rest
        } else if line.trim_start().starts_with("Summary [") {
            match line.split_once(" run: ") {
                Some((_, rest)) => rest,
                None => return,
            }
        } else {
            return;
        };
        for part in summary.split([';', ',', '.']) {
            let mut words = part.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
                continue;
            };
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("timed") => self.failed += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &str) -> (u64, u64) {
        let mut count = Count::default();
        lines.lines().for_each(|line| count.read_line(line));
        (count.passed, count.failed)
    }

    #[test]
    fn cargo_test_lines_add_up() {
        let lines = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; finished in 0.1s\n\
                     noise 7 passed\n\
                     test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured";
        assert_eq!(count(lines), (7, 1));
    }

    #[test]
    fn nextest_summaries_are_read() {
        assert_eq!(
            count("     Summary [   1.234s] 12 tests run: 12 passed (1 slow), 3 skipped"),
            (12, 0)
        );
        assert_eq!(
            count(
                "     Summary [ 60.1s] 12/20 tests run: 9 passed, 2 failed, 1 timed out, 0 skipped"
            ),
            (9, 3)
        );
        assert_eq!(count("    test result: ok. 1 passed; 0 failed"), (0, 0));
    }
}
