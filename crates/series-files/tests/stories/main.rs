//! Files of series, told as stories: what is taken, what is refused, and what is written.

mod field_cases;
mod histories;
mod hostile;
mod refusals;
mod results;
mod support;
