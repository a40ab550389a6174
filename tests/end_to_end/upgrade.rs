//! A whole upgrade, when all goes well.

use upgrade::run::Outcome;

use crate::laboratory::{Laboratory, plan};

#[tokio::test]
async fn h09_one_command_makes_the_device_download_the_image() {
    let laboratory = Laboratory::new().await;
    let image = laboratory.image(plan("2.0")).await;
    let run = laboratory.upgrade(&image).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Succeeded, "{}", laboratory.stories(run).await);
    println!("{}", laboratory.stories(run).await);
    assert_eq!(laboratory.look().await.version, "2.0");
}
