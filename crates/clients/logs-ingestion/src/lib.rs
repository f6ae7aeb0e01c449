//! Azure Monitor Logs Ingestion API client.
