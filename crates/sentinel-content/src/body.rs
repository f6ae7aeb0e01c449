//! Bodies out of declarations.

use foretide_sentinel_arm::ContentBody;
use serde_json::Value;

/// A body of ours. Nothing in the pack closes anything, which a test holds against every body.
pub(crate) fn body(value: Value) -> ContentBody {
    ContentBody::new(value).expect("the pack declares nothing that closes an incident")
}
