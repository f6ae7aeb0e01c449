//! What is not ours stays as it is (promise D9).

use std::collections::BTreeMap;

use foretide_domain::Phase;
use foretide_sentinel_arm::{ContentBody, ContentKind};
use foretide_sentinel_content::{
    Change, ContentError, Delivery, Item, Pack, PackOptions, Plan, Playbook,
};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::fixture::World;

/// As if it were laid out for another workspace of the same resource group.
fn neighbour(options: &PackOptions) -> PackOptions {
    PackOptions {
        name_space: format!("{}-neighbour", options.name_space),
        ..options.clone()
    }
}

fn widest(options: PackOptions) -> PackOptions {
    PackOptions {
        phase: Phase::Proactive,
        delivery: Delivery::Endpoint,
        notify: Some(Playbook {
            logic_app: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/w"
                .to_owned(),
            tenant: "00000000-0000-4000-8000-000000000001".to_owned(),
        }),
        ..options
    }
}

/// Our declarations, and bodies that are the same but for the mark.
fn look_alikes(world: &World) -> Vec<(Item, ContentBody)> {
    let options = widest(world.options());
    let ours = Pack::declared(&options).unwrap().items;
    let with_mark_of = |options: &PackOptions| {
        let items = Pack::declared(options).unwrap().items;
        let table = items
            .into_iter()
            .find(|item| item.kind == ContentKind::Table);
        let text = table.unwrap().body.value()["properties"]["schema"]["description"].to_string();
        text.split_once("[foretide/").unwrap().1[..12].to_owned()
    };
    let (mark, others) = (with_mark_of(&options), with_mark_of(&neighbour(&options)));
    let look_alike = |item: Item| {
        let body = item.body.value().to_string();
        let body = body.replace(&format!("foretide/{mark}"), &format!("foretide/{others}"));
        let body = ContentBody::new(serde_json::from_str(&body).unwrap()).unwrap();
        (item, body)
    };
    ours.into_iter().map(look_alike).collect()
}

#[tokio::test]
async fn d9_a_table_of_our_name_that_somebody_else_made_is_neither_changed_nor_removed() {
    let world = World::patient().await;
    let name = "AI_Governance_CL";
    let theirs = json!({ "properties": { "plan": "Analytics", "schema": {
        "name": name,
        "description": "Foretide: governance of our own models",
        "columns": [{ "name": "TimeGenerated", "type": "dateTime" }, { "name": "Owner", "type": "string" }],
    }}});
    let theirs = ContentBody::new(theirs).unwrap();
    let kind = ContentKind::Table;
    world.client.put_content(kind, name, &theirs).await.unwrap();
    let before = world.client.content(kind, name).await.unwrap();
    let writes = world.writes();

    let plan = Plan::make(&world.client, &world.options()).await.unwrap();
    let error = plan.apply(&world.client, |_| {}).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(name) && text.contains("[foretide/"),
        "says which and how one would know it: {text}"
    );
    assert_eq!(world.writes(), writes, "refused before anything is written");
    let removal = Plan::removal(&world.client, &world.options(), true).await;
    assert!(removal.unwrap().is_empty());
    assert_eq!(world.client.content(kind, name).await.unwrap(), before);
}

#[tokio::test]
async fn d9_a_look_alike_of_any_kind_is_foreign_without_our_mark() {
    let world = World::patient().await;
    let everything = widest(world.options());
    let laid_out = Plan::make(&world.client, &everything).await.unwrap();
    laid_out.apply(&world.client, |_| {}).await.unwrap();
    for (item, theirs) in look_alikes(&world) {
        let (kind, name) = (item.kind, item.name.as_str());
        world.client.put_content(kind, name, &theirs).await.unwrap();
        let plan = Plan::make(&world.client, &everything).await.unwrap();
        let step = plan.steps.iter().find(|step| step.name == name).unwrap();
        assert_eq!(step.change, Change::Foreign, "{}", item.title);
        let removal = Plan::removal(&world.client, &everything, true);
        let takes = removal.await.unwrap().steps;
        assert!(takes.iter().all(|step| step.name != name), "{}", item.title);
    }
}

#[test]
fn d9_two_workspaces_of_one_resource_group_do_not_share_a_name_in_it() {
    let client = crate::fixture::client_at("https://management.azure.com", "t");
    let one = widest(PackOptions::of(&client, "westeurope"));
    let in_group = |options: &PackOptions| -> Vec<String> {
        let items = Pack::declared(options).unwrap().items.into_iter();
        let shared = items.filter(|item| {
            let resource_type = item.kind.resource_type();
            resource_type.starts_with("Microsoft.Insights/")
        });
        shared.map(|item| item.name).collect()
    };
    let (ours, theirs) = (in_group(&one), in_group(&neighbour(&one)));
    assert_eq!(ours.len(), 3, "rule, endpoint, workbook: {ours:?}");
    assert!(ours.iter().all(|name| !theirs.contains(name)), "{ours:?}");
}

