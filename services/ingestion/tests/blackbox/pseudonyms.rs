//! D6: nobody's name leaves ingestion but through the audited call, and names can be made to go.

use std::collections::BTreeSet;
use std::time::Duration;

use foretide_api::ingestion::v1 as api;
use foretide_api::ingestion::v1::pseudonym_service_client::PseudonymServiceClient;
use foretide_domain::{Measure, Principal, Role};
use foretide_test_support::wait_until;
use tonic::Code;

use crate::soc::{NAMES, Soc, WHY, assert_code, config, holds, resolve};

async fn no_name_is_stored_and_each_leads_back(soc: Soc) {
    soc.a_day_of_rows(
        "2026-11-19",
        &["Ada@Contoso.example", NAMES[1], NAMES[0]],
        &NAMES[2..4],
    );
    soc.ingested("2026-11-20T12:00:00Z").await;
    let bytes = [soc.bytes(), soc.rows().await.into_bytes()].concat();
    let lower = bytes.to_ascii_lowercase();
    for name in NAMES {
        assert!(!holds(&lower, name.as_bytes()), "{name} is stored");
        let digits = hex::encode(name);
        assert!(!holds(&lower, digits.as_bytes()), "{name} is stored as hex");
    }
    assert!(
        holds(&lower, b"address-1-"),
        "the files and rows were looked at"
    );

    let mut clear = BTreeSet::new();
    for known in soc.known("").await {
        let resolved = soc.resolve(&known.pseudonym).await.unwrap();
        assert_eq!(resolved.known, Some(known));
        clear.insert(resolved.clear);
    }
    assert_eq!(clear, NAMES.map(str::to_owned).into());
    soc.ingested("2026-11-20T13:00:00Z").await;
    assert_eq!(soc.known("").await.len(), NAMES.len());
    assert_eq!(soc.known("user").await.len(), 2);
}

#[tokio::test]
async fn d6_no_name_is_stored_in_sqlite_or_the_lake() {
    no_name_is_stored_and_each_leads_back(Soc::on_sqlite().await).await;
}

#[tokio::test]
async fn d6_no_name_is_stored_in_postgresql_or_the_lake() {
    if let Some(soc) = Soc::on_postgres().await {
        no_name_is_stored_and_each_leads_back(soc).await;
    }
}

#[tokio::test]
async fn d6_every_try_is_in_the_audit_log_and_only_an_approver_with_a_reason_is_told() {
    let soc = Soc::with_a_day().await;
    let pseudonym = soc.known("user").await[0].pseudonym.clone();
    let unknown = "user-1-0000000000000001";
    let service = soc.world.server().channel_as(Principal::service("scorer"));
    let service = PseudonymServiceClient::new(service);

    let told = assert_code(
        resolve(soc.eve(), &pseudonym, WHY).await,
        Code::PermissionDenied,
    );
    assert_eq!(told, "eve lacks the role approver");
    assert_code(
        resolve(service, &pseudonym, WHY).await,
        Code::PermissionDenied,
    );
    assert_code(
        resolve(soc.anna(), &pseudonym, " ").await,
        Code::InvalidArgument,
    );
    assert_code(
        resolve(soc.anna(), &pseudonym, &"x".repeat(9000)).await,
        Code::InvalidArgument,
    );
    assert_code(soc.resolve(unknown).await, Code::NotFound);
    assert_code(soc.resolve("user-2-0000000000000001").await, Code::NotFound);
    assert_code(
        soc.resolve("user-4294967295-0000000000000001").await,
        Code::NotFound,
    );
    let told = assert_code(soc.resolve(NAMES[0]).await, Code::InvalidArgument);
    assert!(!told.contains("ada"), "{told}");
    assert_code(
        soc.resolve(&"x".repeat(100_000)).await,
        Code::InvalidArgument,
    );
    let resolved = soc.resolve(&pseudonym).await.unwrap();
    assert!(NAMES[..2].contains(&resolved.clear.as_str()));

    let record = |actor: &str, subject: &str, outcome: &str| {
        [actor, "pseudonym.resolve", subject, outcome].map(str::to_owned)
    };
    let malformed = record("anna", "a malformed pseudonym", "refused: malformed");
    assert_eq!(
        soc.auditor.records(),
        [
            record("eve", &pseudonym, "refused: lacks the role approver"),
            record(
                "service:scorer",
                &pseudonym,
                "refused: lacks the role approver"
            ),
            record("anna", &pseudonym, "refused: no reason"),
            record("anna", &pseudonym, "refused: no reason"),
            record("anna", unknown, "unknown"),
            record("anna", "user-2-0000000000000001", "unknown"),
            record("anna", "user-4294967295-0000000000000001", "unknown"),
            malformed.clone(),
            malformed,
            record("anna", &pseudonym, "granted"),
        ]
    );
    let event = soc.auditor.record(resolved.audit_sequence);
    assert!(event.details_json.contains(WHY) && event.subject == pseudonym);
    let text = soc.auditor.text();
    assert!(NAMES.iter().all(|name| !text.contains(name)), "{text}");
}

