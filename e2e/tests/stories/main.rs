//! Foretide from a workspace's history to an approved action, told as stories.

mod chart;
mod command_line;
