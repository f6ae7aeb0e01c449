//! What has not arrived, told over gRPC; operators have it tried again or give it up.

use std::sync::Arc;

use foretide_api::outbox::v1 as wire;
use foretide_api::outbox::v1::outbox_service_server::OutboxService;
use foretide_api::{ErrorCode, FieldError, ServiceError, into_status, text, timestamp};
use foretide_db::DbError;
use foretide_domain::{Role, SharedClock};
use foretide_service_runtime::require;
use serde_json::json;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::audit::{AUDIT, AuditEvent};
use crate::courier::Courier;
use crate::item::{Item, State};
use crate::table::{Outbox, insert};

const MOST: u32 = 1_000;
const USUAL: u32 = 100;
const LONGEST_KEY: usize = 500;

/// The gRPC face of a service's outbox.
pub struct OutboxGrpc {
    outboxes: Vec<Outbox>,
    couriers: Vec<Courier>,
    clock: SharedClock,
}

impl std::fmt::Debug for OutboxGrpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxGrpc")
            .field("outboxes", &self.outboxes)
            .finish_non_exhaustive()
    }
}

impl OutboxGrpc {
    /// Tells of these channels; `couriers` are those that are served, that of [`AUDIT`] among them: it
    /// brings the news of what people do.
    #[must_use]
    pub fn new(outboxes: Vec<Outbox>, couriers: Vec<Courier>, clock: SharedClock) -> Self {
        Self {
            outboxes,
            couriers,
            clock,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum OutboxError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("no refused item has the key {0}: see ListItems")]
    NotRefused(String),
    #[error("{0} channels have a refused item of the key: say which is meant")]
    Ambiguous(usize),
    #[error("{0}")]
    Database(#[from] DbError),
}

impl ServiceError for OutboxError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field(_) | Self::Ambiguous(_) => ErrorCode::InvalidArgument,
            Self::NotRefused(_) | Self::Database(DbError::NotFound { .. }) => ErrorCode::NotFound,
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Database(_) => ErrorCode::Internal,
        }
    }
}

#[tonic::async_trait]
impl OutboxService for OutboxGrpc {
    async fn list_items(
        &self,
        request: Request<wire::ListItemsRequest>,
    ) -> Result<Response<wire::ListItemsResponse>, Status> {
        require(&request, Role::Operator)?;
        let listed = self.list(request.into_inner()).await;
        listed.map(Response::new).map_err(into_status)
    }

    async fn retry_item(
        &self,
        request: Request<wire::RetryItemRequest>,
    ) -> Result<Response<wire::RetryItemResponse>, Status> {
        let caller = require(&request, Role::Operator)?;
        let wire::RetryItemRequest { channel, key } = request.into_inner();
        let item = self.take(&channel, &key, State::Waiting, &caller.name);
        let item = Some(item.await.map_err(into_status)?);
        Ok(Response::new(wire::RetryItemResponse { item }))
    }

    async fn drop_item(
        &self,
        request: Request<wire::DropItemRequest>,
    ) -> Result<Response<wire::DropItemResponse>, Status> {
        let caller = require(&request, Role::Operator)?;
        let wire::DropItemRequest { channel, key } = request.into_inner();
        let item = self.take(&channel, &key, State::Dropped, &caller.name);
        let item = Some(item.await.map_err(into_status)?);
        Ok(Response::new(wire::DropItemResponse { item }))
    }
}

impl OutboxGrpc {
    async fn list(
        &self,
        request: wire::ListItemsRequest,
    ) -> Result<wire::ListItemsResponse, OutboxError> {
        let limit = match request.limit {
            0 => USUAL,
            1..=MOST => request.limit,
            _ => return Err(FieldError::new("limit", format!("must be at most {MOST}")).into()),
        };
        let states = match request.state.as_str() {
            "" => vec![State::Waiting, State::Refused],
            "waiting" => vec![State::Waiting],
            "refused" => vec![State::Refused],
            _ => return Err(FieldError::new("state", "must be waiting or refused").into()),
        };
        let mut listed = wire::ListItemsResponse::default();
        for outbox in self.of_channel(&request.channel)? {
            let undelivered = outbox.undelivered().await?;
            for state in &states {
                let of_state = undelivered.iter().filter(|part| part.state == *state);
                listed.counts.push(wire::ItemCount {
                    channel: outbox.channel().to_owned(),
                    state: state.name().to_owned(),
                    items: of_state.map(|part| part.items).sum(),
                });
                let items = outbox.list(*state, u64::from(limit)).await?;
                let items = items.into_iter().map(|item| message(outbox, item));
                listed.items.extend(items);
            }
        }
        Ok(listed)
    }

