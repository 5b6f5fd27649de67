//! What an error of AWS means for whoever made the call.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use tidegate_model::ErrorKind;
use tidegate_stores::Error;

/// An answer of AWS as an error of a seam; `what` says what was attempted.
pub(crate) fn told<E, R>(what: impl Into<String>, error: SdkError<E, R>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let kind = kind(&error, &code);
    let what = what.into();
    // The SDK's own words are a heap of nested causes; its code and message say it.
    let message = error.message().map(str::to_owned);
    let said = match message {
        Some(message) => Error::new(kind, format!("{what}: {code}: {message}")),
        None => Error::caused(kind, what, error),
    };
    match kind {
        ErrorKind::Denied => said.help("look at what the role or the user may do"),
        _ => said,
    }
}

fn kind<E, R>(error: &SdkError<E, R>, code: &str) -> ErrorKind {
    match error {
        SdkError::ConstructionFailure(_) => return ErrorKind::Invalid,
        SdkError::ServiceError(_) => {}
        // No answer, or none that can be read.
        _ => return ErrorKind::Unavailable,
    }
    match code {
        "ConditionalCheckFailedException" | "TransactionCanceledException" | "TransactionConflictException" => {
            ErrorKind::Conflict
        }
        "ResourceNotFoundException" | "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => {
            ErrorKind::NotFound
        }
        "AccessDenied"
        | "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => ErrorKind::Denied,
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "LimitExceededException" => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}
