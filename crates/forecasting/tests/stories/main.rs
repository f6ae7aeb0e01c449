//! What the forecasting crate promises, as stories.

mod champions;
mod support;
