//! The Azure and Teams side on loopback: stateful, inspectable, with faults.
