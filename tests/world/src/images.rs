//! The images there are, good ones and bad ones. They are the same in every world, so each thread makes them once.

use std::sync::Arc;

use iad_sim::device::image::{BootBehaviour, Plan, make};
use iad_sim::device::{ConfigurationKind, Document, conversion};
use upgrade::image::{Converter, ImageFile, Manifest};
use upgrade::{Digest, Image, Kind};

/// What becomes of a device that loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// It runs, and reads the configuration of before.
    Good,
    /// The same, in two files.
    TwoFiles,
    /// It crashes as soon as it has started.
    Loops,
    /// It hangs as soon as it has started.
    Hangs,
    /// It runs, and says that something is wrong.
    Unhealthy,
    /// Its files are as the manifest says, and are no image.
    Junk,
    /// It reads another format, into which the device converts.
    ConvertsItself,
    /// It reads another format, for which the manager has a converter.
    ConvertedByManager,
    /// It reads another format, for which an operator has to edit.
    EditedByOperator,
    /// It is good, and calls itself the same version as the other good one.
    Rebuilt,
    /// It is good, and for other hardware.
    Foreign,
    /// It is good, and may only be loaded over a version that no device has.
    TooFar,
}

impl Quality {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Good,
        Self::TwoFiles,
        Self::Loops,
        Self::Hangs,
        Self::Unhealthy,
        Self::Junk,
        Self::ConvertsItself,
        Self::ConvertedByManager,
        Self::EditedByOperator,
        Self::Rebuilt,
        Self::Foreign,
        Self::TooFar,
    ];

    /// The format of configuration that its software reads.
    pub const fn format(self) -> u32 {
        match self {
            Self::ConvertsItself | Self::ConvertedByManager | Self::EditedByOperator => 2,
            _ => 1,
        }
    }
}

/// An image with its files.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) quality: Quality,
    pub(crate) image: Image,
    pub(crate) files: Vec<(Digest, Arc<[u8]>)>,
}

thread_local! {
    // What two threads count references to, they wait for each other for.
    static IMAGES: Vec<Made> =
        Quality::ALL.into_iter().zip(0..).map(|(quality, number)| build(quality, number)).collect();
}

/// Looks at all images, in the order of [`Quality::ALL`].
pub(crate) fn images<T>(look: impl FnOnce(&[Made]) -> T) -> T {
    IMAGES.with(|images| look(images))
}

/// The image of this quality.
pub(crate) fn image(quality: Quality) -> Image {
    let made =
        |images: &[Made]| images.iter().find(|made| made.quality == quality).map(|made| made.image.clone());
    images(made).unwrap_or_else(|| build(quality, 0).image)
}

/// Whether this image runs wherever it fits, and reads the settings that devices are delivered with.
pub(crate) fn runs_well(image: &Image) -> bool {
    let made = |made: &&Made| made.image.name == image.name;
    let quality = images(|images| images.iter().find(made).map(|made| made.quality));
    matches!(quality, Some(Quality::Good | Quality::TwoFiles))
}

/// The digest of a file of the simulator's, as the manager writes it.
pub(crate) const fn digest(of: iad_sim::device::Digest) -> Digest {
    Digest(of.0)
}

/// The digest of these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    digest(iad_sim::device::Digest::of(bytes))
}

/// What a converter or an operator makes of a configuration file.
pub(crate) fn converted(file: &[u8], format: u32) -> Option<Vec<u8>> {
    let document = Document::parse(file).ok()?;
    Some(conversion::convert(&document, format).text().into())
}

/// The kinds of configuration, as the profile names them.
pub(crate) fn kind(of: ConfigurationKind) -> Kind {
    Kind(
        match of {
            ConfigurationKind::UserData => "user-data",
            ConfigurationKind::PortData => "port-data",
            ConfigurationKind::ProtocolParameters => "protocol-parameters",
            ConfigurationKind::DefaultParameters => "default-parameters",
        }
        .into(),
    )
}

fn build(quality: Quality, number: u64) -> Made {
    let version = format!("2.{}", if quality == Quality::Rebuilt { 0 } else { number });
    let plan = Plan {
        version: version.clone(),
        hardware: vec![if quality == Quality::Foreign { "iad-24" } else { "iad-8" }.into()],
        format: quality.format(),
        converts_from: if quality == Quality::ConvertsItself { vec![1] } else { Vec::new() },
        boot: match quality {
            Quality::Loops => BootBehaviour::Loop,
            Quality::Hangs => BootBehaviour::Hang,
            Quality::Unhealthy => BootBehaviour::Unhealthy,
            _ => BootBehaviour::Ok,
        },
        // Most are small, since each block costs time; one is as large as they come here.
        payload_size: if quality == Quality::TwoFiles {
            60_000
        } else {
            4096 + 1000 * usize::try_from(number).unwrap_or(0)
        },
        seed: number,
        files: if quality == Quality::TwoFiles { 2 } else { 1 },
    };
    let mut contents = make(&plan);
    if quality == Quality::Junk {
        contents.iter_mut().for_each(|content| content.reverse());
    }
    let whole: Vec<u8> = contents.concat();
    let files: Vec<(Digest, Arc<[u8]>)> =
        contents.into_iter().map(|content| (digest_of(&content), content.into())).collect();
    let file = |(place, (sha256, content)): (usize, &(Digest, Arc<[u8]>))| ImageFile {
        name: format!("part-{place}"),
        size: u64::try_from(content.len()).unwrap_or(u64::MAX),
        sha256: *sha256,
    };
    let by_manager = quality == Quality::ConvertedByManager;
    let manifest = Manifest {
        version,
        hardware: plan.hardware,
        format: Some(quality.format()),
        from: if quality == Quality::TooFar { vec!["1.9".into()] } else { Vec::new() },
        converter: by_manager.then(|| Converter { name: "convert".into(), sha256: digest_of(b"convert") }),
        files: files.iter().enumerate().map(file).collect(),
    };
    let image = Image { name: format!("{quality:?}"), manifest, digest: digest_of(&whole) };
    Made { quality, image, files }
}
