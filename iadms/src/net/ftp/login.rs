//! Logging in (USER and PASS, RFC 959 section 4.1.1): the user is a run, the password that of its ticket.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use unftp_core::auth::{
    AuthenticationError, Authenticator, Credentials, Principal, UserDetail, UserDetailError,
    UserDetailProvider,
};
use upgrade::RunId;

use super::connection::Connection;

/// Who stands at the door of one connection.
#[derive(Debug)]
pub(super) struct Door(pub(super) Arc<Connection>);

/// A device that has logged in.
#[derive(Debug)]
pub(super) struct Device {
    /// The run it logged in for.
    pub(super) run: RunId,
}

#[async_trait]
impl Authenticator for Door {
    async fn authenticate(&self, user: &str, sent: &Credentials) -> Result<Principal, AuthenticationError> {
        let Self(connection) = self;
        let password = sent.password.as_deref().unwrap_or_default();
        match connection.log_in(user, password).await {
            Ok(run) => Ok(Principal { username: run.to_string() }),
            Err(denied) => {
                tracing::debug!(peer = %connection.peer(), %denied, "an FTP login is refused");
                tokio::time::sleep(connection.service().settings.refusal_delay).await;
                Err(AuthenticationError::BadPassword)
            }
        }
    }

    fn name(&self) -> &'static str {
        "tickets"
    }
}

#[async_trait]
impl UserDetailProvider for Door {
    type User = Device;

    async fn provide_user_detail(&self, principal: &Principal) -> Result<Device, UserDetailError> {
        let run = principal.username.parse().map(RunId);
        let run = run.map_err(|_| UserDetailError::Generic("the user is no run".to_owned()))?;
        Ok(Device { run })
    }
}

impl UserDetail for Device {}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "run {}", self.run)
    }
}
