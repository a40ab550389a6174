//! How stories begin: the profile, images, and worlds with one run each.

use std::collections::{BTreeMap, VecDeque};

use upgrade::image::{Converter, Image, ImageFile, Manifest};
use upgrade::profile::{IAD, Server, load};
use upgrade::run::{Beginning, Choices, Goal, Policy, Subject};
use upgrade::{ConfigurationSet, DeviceId, Profile, Protocol, Run, RunId, Time};

use super::World;
use crate::device::{Device, file};

/// The profile for IAD-MIB, with short waits.
pub(crate) fn profile() -> Profile {
    let mut profile = load("iad.toml", IAD, |_| None).unwrap();
    profile.limits.drain_s = 300.0;
    profile.limits.busy_s = 60.0;
    profile
}

pub(crate) fn image(version: &str, format: u32) -> Image {
    let image_file = file(version);
    Image {
        name: format!("iad {version}"),
        manifest: Manifest {
            version: version.into(),
            hardware: vec!["iad-8".into()],
            format: Some(format),
            from: Vec::new(),
            converter: None,
            files: vec![ImageFile { name: "main".into(), size: image_file.size, sha256: image_file.digest }],
        },
        digest: image_file.digest,
    }
}

pub(crate) fn with_converter(mut image: Image) -> Image {
    image.manifest.converter = Some(Converter { name: "convert".into(), sha256: file("convert").digest });
    image
}

/// A configuration that is not on the device.
pub(crate) fn stored() -> ConfigurationSet {
    let kinds = profile().all_kinds();
    let files = kinds.into_iter().map(|kind| (kind.clone(), file(&format!("from last year {kind}"))));
    ConfigurationSet { format: Some(1), revision: None, files: files.collect() }
}

pub(crate) fn choices() -> Choices {
    Choices {
        kinds: Vec::new(),
        policy: Policy::Ask,
        question_limit_ms: None,
        activate_at: None,
        overwrite: false,
    }
}

impl World {
    pub(crate) fn upgrade() -> Self {
        Self::new(Goal::Upgrade { image: image("2.0", 1).into() }, choices())
    }

    /// The new software reads another format.
    pub(crate) fn converting(image: Image) -> Self {
        let mut world = Self::new(Goal::Upgrade { image: image.into() }, choices());
        world.device.image.1 = 2;
        world
    }

    pub(crate) fn policy(policy: Policy) -> Self {
        Self::new(Goal::Upgrade { image: image("2.0", 1).into() }, Choices { policy, ..choices() })
    }

    pub(crate) fn new(goal: Goal, choices: Choices) -> Self {
        let profile = profile();
        let device = Device::new(&profile.all_kinds());
        let begun = Time::from_millis(1_000_000_000);
        let run = Run::new(Beginning {
            id: RunId(5),
            device: Subject {
                id: DeviceId(3),
                name: "kitchen".into(),
                address: [192, 0, 2, 7].into(),
                unique_id: None,
            },
            goal,
            choices,
            profile: "iad".into(),
            server: Server {
                protocol: Protocol::Tftp,
                address: [192, 0, 2, 1].into(),
                port: 69,
                user: String::new(),
                password: String::new(),
            },
            secret: "0123456789abcdef".into(),
            begun,
            expected: None,
        });
        let before = (device.running().version.clone(), device.running().files.clone());
        Self {
            run,
            profile,
            device,
            now: begun,
            stories: Vec::new(),
            sets: Vec::new(),
            kept: Vec::new(),
            kept_of: Vec::new(),
            tickets: BTreeMap::new(),
            converter: Some(Ok(())),
            notified: true,
            dies_after: None,
            pushes: 0,
            push_takes: core::time::Duration::from_millis(1),
            converting: None,
            pending: VecDeque::new(),
            before,
            before_counts: true,
            trace: VecDeque::new(),
        }
    }
}
