//! Calls to the services, on behalf of the person.

use std::time::Duration;

use foretide_api::FieldError;
use tonic::{Request, Response, Status};

use crate::error::PageError;

/// Somebody is waiting for the page.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// A message with the deadline of a page.
pub(crate) fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(LONGEST_WAIT);
    request
}

/// The answer of a named service.
pub(crate) trait Answer<T> {
    fn of(self, service: &'static str) -> Result<T, PageError>;
    /// Nothing where the service says that there is nothing.
    fn found_by(self, service: &'static str) -> Result<Option<T>, PageError>;
}

impl<T> Answer<T> for Result<Response<T>, Status> {
    fn of(self, service: &'static str) -> Result<T, PageError> {
        self.map(Response::into_inner)
            .map_err(|status| PageError::from_status(service, status))
    }

    fn found_by(self, service: &'static str) -> Result<Option<T>, PageError> {
        match self {
            Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
            other => other.of(service).map(Some),
        }
    }
}

/// A field that a service must have filled.
pub(crate) fn required<T>(
    service: &'static str,
    field: &'static str,
    value: Option<T>,
) -> Result<T, PageError> {
    let source = || FieldError::new(field, "is missing");
    value.ok_or_else(|| PageError::Answer {
        service,
        source: source(),
    })
}

/// A field that was read, or an answer that cannot be shown.
pub(crate) fn readable<T>(
    service: &'static str,
    value: Result<T, FieldError>,
) -> Result<T, PageError> {
    value.map_err(|source| PageError::Answer { service, source })
}
