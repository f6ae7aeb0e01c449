//! Step 3, train: backtests, champions, ONNX artefacts, lineage in MLflow.
