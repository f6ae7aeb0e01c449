//! Parses requests, calls the use cases, renders answers.

use std::pin::Pin;

use foretide_api::ingestion::v1 as api;
use foretide_api::ingestion::v1::ingestion_service_server::IngestionService;
use foretide_api::{FieldError, into_status, moment, progress, timestamp, uuid_field};
use foretide_domain::{Role, SentinelTable};
use foretide_service_runtime::require;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::backfill::{
    Backfill, Backfills, accepted, backfill_message, parse_id, parse_plan, summary_message,
};
use crate::cost::Spent;
use crate::error::IngestionError;
use crate::service::{IngestOutcome, Ingestion, QueryCosts, TableCompleteness, TableOutcome};
use crate::source::{LocationFound, Run};
use crate::storage::{QuarantinedRow, QueryCost, Watermark};

/// Messages to a slow caller that may wait; progress beyond it is left out.
const WAITING_MESSAGES: usize = 64;

/// The gRPC face of the service.
pub(crate) struct Grpc {
    ingestion: Ingestion,
    backfills: Backfills,
}

impl Grpc {
    pub(crate) fn new(ingestion: Ingestion, backfills: Backfills) -> Self {
        Self {
            ingestion,
            backfills,
        }
    }

    fn told(
        &self,
        backfill: Result<Backfill, IngestionError>,
    ) -> Result<Option<api::Backfill>, Status> {
        let backfill = backfill.map_err(into_status)?;
        Ok(Some(backfill_message(&backfill, &self.ingestion.cost)))
    }
}

type IngestStream = Pin<Box<dyn Stream<Item = Result<api::IngestResponse, Status>> + Send>>;

#[tonic::async_trait]
impl IngestionService for Grpc {
    type IngestStream = IngestStream;

    async fn ingest(
        &self,
        request: Request<api::IngestRequest>,
    ) -> Result<Response<IngestStream>, Status> {
        require(&request, Role::Operator)?;
        let (run, tables) = parse_ingest(request.into_inner()).map_err(into_status)?;
        let (sender, receiver) = mpsc::channel(WAITING_MESSAGES);
        let ingestion = self.ingestion.clone();
        let work = async move {
            let tell = |stage: String, done, total| {
                let event = api::ingest_response::Event::Progress(progress(stage, done, total));
                let message = api::IngestResponse { event: Some(event) };
                // Progress only tells: a slow or vanished caller misses some of it.
                drop(sender.try_send(Ok(message)));
            };
            let outcome = ingestion.ingest(run, &tables, &tell).await;
            let last = outcome.map(summary).map_err(into_status);
            if sender.send(last).await.is_err() {
                tracing::debug!(run_id = %run.run_id, "the caller has not waited for the summary");
            }
        };
        // The run goes on when its caller has gone: half a run helps nobody.
        tokio::spawn(work.in_current_span());
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_watermarks(
        &self,
        request: Request<api::ListWatermarksRequest>,
    ) -> Result<Response<api::ListWatermarksResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::ListWatermarksRequest {} = request.into_inner();
        let watermarks = self.ingestion.watermarks().await.map_err(into_status)?;
        Ok(Response::new(api::ListWatermarksResponse {
            watermarks: watermarks.into_iter().map(watermark_message).collect(),
        }))
    }

