//! Hunting queries: saved searches in the category where Sentinel looks for them.

use foretide_domain::Phase;
use foretide_sentinel_arm::ContentKind;
use serde_json::json;

use crate::body::body;
use crate::names::{Mark, PREFIX};
use crate::pack::{Item, PackOptions};

pub(crate) struct HuntDeclaration {
    pub(crate) slug: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) query: &'static str,
}

pub(crate) const HUNTS: [HuntDeclaration; 4] = [
    HuntDeclaration {
        slug: "foretide-hunt-drivers",
        title: "drivers of predicted surges",
        description: "What pushes the coming windows up.",
        query: include_str!("../kql/hunting/drivers_of_predicted_surges.kql"),
    },
    HuntDeclaration {
        slug: "foretide-hunt-above-interval",
        title: "hours above the interval",
        description: "Hours in which more came than the 95% interval allowed.",
        query: include_str!("../kql/hunting/hours_above_the_interval.kql"),
    },
    HuntDeclaration {
        slug: "foretide-hunt-before-window",
        title: "alerts before a predicted window",
        description: "What is already rising in the day before a predicted window.",
        query: include_str!("../kql/hunting/alerts_before_a_window.kql"),
    },
    HuntDeclaration {
        slug: "foretide-hunt-confident-but-wrong",
        title: "series that lose against seasonal naive",
        description: "Series whose sources have changed in a way the model has not learnt.",
        query: include_str!("../kql/hunting/confident_but_wrong.kql"),
    },
];

pub(crate) fn items(options: &PackOptions) -> Vec<Item> {
    let hunts = HUNTS.iter();
    hunts
        .map(|hunt| Item {
            kind: ContentKind::SavedSearch,
            name: hunt.slug.to_owned(),
            title: hunt.display_name(),
            needs: Phase::Shadow,
            body: body(json!({ "properties": {
                "category": "Hunting Queries",
                "displayName": hunt.display_name(),
                "query": hunt.query,
                "version": 2,
                "tags": [
                    { "name": "description", "value": hunt.description },
                    { "name": "createdBy", "value": "Foretide" },
                    Mark::of(options).as_named_tag(),
                ],
            }})),
        })
        .collect()
}

impl HuntDeclaration {
    pub(crate) fn display_name(&self) -> String {
        format!("{PREFIX}{}", self.title)
    }
}