#[tokio::test]
async fn d9_what_somebody_puts_there_after_the_plan_is_not_touched() {
    let world = World::patient().await;
    let plan = Plan::make(&world.client, &world.options()).await.unwrap();
    let (hunt, theirs) = look_alikes(&world)
        .into_iter()
        .find(|(item, _)| item.kind == ContentKind::SavedSearch)
        .unwrap();
    let put = world.client.put_content(hunt.kind, &hunt.name, &theirs);
    put.await.unwrap();
    let before = world.client.content(hunt.kind, &hunt.name).await.unwrap();
    let error = plan.apply(&world.client, |_| {}).await.unwrap_err();
    assert!(matches!(error, ContentError::Foreign { .. }), "{error}");
    let now = world.client.content(hunt.kind, &hunt.name).await.unwrap();
    assert_eq!(now, before);
}

#[tokio::test]
async fn a_rule_that_was_switched_off_is_shown_and_left_alone_unless_it_is_named() {
    let world = World::patient().await;
    let everything = widest(world.options());
    let plan = || Plan::make(&world.client, &everything);
    plan()
        .await
        .unwrap()
        .apply(&world.client, |_| {})
        .await
        .unwrap();
    let mut by_sentinel = world.client.alert_rules().await.unwrap().remove(0);
    let title = by_sentinel.display_name().to_owned();
    let text = by_sentinel.properties["description"].clone();
    by_sentinel.properties["enabled"] = json!(false);
    by_sentinel.properties["displayName"] = json!(format!("AUTO DISABLED - {title}"));
    by_sentinel.properties["description"] =
        json!(format!("The query failed. {}", text.as_str().unwrap()));
    let by_sentinel = world.client.put_alert_rule(&by_sentinel).await.unwrap();
    let kind = ContentKind::AutomationRule;
    let mut automation = world.emulator.arm_resources(kind.resource_type()).remove(0);
    automation["properties"]["triggeringLogic"]["isEnabled"] = json!(false);
    let by_a_person = automation["name"].as_str().unwrap().to_owned();
    let body = ContentBody::new(json!({ "properties": automation["properties"] })).unwrap();
    world
        .client
        .put_content(kind, &by_a_person, &body)
        .await
        .unwrap();

    let mut shown = plan().await.unwrap();
    let off: Vec<&str> = shown
        .switched_off()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(off, [by_sentinel.name.as_str(), by_a_person.as_str()]);
    assert!(shown.is_empty(), "nothing is done to them");
    let writes = world.writes();
    shown.apply(&world.client, |_| {}).await.unwrap();
    assert_eq!(world.writes(), writes);

    // a lower phase would take the automation rule away, and with it what the person decided
    let lower = PackOptions {
        phase: Phase::Shadow,
        ..everything.clone()
    };
    let lower = Plan::make(&world.client, &lower).await.unwrap();
    assert!(lower.switched_off().any(|step| step.name == by_a_person));

    shown.include(&title).unwrap();
    let error = shown.include("no such rule").unwrap_err();
    assert!(error.to_string().contains("no such rule"), "{error}");
    assert_eq!(shown.apply(&world.client, |_| {}).await.unwrap(), 1);
    let rule = world.client.alert_rule(&by_sentinel.name).await.unwrap();
    assert!(rule.is_some_and(|rule| rule.is_enabled() && rule.display_name() == title));
    assert_eq!(plan().await.unwrap().switched_off().count(), 1);
}

/// Kinds that the neighbour has in its own workspace, under the names that ours have here.
fn in_workspace_by_slug(kind: ContentKind) -> bool {
    let kinds = [
        ContentKind::Table,
        ContentKind::SavedSearch,
        ContentKind::SummaryRule,
    ];
    kinds.contains(&kind)
}

/// Everything in the workspace and its group, by id.
fn whole(world: &World) -> BTreeMap<String, Value> {
    let kinds = ContentKind::ALL.into_iter();
    let all = kinds.flat_map(|kind| world.emulator.arm_resources(kind.resource_type()));
    all.map(|one| (one["id"].as_str().unwrap().to_owned(), one))
        .collect()
}

/// A workspace in which others work, too, some of them under our names.
struct Shared {
    world: World,
    look_alikes: Vec<(Item, ContentBody)>,
    dice: ChaCha8Rng,
    /// What is theirs, as they left it.
    theirs: BTreeMap<String, Value>,
    /// Which of our names they have taken.
    taken: Vec<(ContentKind, String)>,
    done: usize,
    refused: usize,
}