#[tokio::test]
async fn d6_without_the_audit_log_nobody_is_told_and_nothing_is_changed() {
    let soc = Soc::with_a_day().await;
    let pseudonym = soc.known("user").await[0].pseudonym.clone();
    soc.rotate(true).await;
    soc.auditor.is_away(true);
    let told = assert_code(soc.resolve(&pseudonym).await, Code::Unavailable);
    assert!(told.starts_with("the audit log does not answer"), "{told}");
    assert_code(resolve(soc.eve(), &pseudonym, WHY).await, Code::Unavailable);
    assert_code(soc.drop_epoch(1, 1).await, Code::Unavailable);
    assert_code(soc.erase(&pseudonym, &pseudonym).await, Code::Unavailable);
    assert_eq!(soc.epochs().await.len(), 2);
    soc.auditor.is_away(false);
    assert!(soc.resolve(&pseudonym).await.is_ok());
}

#[tokio::test]
async fn d6_tries_are_limited_by_the_hour_for_each_person() {
    let soc = Soc::with_a_day().await;
    let pseudonym = soc.known("user").await[0].pseudonym.clone();
    for _ in 0..60 {
        assert!(soc.resolve(&pseudonym).await.is_ok());
    }
    for _ in 0..5 {
        let told = assert_code(soc.resolve(&pseudonym).await, Code::ResourceExhausted);
        assert!(told.starts_with("60 tries within an hour"), "{told}");
    }
    assert_eq!(soc.auditor.records().len(), 61, "the log is not flooded");
    assert_eq!(soc.auditor.records()[60][3], "refused: too many tries");
    let bert = soc.as_person("bert", &[Role::Approver]);
    assert!(resolve(bert, &pseudonym, WHY).await.is_ok());
    soc.it_is("2026-11-20T13:00:00Z");
    assert!(soc.resolve(&pseudonym).await.is_ok());
}

#[tokio::test]
async fn new_keys_keep_counts_names_and_who_is_who() {
    let soc = Soc::with_a_day().await;
    let old = soc.find("user", NAMES[0]).await;
    assert_eq!(soc.rotate(false).await.starts_on, "2026-11-21");
    assert!(soc.epochs().await[0].is_in_force);

    // rows that come late belong to the day they are of: the same keys, no second count
    soc.a_day_of_rows("2026-11-19", &NAMES[..1], &NAMES[2..3]);
    soc.a_day_of_rows(
        "2026-11-21",
        &["ADA@contoso.example"],
        &["::ffff:198.51.100.7"],
    );
    soc.it_is("2026-11-22T12:00:00Z");
    soc.ingested("2026-11-22T12:00:00Z").await;
    assert!(soc.epochs().await[1].is_in_force);
    let count = async |measure| soc.world.count(measure, "2026-11-22T12:00:00Z").await;
    assert_eq!(count(Measure::UniqueSourceIpsDaily).await, 2.0 + 1.0);
    assert_eq!(count(Measure::FailedLogonAccounts).await, 2.0 + 1.0);
    assert_eq!(count(Measure::UniqueAttackerIps).await, 1.0 + 1.0);

    let both = soc.find("user", " Ada@Contoso.Example").await;
    assert_eq!((both.len(), &both[0]), (2, &old[0]));
    assert!(both[1].starts_with("user-2-"));
    for (one, other) in [(0, 1), (1, 0)] {
        let resolved = soc.resolve(&both[one]).await.unwrap();
        assert_eq!(resolved.clear, NAMES[0]);
        assert_eq!(resolved.also_known_as, [both[other].clone()]);
    }
    assert_eq!(soc.find("user", NAMES[1]).await.len(), 1, "not met again");
    assert_eq!(soc.find("host", NAMES[0]).await, [""; 0], "another kind");
}

