//! One file a page: what is asked of the services, and what is shown of their answers.

pub(crate) mod audit;
pub(crate) mod login;
pub(crate) mod models;
pub(crate) mod overview;
pub(crate) mod proposals;
pub(crate) mod risk;
pub(crate) mod runs;
