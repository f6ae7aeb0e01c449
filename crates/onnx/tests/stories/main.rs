//! What an artefact promises, as stories. They need ONNX Runtime, which is fetched into the
//! repository's `.tools` folder once.

mod agreement;
mod hostile_artefacts;
mod library;
mod support;
