//! What an artefact promises, as stories. They need ONNX Runtime, which is fetched into the
//! repository's `.tools` folder once.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod hostile_artefacts;
#[cfg(test)]
mod library;
#[cfg(test)]
mod support;
