//! Files of series, told as stories: what is taken, what is refused, and what is written.

mod histories;
mod refusals;
mod results;
mod support;
