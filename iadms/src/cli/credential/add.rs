//! `iadms credential add`.

use clap::Args;
use snmp::usm::{Authentication, Privacy};

use super::secrets::{Chosen, SecretsOptions};
use crate::cli::{Context, Exit, Failure, output};
use crate::credential::{NewCredential, UserEntry};

/// Add a credential: a user that devices know, and its pass-phrases
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The name to know it by
    credential: String,

    /// The user's name at the devices; default: the credential's name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// How the user proves who it is: MD5, SHA, SHA-224, SHA-256, SHA-384, SHA-512 or none
    #[arg(long, value_name = "PROTOCOL", default_value = "SHA-256")]
    auth: Chosen<Authentication>,

    /// How is hidden what is said: DES, AES, AES-192, AES-256 (AES-192-C and AES-256-C with keys lengthened as some routers do)
    /// or none
    #[arg(long, value_name = "PROTOCOL", default_value = "AES")]
    r#priv: Chosen<Privacy>,

    #[command(flatten)]
    secrets: SecretsOptions,
}

impl Add {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let user = UserEntry {
            user: self.user.unwrap_or_else(|| self.credential.clone()),
            authentication: self.auth.0,
            privacy: self.r#priv.0,
        };
        let secrets = self.secrets.read(&user).await?;
        let gives_up = user.gives_up();
        let new = NewCredential { name: self.credential, user, secrets };
        context.client.post::<()>("/credentials", &new).await?;
        let name = &new.name;
        output::note(&format!(
            "credential {name} was added; to ask a device by it: iadms device add DEVICE ADDRESS --credential {name}"
        ));
        gives_up.into_iter().for_each(output::note);
        Ok(Exit::Success)
    }
}
