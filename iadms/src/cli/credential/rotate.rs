//! `iadms credential rotate`.

use clap::Args;
use snmp::usm::{Authentication, Privacy};

use super::secrets::{Chosen, SecretsOptions};
use crate::cli::{Context, Exit, Failure, encoded, output};
use crate::credential::{Credential, NewCredential, UserEntry};

/// Give a credential new pass-phrases. Devices that do not know them yet are asked by those of before, until --finish
///
/// What devices know is changed at the devices, by whatever provisions them; `iadms credential test` tells which have changed.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// The credential's name
    credential: String,

    /// All devices know the new pass-phrases: forget those of before
    #[arg(long, conflicts_with_all = ["undo", "user", "auth", "priv", "secrets"])]
    finish: bool,

    /// Forget the new pass-phrases: those of before are in force again
    #[arg(long, conflicts_with_all = ["user", "auth", "priv", "secrets"])]
    undo: bool,

    /// The user's new name; default: it stays
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// How the user proves who it is from now on, or none; default: as before
    #[arg(long, value_name = "PROTOCOL")]
    auth: Option<Chosen<Authentication>>,

    /// How is hidden what is said from now on, or none; default: as before
    #[arg(long, value_name = "PROTOCOL")]
    r#priv: Option<Chosen<Privacy>>,

    #[command(flatten)]
    secrets: SecretsOptions,
}

impl Rotate {
    pub(in crate::cli) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let name = self.credential;
        let path = |what: &str| format!("/credentials/{}/{what}", encoded(&name));
        if self.finish {
            context.client.post::<()>(&path("finish"), &()).await?;
            output::note(&format!("credential {name} has its new secrets alone"));
            return Ok(Exit::Success);
        }
        if self.undo {
            context.client.post::<()>(&path("undo"), &()).await?;
            output::note(&format!("credential {name} has the secrets of before"));
            return Ok(Exit::Success);
        }
        let all: Vec<Credential> = context.client.get("/credentials").await?;
        let known = all.into_iter().find(|known| known.name == name).ok_or_else(|| {
            Failure::new(format!("there is no credential {name:?}"), "see `iadms credential list`")
        })?;
        let user = UserEntry {
            user: self.user.unwrap_or(known.user.user),
            authentication: self.auth.map_or(known.user.authentication, |chosen| chosen.0),
            privacy: self.r#priv.map_or(known.user.privacy, |chosen| chosen.0),
        };
        let secrets = self.secrets.read(&user).await?;
        let gives_up = user.gives_up();
        let new = NewCredential { name: name.clone(), user, secrets };
        context.client.post::<()>(&path("rotate"), &new).await?;
        output::note(&format!(
            "credential {name} has new secrets, and those of before for devices that do not know them yet; change the devices, see \
             with `iadms credential test {name}` who knows them, then `iadms credential rotate {name} --finish`"
        ));
        gives_up.into_iter().for_each(output::note);
        Ok(Exit::Success)
    }
}
