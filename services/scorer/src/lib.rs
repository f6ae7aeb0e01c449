//! Step 4, score: forecasts with intervals from the champion, written back to the workspace.
