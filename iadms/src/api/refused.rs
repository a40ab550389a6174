//! Errors of the interface: a sentence, what to do, a code, and the HTTP status that goes with it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::causes::with_causes;
use crate::daemon::{Refusal, RefusalCode};
use crate::files::FileError;
use crate::store::StoreError;

/// A request that was refused.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl Refused {
    /// What was asked makes no sense as it stands.
    pub fn invalid(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self(Refusal::new(RefusalCode::Invalid, error, next))
    }

    /// There is no such thing.
    pub fn unknown(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self(Refusal::new(RefusalCode::Unknown, error, next))
    }

    /// It is there already, or busy.
    pub fn conflict(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self(Refusal::new(RefusalCode::Conflict, error, next))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            RefusalCode::Invalid => StatusCode::BAD_REQUEST,
            RefusalCode::Unknown => StatusCode::NOT_FOUND,
            RefusalCode::Conflict => StatusCode::CONFLICT,
            RefusalCode::Unreachable => StatusCode::GATEWAY_TIMEOUT,
            RefusalCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self.0)).into_response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self(Refusal::from(&error))
    }
}

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        let next = match &error {
            FileError::Missing(_) => "`iadms doctor` tells which files are missing",
            FileError::Damaged(_) => {
                "add the same image again, or restore the file from a copy of the data folder"
            }
            FileError::System { .. } if error.is_disk_full() => "make room on the disk of the data folder",
            FileError::System { .. } => "check the rights and the disk of the data folder",
            FileError::Source(_) => "try again",
        };
        Self(Refusal::new(RefusalCode::Unavailable, with_causes(&error), next))
    }
}
