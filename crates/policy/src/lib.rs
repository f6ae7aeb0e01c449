//! What is allowed: phases, gates, approvals bound to payload hashes, action kinds. Pure.
