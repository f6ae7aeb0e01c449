//! Foretide from a workspace's history to an approved action, told as stories.

mod audit;
mod azure_storage;
mod backfill;
mod chart;
mod command_line;
mod content_pack;
mod data_folder;
mod demo;
mod desk;
mod documentation;
mod file_reports;
mod files_as_they_come;
mod first_hour;
mod forecast_command;
mod lineage;
mod log_analytics;
mod microsoft_clients;
mod outbox;
mod pseudonyms;
mod queries;
mod real_input;
mod recovery;
mod scale;
mod whole_way;
mod write_back;
