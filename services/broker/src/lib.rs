//! Step 6, act: proposals, approvals, executions.