    async fn get_query_costs(
        &self,
        request: Request<api::GetQueryCostsRequest>,
    ) -> Result<Response<api::GetQueryCostsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::GetQueryCostsRequest { since, limit } = request.into_inner();
        let since = since
            .map(|since| moment("since", Some(since)))
            .transpose()
            .map_err(into_status)?;
        let costs = self.ingestion.query_costs(since, limit).await;
        Ok(Response::new(costs_message(costs.map_err(into_status)?)))
    }

    async fn list_completeness(
        &self,
        request: Request<api::ListCompletenessRequest>,
    ) -> Result<Response<api::ListCompletenessResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::ListCompletenessRequest { as_of, hours } = request.into_inner();
        let as_of = moment("as_of", as_of).map_err(into_status)?;
        let tables = self.ingestion.completeness(as_of, hours).await;
        let tables = tables.map_err(into_status)?;
        Ok(Response::new(api::ListCompletenessResponse {
            tables: tables.into_iter().map(completeness_message).collect(),
        }))
    }

    async fn list_quarantine(
        &self,
        request: Request<api::ListQuarantineRequest>,
    ) -> Result<Response<api::ListQuarantineResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::ListQuarantineRequest { table, limit } = request.into_inner();
        let table = (!table.is_empty())
            .then(|| parse_table("table", &table))
            .transpose()
            .map_err(into_status)?;
        let rows = self
            .ingestion
            .quarantine(table, limit)
            .await
            .map_err(into_status)?;
        Ok(Response::new(api::ListQuarantineResponse {
            rows: rows.into_iter().map(quarantine_message).collect(),
        }))
    }

    async fn plan_backfill(
        &self,
        request: Request<api::PlanBackfillRequest>,
    ) -> Result<Response<api::PlanBackfillResponse>, Status> {
        require(&request, Role::Operator)?;
        let plan = parse_plan(request.into_inner()).map_err(into_status)?;
        let backfill = self.told(Box::pin(self.backfills.plan(plan)).await)?;
        Ok(Response::new(api::PlanBackfillResponse { backfill }))
    }

    async fn start_backfill(
        &self,
        request: Request<api::StartBackfillRequest>,
    ) -> Result<Response<api::StartBackfillResponse>, Status> {
        require(&request, Role::Operator)?;
        let api::StartBackfillRequest {
            backfill_id,
            accepted_gigabytes,
        } = request.into_inner();
        let id = parse_id(&backfill_id).map_err(into_status)?;
        let accepted = accepted(accepted_gigabytes).map_err(into_status)?;
        let backfill = self.told(self.backfills.start(id, accepted).await)?;
        Ok(Response::new(api::StartBackfillResponse { backfill }))
    }

    async fn get_backfill(
        &self,
        request: Request<api::GetBackfillRequest>,
    ) -> Result<Response<api::GetBackfillResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::GetBackfillRequest { backfill_id } = request.into_inner();
        let id = parse_id(&backfill_id).map_err(into_status)?;
        let backfill = self.told(self.backfills.get(id).await)?;
        Ok(Response::new(api::GetBackfillResponse { backfill }))
    }

    async fn list_backfills(
        &self,
        request: Request<api::ListBackfillsRequest>,
    ) -> Result<Response<api::ListBackfillsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let api::ListBackfillsRequest { limit } = request.into_inner();
        let backfills = self.backfills.list(limit).await.map_err(into_status)?;
        Ok(Response::new(api::ListBackfillsResponse {
            backfills: backfills.iter().map(summary_message).collect(),
        }))
    }

    async fn pause_backfill(
        &self,
        request: Request<api::PauseBackfillRequest>,
    ) -> Result<Response<api::PauseBackfillResponse>, Status> {
        require(&request, Role::Operator)?;
        let api::PauseBackfillRequest { backfill_id } = request.into_inner();
        let id = parse_id(&backfill_id).map_err(into_status)?;
        let backfill = self.told(self.backfills.pause(id).await)?;
        Ok(Response::new(api::PauseBackfillResponse { backfill }))
    }

    async fn resume_backfill(
        &self,
        request: Request<api::ResumeBackfillRequest>,
    ) -> Result<Response<api::ResumeBackfillResponse>, Status> {
        require(&request, Role::Operator)?;
        let api::ResumeBackfillRequest {
            backfill_id,
            accepted_gigabytes,
        } = request.into_inner();
        let id = parse_id(&backfill_id).map_err(into_status)?;
        let accepted = accepted(accepted_gigabytes).map_err(into_status)?;
        let backfill = self.told(self.backfills.resume(id, accepted).await)?;
        Ok(Response::new(api::ResumeBackfillResponse { backfill }))
    }

    async fn retry_backfill(
        &self,
        request: Request<api::RetryBackfillRequest>,
    ) -> Result<Response<api::RetryBackfillResponse>, Status> {
        require(&request, Role::Operator)?;
        let api::RetryBackfillRequest { backfill_id } = request.into_inner();
        let id = parse_id(&backfill_id).map_err(into_status)?;
        let backfill = self.told(self.backfills.retry(id).await)?;
        Ok(Response::new(api::RetryBackfillResponse { backfill }))
    }

    async fn cancel_backfill(
        &self,
        request: Request<api::CancelBackfillRequest>,
    ) -> Result<Response<api::CancelBackfillResponse>, Status> {
        require(&request, Role::Operator)?;
        let api::CancelBackfillRequest { backfill_id } = request.into_inner();
        let id = parse_id(&backfill_id).map_err(into_status)?;
        let backfill = self.told(self.backfills.cancel(id).await)?;
        Ok(Response::new(api::CancelBackfillResponse { backfill }))
    }
}

