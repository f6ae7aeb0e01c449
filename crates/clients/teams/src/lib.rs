#![doc = include_str!("../README.md")]

mod client;
mod error;
mod message;
mod notice;
mod webhook;

pub use client::TeamsClient;
pub use error::TeamsError;
pub use message::{LARGEST_MESSAGE, MessageError, TeamsMessage};
pub use notice::{Fact, NoticeDriver, RiskNotice};
pub use webhook::{WebhookUrl, WebhookUrlError};