async fn a_dropped_epoch_leads_nowhere(soc: Soc) {
    soc.a_day_of_rows("2026-11-19", &NAMES[..2], &NAMES[2..4]);
    soc.ingested("2026-11-20T12:00:00Z").await;
    let [ada, grace] = [0, 1].map(|at| NAMES[at]);
    let old = soc.find("user", ada).await.remove(0);
    let told = assert_code(soc.drop_epoch(1, 1).await, Code::FailedPrecondition);
    assert!(told.starts_with("epoch 1 is not over"), "{told}");
    soc.rotate(false).await;
    assert_code(soc.drop_epoch(1, 1).await, Code::FailedPrecondition);
    soc.a_day_of_rows("2026-11-21", &NAMES[..1], &NAMES[2..3]);
    soc.it_is("2026-11-22T12:00:00Z");
    soc.ingested("2026-11-22T12:00:00Z").await;
    let new = soc.find("user", ada).await.remove(1);
    let stored = soc.stored(&old, 1).await;
    assert!(stored.iter().all(|bytes| !bytes.is_empty()));

    let told = assert_code(soc.drop_epoch(1, 0).await, Code::InvalidArgument);
    assert!(told.starts_with("confirm: must repeat 1"), "{told}");
    assert_code(soc.drop_epoch(0, 0).await, Code::NotFound);
    assert_code(soc.drop_epoch(9, 9).await, Code::NotFound);
    assert_eq!(soc.drop_epoch(1, 1).await.unwrap(), 6);
    assert_code(soc.drop_epoch(1, 1).await, Code::FailedPrecondition);

    let told = assert_code(soc.resolve(&old).await, Code::FailedPrecondition);
    assert!(
        told.starts_with("the keys of epoch 1 were dropped"),
        "{told}"
    );
    let resolved = soc.resolve(&new).await.unwrap();
    assert_eq!(
        (resolved.clear.as_str(), resolved.also_known_as.len()),
        (ada, 0)
    );
    assert_eq!(soc.find("user", grace).await, [""; 0]);
    let epochs = soc.epochs().await;
    assert_eq!(
        (epochs[0].dropped_by.as_str(), epochs[0].pseudonyms),
        ("anna", 0)
    );

    // what comes late for its days is counted under the keys that are left
    soc.a_day_of_rows("2026-11-18", &[grace], &[]);
    soc.ingested("2026-11-22T13:00:00Z").await;
    let found = soc.find("user", grace).await;
    assert!(
        found.len() == 1 && found[0].starts_with("user-2-"),
        "{found:?}"
    );
    let bytes = soc.bytes();
    assert!(
        stored.iter().all(|stored| !holds(&bytes, stored)),
        "traces of epoch 1"
    );
    let rows = soc.rows().await;
    assert!(
        stored
            .iter()
            .all(|stored| !rows.contains(&hex::encode(stored)))
    );
    let records = soc.auditor.records().into_iter();
    let drops = records.filter(|record| record[1] == "pseudonyms.drop_epoch");
    let outcomes: Vec<_> = drops
        .map(|[_, _, subject, outcome]| format!("{subject}: {outcome}"))
        .collect();
    assert_eq!(
        outcomes[2..],
        [
            "epoch 1 of pseudonyms: refused: not confirmed",
            "epoch 0 of pseudonyms: unknown epoch",
            "epoch 9 of pseudonyms: unknown epoch",
            "epoch 1 of pseudonyms: granted",
            "epoch 1 of pseudonyms: dropped before",
        ]
    );
}

#[tokio::test]
async fn a_dropped_epoch_leads_nowhere_on_sqlite() {
    a_dropped_epoch_leads_nowhere(Soc::on_sqlite().await).await;
}

#[tokio::test]
async fn a_dropped_epoch_leads_nowhere_on_postgresql() {
    if let Some(soc) = Soc::on_postgres().await {
        a_dropped_epoch_leads_nowhere(soc).await;
    }
}

