//! The card of a high-risk period.

use serde_json::{Value, json};
use url::Url;

use crate::message::{MessageError, TeamsMessage};

// a character takes at most four bytes, escaped or not: all of it together fits into a message
const LONGEST_TITLE: usize = 200;
const LONGEST_TEXT: usize = 800;
const LONGEST_NAME: usize = 60;
const LONGEST_VALUE: usize = 200;
const MOST_FACTS: usize = 12;
const MOST_DRIVERS: usize = 6;

/// What a risk notice says.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskNotice {
    /// One line: what is expected and when.
    pub title: String,
    /// A sentence or two.
    pub summary: String,
    /// Name and value pairs, e.g. period, probability, expected load, capacity.
    pub facts: Vec<Fact>,
    /// What drives the forecast, strongest first.
    pub drivers: Vec<NoticeDriver>,
    /// The page that shows the proposal or the forecast, authenticated.
    pub review_url: Url,
}

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// The value, as people read it.
    pub value: String,
}

impl Fact {
    /// A name and its value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// One additive part of the forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeDriver {
    /// Its name.
    pub name: String,
    /// Its part, in incidents.
    pub contribution: f64,
}

impl RiskNotice {
    /// The message with the Adaptive Card of this notice. Texts are cut to what a card can show,
    /// and what would read as markup is escaped.
    ///
    /// # Errors
    /// When the message is too large all the same (a very long review address).
    pub fn message(&self) -> Result<TeamsMessage, MessageError> {
        TeamsMessage::with_card(&self.card())
    }

    fn card(&self) -> Value {
        let mut body = vec![
            json!({
                "type": "TextBlock", "text": plain(&self.title, LONGEST_TITLE),
                "size": "Large", "weight": "Bolder", "wrap": true, "style": "heading",
            }),
            json!({
                "type": "TextBlock", "text": "Forecast, not a detection: nothing has happened yet.",
                "isSubtle": true, "spacing": "None", "wrap": true,
            }),
        ];
        if !self.summary.trim().is_empty() {
            let text = plain(&self.summary, LONGEST_TEXT);
            body.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
        }
        if !self.facts.is_empty() {
            body.push(fact_set(self.facts.iter().take(MOST_FACTS).map(|fact| {
                (
                    plain(&fact.name, LONGEST_NAME),
                    plain(&fact.value, LONGEST_VALUE),
                )
            })));
        }
        if !self.drivers.is_empty() {
            body.push(json!({
                "type": "TextBlock", "text": "What drives it", "weight": "Bolder",
                "wrap": true, "separator": true,
            }));
            body.push(fact_set(self.drivers.iter().take(MOST_DRIVERS).map(
                |driver| {
                    (
                        plain(&driver.name, LONGEST_NAME),
                        format!("{:+.1}", driver.contribution),
                    )
                },
            )));
        }
        json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": { "width": "Full" },
            "fallbackText": plain(&self.title, LONGEST_TITLE),
            "body": body,
            "actions": [{
                "type": "Action.OpenUrl", "title": "Review in Foretide", "url": self.review_url,
            }],
        })
    }
}

fn fact_set(facts: impl Iterator<Item = (String, String)>) -> Value {
    let facts: Vec<Value> = facts
        .map(|(title, value)| json!({ "title": title, "value": value }))
        .collect();
    json!({ "type": "FactSet", "facts": facts })
}

/// Cuts a text and takes the markup out of it: cards read Markdown, and a title made of data must
/// not become a link.
fn plain(text: &str, longest: usize) -> String {
    let mut characters = text.trim().chars();
    let mut shown = String::new();
    for character in characters.by_ref().take(longest) {
        match character {
            '\\' | '[' | ']' | '*' | '`' | '<' | '>' | '#' | '|' | '~' => {
                shown.push('\\');
                shown.push(character);
            }
            _ if character.is_control() => shown.push(' '),
            _ => shown.push(character),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::LARGEST_MESSAGE;

    fn notice(title: String, facts: Vec<Fact>, drivers: Vec<NoticeDriver>) -> RiskNotice {
        RiskNotice {
            title: title.clone(),
            summary: title,
            facts,
            drivers,
            review_url: "https://foretide.example/proposals/1"
                .parse()
                .expect("an address"),
        }
    }

    #[test]
    fn a_card_says_that_it_is_a_forecast_and_links_to_the_review() {
        let facts = vec![Fact::new("Probability", "82%")];
        let drivers = vec![NoticeDriver {
            name: "campaign".to_owned(),
            contribution: 41.25,
        }];
        let message = notice("High load on Saturday".to_owned(), facts, drivers)
            .message()
            .expect("fits");
        let value: Value = serde_json::from_str(message.as_json()).expect("JSON");
        let card = &value["attachments"][0]["content"];
        assert_eq!(card["version"], "1.4");
        assert_eq!(card["body"][0]["text"], "High load on Saturday");
        assert!(
            card["body"][1]["text"]
                .as_str()
                .is_some_and(|text| text.contains("not a detection"))
        );
        assert_eq!(
            card["body"][3]["facts"][0],
            json!({ "title": "Probability", "value": "82%" })
        );
        assert_eq!(
            card["body"][5]["facts"][0],
            json!({ "title": "campaign", "value": "+41.2" })
        );
        assert_eq!(card["actions"][0]["type"], "Action.OpenUrl");
        assert_eq!(TeamsMessage::parse(message.as_json()), Ok(message));
    }

    #[test]
    fn data_does_not_become_a_link() {
        let message = notice(
            "[click](https://evil.example) <b>".to_owned(),
            vec![],
            vec![],
        );
        let value: Value =
            serde_json::from_str(message.message().expect("fits").as_json()).expect("JSON");
        let text = &value["attachments"][0]["content"]["body"][0]["text"];
        assert_eq!(text, "\\[click\\](https://evil.example) \\<b\\>");
    }

    #[test]
    fn other_shapes_are_no_message() {
        let card = r#"{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{"type":"AdaptiveCard"}}]}"#;
        assert!(TeamsMessage::parse(card).is_ok());
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"type":"message"}"#,
            r#"{"type":"message","attachments":[]}"#,
            r#"{"type":"message","attachments":[{},{}]}"#,
            r#"{"type":"message","attachments":[{"contentType":"text/plain"}]}"#,
        ] {
            assert!(TeamsMessage::parse(text).is_err(), "{text}");
        }
        let large = card.replacen(
            "AdaptiveCard\"",
            &format!("AdaptiveCard\",\"x\":\"{}\"", "x".repeat(LARGEST_MESSAGE)),
            1,
        );
        assert!(matches!(
            TeamsMessage::parse(&large),
            Err(MessageError::TooLarge { .. })
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn every_notice_fits_whatever_it_says(
            title in "[\\\\\u{10ffff}a]{0,1200}",
            values in prop::collection::vec(("[\\\\\u{10ffff}]{0,120}", "[\\[\\\\\u{0}\u{10ffff}]{0,260}"), 0..20),
        ) {
            let facts = values.iter().map(|(name, value)| Fact::new(name.clone(), value.clone())).collect();
            let drivers = values.iter().map(|(name, _)| NoticeDriver { name: name.clone(), contribution: f64::NAN }).collect();
            let message = notice(title, facts, drivers).message();
            prop_assert!(message.is_ok());
        }
    }
}
