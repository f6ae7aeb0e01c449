//! Forecast candidates, backtest, calibration, exceedance triggers. Pure.
