//! Credentials over the interface.

use iadms::credential::{NewCredential, Secrets, UserEntry};
use snmp::usm::{Authentication, Privacy};

use super::house;

#[tokio::test]
async fn secrets_go_in_and_none_comes_out() {
    let house = house().await;
    let user = UserEntry {
        user: "anna".into(),
        authentication: Some(Authentication::Sha256),
        privacy: Some(Privacy::Aes128),
    };
    let secrets = Secrets { authentication: "maplesyrup".into(), privacy: "rupryselpam".into() };
    let new = NewCredential { name: "north".into(), user: user.clone(), secrets };
    house.client.post::<()>("/credentials", &new).await.unwrap();
    let taken = house.client.post::<()>("/credentials", &new).await.unwrap_err();
    assert!(taken.error.contains("already a credential"), "{taken}");
    let short = NewCredential { secrets: Secrets::default(), ..new.clone() };
    let refused = house.client.post::<()>("/credentials", &short).await.unwrap_err();
    assert!(refused.error.contains("8 octets"), "{refused}");
    house.client.post::<()>("/credentials/north/rotate", &new).await.unwrap();
    let shown: serde_json::Value = house.client.get("/credentials").await.unwrap();
    assert_eq!(shown[0]["former"]["user"], "anna");
    assert!(!shown.to_string().contains("maple") && !shown.to_string().contains("rupry"), "{shown}");
    house.client.post::<()>("/credentials/north/finish", &()).await.unwrap();
    house.client.delete("/credentials/north").await.unwrap();
    // An algorithm that nobody knows is named.
    let strange = serde_json::json!({ "name": "n", "user": { "user": "a", "authentication": "SHA-3", "privacy": null },
        "secrets": {} });
    let refused = house.client.post::<()>("/credentials", &strange).await.unwrap_err();
    assert!(refused.error.contains("SHA-3"), "{refused}");
}
