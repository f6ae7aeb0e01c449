//! Logs, traces and metrics, set up once a process.
//!
//! Logs go to standard error as lines of text or JSON; spans and metrics go to an OTLP collector
//! when one is configured; metrics can always be scraped ([`metrics_text`]). The W3C trace context
//! crosses gRPC and the queue through [`inject`], [`span_from`] and [`traceparent`].

mod propagation;

use std::sync::OnceLock;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
pub use propagation::{current_trace_id, inject, set_parent, span_from, traceparent};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

static METRICS: OnceLock<prometheus::Registry> = OnceLock::new();

/// How a process reports about itself.
#[derive(Debug, Clone)]
pub struct TelemetryOptions {
    /// Name of the process in traces and metrics, e.g. `foretide-scorer`.
    pub service_name: String,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Filter such as `info,foretide_scorer=debug`; the variable `RUST_LOG` wins.
    pub filter: String,
    /// OTLP/gRPC endpoint, e.g. `http://collector:4317`.
    pub otlp_endpoint: Option<String>,
}

/// Telemetry that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter {filter:?} is not valid: {message}")]
    Filter {
        /// What was given.
        filter: String,
        /// Why it does not parse.
        message: String,
    },
    /// The exporter cannot be made.
    #[error("cannot set up the OTLP exporter: {0}")]
    Exporter(String),
    /// A second set-up in one process.
    #[error("telemetry was set up before in this process")]
    Twice,
}

/// Flushes what is still buffered when the process ends.
#[derive(Debug)]
#[must_use = "dropping it at once would lose the last spans"]
pub struct TelemetryGuard {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        for problem in [self.traces.shutdown().err(), self.metrics.shutdown().err()]
            .into_iter()
            .flatten()
        {
            tracing::debug!(error = %problem, "telemetry did not shut down cleanly");
        }
    }
}

/// Sets up logs, traces and metrics for the process.
///
/// # Errors
/// When the filter or the exporter is unusable, or on a second call.
pub fn init(options: &TelemetryOptions) -> Result<TelemetryGuard, TelemetryError> {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(&options.filter))
        .map_err(|error| TelemetryError::Filter {
            filter: options.filter.clone(),
            message: error.to_string(),
        })?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let resource = Resource::builder()
        .with_service_name(options.service_name.clone())
        .build();
    let traces = tracer_provider(options, resource.clone())?;
    let metrics = meter_provider(resource)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if options.json {
        lines.json().boxed()
    } else {
        lines.compact().boxed()
    };
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("foretide"));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(spans)
        .try_init()
        .map_err(|_| TelemetryError::Twice)?;
    Ok(TelemetryGuard { traces, metrics })
}

fn tracer_provider(
    options: &TelemetryOptions,
    resource: Resource,
) -> Result<SdkTracerProvider, TelemetryError> {
    let mut builder = SdkTracerProvider::builder().with_resource(resource);
    if let Some(endpoint) = &options.otlp_endpoint {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| TelemetryError::Exporter(error.to_string()))?;
        builder = builder.with_batch_exporter(exporter);
    }
    Ok(builder.build())
}

fn meter_provider(resource: Resource) -> Result<SdkMeterProvider, TelemetryError> {
    let registry = METRICS.get_or_init(prometheus::Registry::new).clone();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry)
        .build()
        .map_err(|error| TelemetryError::Exporter(error.to_string()))?;
    let provider = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(reader)
        .build();
    global::set_meter_provider(provider.clone());
    Ok(provider)
}

/// The process's metrics in the Prometheus text format.
#[must_use]
pub fn metrics_text() -> String {
    let Some(registry) = METRICS.get() else {
        return String::new();
    };
    prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "metrics cannot be rendered");
            String::new()
        })
}