impl Shared {
    async fn new(seed: u64) -> Self {
        let world = World::patient().await;
        // as good as ours, but under other names: the neighbour's workspace in the same group
        let mut bodies = Vec::new();
        let theirs = neighbour(&widest(world.options()));
        for item in Pack::declared(&theirs).unwrap().items {
            if !in_workspace_by_slug(item.kind) {
                let put = world.client.put_content(item.kind, &item.name, &item.body);
                bodies.push(put.await.is_ok());
            }
        }
        let watchlist = json!({ "properties": {
            "displayName": "Foretide: high risk", "provider": "SOC", "itemsSearchKey": "Host",
        }});
        let watchlist = ContentBody::new(watchlist).unwrap();
        let put = world
            .client
            .put_content(ContentKind::Watchlist, "ForetideHighRisk", &watchlist);
        put.await.unwrap();
        let theirs = whole(&world);
        assert!(theirs.len() > 10, "{bodies:?}");
        Self {
            look_alikes: look_alikes(&world),
            dice: ChaCha8Rng::seed_from_u64(seed),
            theirs,
            taken: Vec::new(),
            done: 0,
            refused: 0,
            world,
        }
    }

    /// Somebody puts something of theirs where ours is or would be.
    async fn somebody_takes_a_name(&mut self) {
        let (item, body) = self.look_alikes.choose(&mut self.dice).unwrap().clone();
        let client = &self.world.client;
        // what Azure does not take is not there
        if client
            .put_content(item.kind, &item.name, &body)
            .await
            .is_ok()
        {
            let id = client.id_of(item.kind, &item.name);
            let now = whole(&self.world).remove(&id).unwrap();
            self.theirs.insert(id, now);
            self.taken.push((item.kind, item.name));
        }
    }

    async fn they_leave(&mut self) {
        for (kind, name) in std::mem::take(&mut self.taken) {
            self.world.client.delete_content(kind, &name).await.unwrap();
            self.theirs.remove(&self.world.client.id_of(kind, &name));
        }
    }

    fn any_options(&mut self) -> PackOptions {
        let phases = [Phase::Shadow, Phase::Assisted, Phase::Proactive];
        PackOptions {
            phase: *phases.choose(&mut self.dice).unwrap(),
            retention_days: *[400, 400, 400, 90].choose(&mut self.dice).unwrap(),
            ..self.world.options()
        }
    }

    /// Plans, and mostly does, something; somebody may come in between.
    async fn one_step(&mut self) {
        let options = self.any_options();
        let client = self.world.client.clone();
        let planned = match self.dice.random_range(0..4) {
            0 => Plan::removal(&client, &options, self.dice.random()).await,
            _ => Plan::make(&client, &options).await,
        };
        if self.dice.random_bool(0.2) {
            self.somebody_takes_a_name().await;
        }
        if self.dice.random_bool(0.8) {
            match planned.unwrap().apply(&client, |_| {}).await {
                Ok(done) => self.done += done,
                Err(ContentError::Foreign { .. }) => self.refused += 1,
                // tables of ours that another plan needs may be gone or theirs
                Err(ContentError::Stopped { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    fn check(&self, sequence: usize) {
        let now = whole(&self.world);
        for (id, as_left) in &self.theirs {
            assert_eq!(now.get(id), Some(as_left), "sequence {sequence}: {id}");
        }
    }
}

/// As many as take seconds; `FORETIDE_SEQUENCES=1000` takes minutes.
const SEQUENCES: usize = 100;
const WORKSPACES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn d9_no_sequence_of_plans_changes_what_is_not_ours() {
    let sequences = std::env::var("FORETIDE_SEQUENCES").ok();
    let sequences = sequences.map_or(SEQUENCES, |text| text.parse().unwrap());
    let one_workspace = move |workspace: usize| async move {
        let mut shared = Shared::new(workspace as u64).await;
        for sequence in 0..sequences / WORKSPACES {
            shared.one_step().await;
            if shared.dice.random_bool(0.3) {
                shared.one_step().await;
            }
            shared.check(sequence);
            if shared.dice.random_bool(0.8) {
                shared.they_leave().await;
            }
        }
        (shared.done, shared.refused)
    };
    let all = (0..WORKSPACES).map(|workspace| tokio::spawn(one_workspace(workspace)));
    let (mut done, mut refused) = (0, 0);
    for running in all.collect::<Vec<_>>() {
        let (more_done, more_refused) = running.await.unwrap();
        done += more_done;
        refused += more_refused;
    }
    // or it would have shown nothing
    assert!(
        done > sequences && refused > sequences / 50,
        "{done} done, {refused} refused"
    );
}
