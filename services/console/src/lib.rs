#![doc = include_str!("../README.md")]

pub mod config;

mod calls;
mod chart;
mod error;
mod format;
mod page;
mod pages;
mod routes;
mod security;
mod session;

pub use routes::build;
