//! Writes forecasting models as ONNX graphs and runs them with ONNX Runtime.