fn costs_message(costs: QueryCosts) -> api::GetQueryCostsResponse {
    let QueryCosts {
        day,
        month,
        config,
        budget_spent,
        queries,
    } = costs;
    api::GetQueryCostsResponse {
        day: Some(spending(day)),
        month: Some(spending(month)),
        currency: config.currency,
        budget: Some(api::QueryBudget {
            money_a_day: config.budget.money_a_day,
            money_a_month: config.budget.money_a_month,
            gigabytes_a_day: config.budget.gigabytes_a_day,
            gigabytes_a_month: config.budget.gigabytes_a_month,
            spent: budget_spent,
        }),
        queries: queries.into_iter().map(query_message).collect(),
    }
}

fn spending(spent: Spent) -> api::QuerySpending {
    let Spent {
        queries,
        bytes,
        price,
    } = spent;
    api::QuerySpending {
        queries,
        bytes_scanned: bytes,
        price,
    }
}

fn query_message(query: QueryCost) -> api::QueryCost {
    api::QueryCost {
        asked_at: timestamp(query.asked_at),
        table: query.table,
        statement: query.statement,
        span_start: timestamp(query.span.start),
        span_end: timestamp(query.span.end),
        outcome: query.outcome,
        plan: query.plan,
        rows_answered: query.rows_answered,
        bytes_answered: query.bytes_answered,
        bytes_scanned: query.bytes_scanned,
        is_estimated: query.is_estimated,
        execution_ms: query.execution_ms,
        price: query.price,
        run_id: query.run_id.to_string(),
    }
}

fn completeness_message(known: TableCompleteness) -> api::TableCompleteness {
    let TableCompleteness { table, lag, hours } = known;
    let within = |share| lag.quantile(share).unwrap_or_default();
    api::TableCompleteness {
        table: table.name().to_owned(),
        p50_minutes: within(0.5),
        p90_minutes: within(0.9),
        p99_minutes: within(0.99),
        rows: lag.weight(),
        hours: hours
            .into_iter()
            .map(|(hour, completeness)| api::HourCompleteness {
                hour: timestamp(hour),
                completeness,
            })
            .collect(),
    }
}

fn parse_ingest(request: api::IngestRequest) -> Result<(Run, Vec<SentinelTable>), FieldError> {
    let api::IngestRequest {
        run_id,
        as_of,
        tables,
    } = request;
    let run = Run {
        run_id: uuid_field("run_id", &run_id)?,
        as_of: moment("as_of", as_of)?,
    };
    let tables = tables
        .iter()
        .map(|table| parse_table("tables", table))
        .collect::<Result<_, _>>()?;
    Ok((run, tables))
}

pub(crate) fn parse_table(field: &'static str, name: &str) -> Result<SentinelTable, FieldError> {
    name.parse().map_err(|problem: String| {
        FieldError::new(field, problem.chars().take(300).collect::<String>())
    })
}

fn summary(outcome: IngestOutcome) -> api::IngestResponse {
    let IngestOutcome { locations, tables } = outcome;
    let summary = api::IngestSummary {
        tables: tables.into_iter().map(table_message).collect(),
        locations: locations.into_iter().map(location_message).collect(),
    };
    api::IngestResponse {
        event: Some(api::ingest_response::Event::Summary(summary)),
    }
}

fn location_message(found: LocationFound) -> api::LocationSummary {
    let problem = found.problem().unwrap_or_default();
    api::LocationSummary {
        location: found.location,
        objects: found.objects,
        problem,
    }
}

fn table_message(outcome: TableOutcome) -> api::TableSummary {
    let TableOutcome {
        table,
        report,
        error,
    } = outcome;
    api::TableSummary {
        table: table.name().to_owned(),
        objects_read: report.objects_read,
        rows_read: report.rows_read,
        rows_duplicate: report.rows_duplicate,
        rows_quarantined: report.rows_quarantined,
        buckets_written: report.buckets_written,
        watermark: report.watermark.and_then(timestamp),
        error,
        rows_waiting: report.rows_waiting,
        objects_damaged: report.damaged.len() as u64,
        first_damaged: report.damaged.into_iter().next().unwrap_or_default(),
        first_set_aside: report.first_set_aside.unwrap_or_default(),
    }
}

fn watermark_message(watermark: Watermark) -> api::Watermark {
    api::Watermark {
        table: watermark.table,
        event_time: watermark.event_time.and_then(timestamp),
        known_at: timestamp(watermark.known_at),
        rows_total: watermark.rows_total,
        rows_quarantined: watermark.rows_quarantined,
    }
}

fn quarantine_message(row: QuarantinedRow) -> api::QuarantinedRow {
    api::QuarantinedRow {
        table: row.table,
        object: row.object,
        line: row.line,
        reason: row.reason,
        known_at: timestamp(row.known_at),
        run_id: row.run_id.to_string(),
    }
}
