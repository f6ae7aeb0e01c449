//! The console's pages, with fake services behind them and no browser before them.

mod access;
mod fakes;
mod fixture;
mod forecasts;
mod governance;
mod proposals;
