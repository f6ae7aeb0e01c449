//! The lake and the source in Azure Blob Storage.

use anyhow::ensure;
use foretide_api::scoring::v1::ListForecastsRequest;
use foretide_e2e::{Contoso, Setup, Shape, Soc};
use foretide_lake::{Lake, LakeConfig};
use foretide_test_support::{Azurite, or_skip};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

fn container(azurite: &Azurite, url: &str) -> Value {
    json!({
        "url": url,
        "account": Azurite::ACCOUNT,
        "access_key": Azurite::KEY,
        "endpoint": format!("{}/{}", azurite.url(), Azurite::ACCOUNT),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn source_and_lake_are_containers() -> anyhow::Result<()> {
    let Some(azurite) = or_skip(Azurite::start().await)? else {
        return Ok(());
    };
    azurite.create_container("export").await?;
    azurite.create_container("lake").await?;
    let contoso = Contoso::with_history(21)?;
    upload(&azurite, &contoso).await?;

    let installation = Setup::new(Shape::OneProcess)?
        .with("/lake", container(&azurite, "az://lake/foretide"))
        .with(
            "/ingestion/files",
            json!({"locations": [container(&azurite, "az://export")]}),
        )
        .start()
        .await?;
    let soc = Soc::of(&installation)?;
    soc.forecast("attack_volume", contoso.now()).await?;

    let forecasts = soc
        .operator
        .scorer()
        .list_forecasts(ListForecastsRequest {
            use_case: "attack_volume".to_owned(),
            limit: 10,
            ..ListForecastsRequest::default()
        })
        .await?
        .into_inner()
        .forecasts;
    assert_eq!(forecasts.len(), 1);
    let lake = open(&azurite, "az://lake/foretide")?;
    for prefix in ["buckets/incidents", "artefacts/attack_volume"] {
        ensure!(
            !lake.list(prefix).await?.is_empty(),
            "nothing in az://lake/foretide/{prefix}"
        );
    }
    ensure!(
        !installation.folder().join("data/lake").exists(),
        "something was written to a local lake"
    );
    Ok(())
}

fn open(azurite: &Azurite, url: &str) -> anyhow::Result<Lake> {
    let config: LakeConfig = serde_json::from_value(container(azurite, url))?;
    Ok(Lake::open(&config)?)
}

async fn upload(azurite: &Azurite, contoso: &Contoso) -> anyhow::Result<()> {
    let export = open(azurite, "az://export")?;
    let files = contoso.files()?;
    stream::iter(files)
        .map(|file| {
            let export = &export;
            async move {
                let name = file.strip_prefix(contoso.export())?.display().to_string();
                export
                    .put_immutable(&name, std::fs::read(&file)?.into())
                    .await?;
                anyhow::Ok(())
            }
        })
        .buffer_unordered(16)
        .try_collect()
        .await
}