    fn of_channel(&self, channel: &str) -> Result<Vec<&Outbox>, FieldError> {
        let meant = |outbox: &&Outbox| channel.is_empty() || outbox.channel() == channel;
        let found: Vec<_> = self.outboxes.iter().filter(meant).collect();
        if found.is_empty() {
            let names: Vec<_> = self.outboxes.iter().map(Outbox::channel).collect();
            let allowed = format!("must be one of {}", names.join(", "));
            return Err(FieldError::new("channel", allowed));
        }
        Ok(found)
    }

    /// Takes an item from those that were refused into a state, and leaves the audit event.
    async fn take(
        &self,
        channel: &str,
        key: &str,
        state: State,
        by: &str,
    ) -> Result<wire::Item, OutboxError> {
        let key = text("key", key, LONGEST_KEY)?;
        let mut having = Vec::new();
        for outbox in self.of_channel(channel)? {
            having.extend(outbox.refused(&key).await?.map(|item| (outbox, item)));
        }
        let (outbox, item) = match having.len() {
            0 => return Err(OutboxError::NotRefused(key)),
            1 => having.remove(0),
            several => return Err(OutboxError::Ambiguous(several)),
        };
        let courier = self.courier(outbox.channel());
        self.keep_decision(outbox, &item, state, by).await?;
        for courier in [courier, self.courier(AUDIT)].into_iter().flatten() {
            courier.wake();
        }
        let attempts = 0;
        Ok(message(
            outbox,
            Item {
                state,
                attempts,
                ..item
            },
        ))
    }

    async fn keep_decision(
        &self,
        outbox: &Outbox,
        item: &Item,
        state: State,
        by: &str,
    ) -> Result<(), DbError> {
        let destination = self.courier(outbox.channel()).map(Courier::destination);
        let event = event(outbox, item, state, by).into_item();
        let kept = Arc::new((outbox.clone(), item.clone(), destination, event));
        let at = self.clock.now();
        outbox
            .database()
            .transaction("decide on a refused item", move |tx| {
                let kept = Arc::clone(&kept);
                Box::pin(async move {
                    let (outbox, item, destination, event) = &*kept;
                    outbox.take_in(tx, item, state).await?;
                    if let (State::Dropped, Some(destination)) = (state, destination) {
                        destination.dropped(tx, item).await?;
                    }
                    insert(tx, AUDIT, [event.clone()], at).await
                })
            })
            .await
    }

    fn courier(&self, channel: &str) -> Option<&Courier> {
        let mut couriers = self.couriers.iter();
        couriers.find(|courier| courier.outbox().channel() == channel)
    }
}

fn event(outbox: &Outbox, item: &Item, state: State, by: &str) -> AuditEvent {
    let action = match state {
        State::Dropped => "outbox.item_dropped",
        _ => "outbox.item_retried",
    };
    let service = outbox.database().service();
    let details = json!({
        "service": service,
        "channel": outbox.channel(),
        "key": item.key,
        "refused_because": item.last_error,
    });
    AuditEvent {
        id: Uuid::now_v7(),
        actor: by.to_owned(),
        action: action.to_owned(),
        subject: format!("outbox/{service}/{}/{}", outbox.channel(), item.key),
        run_id: item.run_id,
        details: details.to_string(),
    }
}

fn message(outbox: &Outbox, item: Item) -> wire::Item {
    wire::Item {
        channel: outbox.channel().to_owned(),
        key: item.key,
        order_key: item.order_key.unwrap_or_default(),
        run_id: item.run_id.map(|id| id.to_string()).unwrap_or_default(),
        state: item.state.name().to_owned(),
        attempts: item.attempts,
        created_at: timestamp(item.created_at),
        settled_at: item.settled_at.and_then(timestamp),
        reason: item.last_error.unwrap_or_default(),
    }
}
