//! The limits of texts in Sentinel: what is longer is cut, and says so.

/// Stands where text was cut off.
pub const TRUNCATED: &str = " [...]";
/// Characters of a comment.
pub const LONGEST_COMMENT: usize = 30_000;
/// Characters of an incident's description.
pub const LONGEST_DESCRIPTION: usize = 5_000;
/// Custom details of an alert.
pub const MOST_DETAILS: usize = 20;
/// Bytes of all custom details of an alert together, as JSON.
pub const LARGEST_DETAILS_BYTES: usize = 2 * 1024;

/// A comment that Sentinel takes.
#[must_use]
pub fn fit_comment(text: &str) -> String {
    fit_characters(text, LONGEST_COMMENT)
}

/// A description that Sentinel takes.
#[must_use]
pub fn fit_description(text: &str) -> String {
    fit_characters(text, LONGEST_DESCRIPTION)
}

fn fit_characters(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept = longest - TRUNCATED.chars().count();
    text.chars().take(kept).chain(TRUNCATED.chars()).collect()
}

/// Custom details that an alert takes: the first 20, 2 KB in all as JSON.
///
/// The longest values are shortened first, each with [`TRUNCATED`] at its end, so that many short ones
/// outlive one that is long. Names are kept whole while they fit.
#[must_use]
pub fn fit_details(details: &[(String, String)]) -> Vec<(String, String)> {
    let mut fitted: Vec<(String, String)> = details.iter().take(MOST_DETAILS).cloned().collect();
    while size(&fitted) > LARGEST_DETAILS_BYTES {
        let excess = size(&fitted) - LARGEST_DETAILS_BYTES;
        let longest = (0..fitted.len()).max_by_key(|index| fitted[*index].1.len());
        let Some(index) = longest else { break };
        let value = &mut fitted[index].1;
        if value.len() <= TRUNCATED.len() {
            // nothing but names is left: the last entries give way
            fitted.pop();
            continue;
        }
        *value = shortened(value, excess);
    }
    fitted
}

/// At least `excess` bytes shorter, or nothing but the mark; always shorter than it was.
fn shortened(value: &str, excess: usize) -> String {
    let text = value.strip_suffix(TRUNCATED).unwrap_or(value);
    let mark = TRUNCATED.len();
    let mut kept = value.len().saturating_sub(excess + mark).min(text.len());
    while !text.is_char_boundary(kept) {
        kept -= 1;
    }
    format!("{}{TRUNCATED}", &text[..kept])
}

fn size(details: &[(String, String)]) -> usize {
    let written: serde_json::Map<String, serde_json::Value> = details
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    serde_json::to_vec(&written).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn details(values: &[&str]) -> Vec<(String, String)> {
        let named = values.iter().enumerate();
        named
            .map(|(index, value)| (format!("d{index}"), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn short_details_stay_as_they_are() {
        let few = details(&["a", "b"]);
        assert_eq!(fit_details(&few), few);
        assert_eq!(fit_details(&details(&["x"; 25])).len(), MOST_DETAILS);
    }

    #[test]
    fn a_long_value_gives_way_and_says_so() {
        let long = "x".repeat(5_000);
        let fitted = fit_details(&details(&["short", &long]));
        assert_eq!(fitted[0].1, "short");
        assert!(fitted[1].1.ends_with(TRUNCATED));
        assert!(fitted[1].1.len() > 1_900, "{}", fitted[1].1.len());
    }

    #[test]
    fn comments_and_descriptions_are_cut_by_characters() {
        let comment = fit_comment(&"é".repeat(40_000));
        assert_eq!(comment.chars().count(), LONGEST_COMMENT);
        assert!(comment.ends_with(TRUNCATED));
        assert_eq!(fit_description("as it is"), "as it is");
    }

    proptest! {
        #[test]
        fn details_always_fit(
            lengths in prop::collection::vec((0_usize..40, 0_usize..1_500, "[a\"\u{1}\u{e9}]"), 0..30),
        ) {
            let values: Vec<(String, String)> = lengths
                .iter()
                .map(|(name, value, letter)| (letter.repeat(*name), letter.repeat(*value)))
                .collect();
            let fitted = fit_details(&values);
            prop_assert!(fitted.len() <= MOST_DETAILS);
            prop_assert!(size(&fitted) <= LARGEST_DETAILS_BYTES);
        }
    }
}