#[tokio::test]
async fn whoever_is_erased_is_not_learnt_again() {
    let soc = Soc::with_a_day().await;
    soc.rotate(false).await;
    soc.a_day_of_rows("2026-11-21", &NAMES[..2], &[]);
    soc.it_is("2026-11-22T12:00:00Z");
    soc.ingested("2026-11-22T12:00:00Z").await;
    let ada = soc.find("user", NAMES[0]).await;
    let told = assert_code(soc.erase(&ada[1], &ada[0]).await, Code::InvalidArgument);
    assert!(told.contains("must repeat user-2-"), "{told}");
    assert_code(soc.erase("ada", "ada").await, Code::InvalidArgument);
    assert_eq!(soc.erase(&ada[1], &ada[1]).await.unwrap(), ada);
    for pseudonym in &ada {
        let told = assert_code(soc.resolve(pseudonym).await, Code::FailedPrecondition);
        assert_eq!(told, "what stood behind this pseudonym was erased");
    }

    soc.rotate(false).await;
    soc.a_day_of_rows("2026-11-23", &NAMES[..2], &[]);
    soc.a_day_of_rows("2026-11-19", &NAMES[..2], &[]);
    soc.it_is("2026-11-24T12:00:00Z");
    soc.ingested("2026-11-24T12:00:00Z").await;
    let found = soc.find("user", NAMES[0]).await;
    assert_eq!(found.len(), 3);
    for pseudonym in &found {
        assert_code(soc.resolve(pseudonym).await, Code::FailedPrecondition);
    }
    let grace = soc.find("user", NAMES[1]).await;
    let resolved = soc.resolve(&grace[2]).await.unwrap();
    assert_eq!(
        (resolved.clear.as_str(), resolved.also_known_as.len()),
        (NAMES[1], 2)
    );
}

#[tokio::test]
async fn the_master_key_can_be_changed_and_nothing_else_opens() {
    let soc = Soc::with_a_day().await;
    let pseudonym = soc.find("user", NAMES[0]).await.remove(0);
    let before = soc.stored(&pseudonym, 1).await;
    let context = soc.reopened();
    let wrong = config(context.folder.path(), "b", Some("c"));
    let error = foretide_ingestion::build(&context.ctx, wrong)
        .await
        .unwrap_err();
    let told = error.to_string();
    assert!(told.contains("set it as previous_pseudonym_key"), "{told}");

    let soc = soc.restarted("b", Some("a")).await;
    let after = soc.stored(&pseudonym, 1).await;
    assert_eq!(before[0], after[0], "names are not sealed anew");
    assert_ne!(before[1], after[1], "the secret is wrapped anew");
    assert_eq!(soc.resolve(&pseudonym).await.unwrap().clear, NAMES[0]);
    let soc = soc.restarted("b", None).await;
    assert_eq!(soc.resolve(&pseudonym).await.unwrap().clear, NAMES[0]);
    // the same rows are known as the same
    soc.a_day_of_rows("2026-11-19", &NAMES[..2], &[]);
    let summary = soc.world.ingest("2026-11-20T14:00:00Z").await;
    let events = &summary["SecurityEvent"];
    // a row is counted by two measures
    assert_eq!((events.rows_read, events.rows_duplicate), (2, 2 * 2));
    let told = async || {
        let records = soc.auditor.records().into_iter();
        let mut told = records.filter(|record| record[1] == "pseudonyms.master_key_changed");
        Ok(told.next().map(|record| (record, told.count())))
    };
    let wait = Duration::from_secs(10);
    let (record, again) = wait_until(wait, "the change is recorded", told)
        .await
        .unwrap();
    assert_eq!((record[0].as_str(), again), ("service:ingestion", 0));
}

#[tokio::test]
async fn hostile_names_are_kept_as_they_are_or_not_at_all() {
    let soc = Soc::on_sqlite().await;
    let long = "x".repeat(600);
    let names = [
        "'; DROP TABLE pseudonym_vault; --",
        "\u{202e}ada",
        "ß\u{0}İ",
        "\u{1F600}",
        &long,
    ];
    soc.a_day_of_rows("2026-11-19", &names, &["not an address", "2001:DB8::0001"]);
    soc.ingested("2026-11-20T12:00:00Z").await;
    let mut clear = BTreeSet::new();
    for known in soc.known("").await {
        clear.insert(soc.resolve(&known.pseudonym).await.unwrap().clear);
    }
    for name in &names[..4] {
        assert!(
            clear.contains(&name.to_lowercase()),
            "{name:?} in {clear:?}"
        );
    }
    assert!(clear.contains("2001:db8::1") && !clear.contains("not an address"));
    assert!(!clear.contains(&long));
    for (kind, clear) in [
        ("printer", "ada"),
        ("user", ""),
        ("user", long.as_str()),
        ("", "ada"),
    ] {
        let request = api::FindPseudonymsRequest {
            kind: kind.to_owned(),
            clear: clear.to_owned(),
            reason: WHY.to_owned(),
        };
        let outcome = soc.anna().find_pseudonyms(request).await;
        assert_code(outcome, Code::InvalidArgument);
    }
}
