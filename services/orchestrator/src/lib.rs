//! The calendar and the queue: runs, their steps, states and timings.
