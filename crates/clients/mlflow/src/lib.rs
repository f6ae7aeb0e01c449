//! MLflow tracking and registry over REST.
