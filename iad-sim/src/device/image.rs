//! Simulated images: a header in text, an empty line, then bytes that stand for a program.
//!
//! An image of several files is one image cut into pieces: the first carries the header, the others only bytes.

use serde::{Deserialize, Serialize};

use super::digest::{Digest, Hasher};
use super::random::Random;

/// The first line of a header.
const FIRST_LINE: &str = "IAD-SIM-IMAGE 1";

/// A header that has not ended after so many bytes is none.
const HEADER_LIMIT: usize = 4096;

/// What the header of an image says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Header {
    /// The version of the software.
    pub version: String,
    /// The kinds of hardware that it runs on.
    pub hardware: Vec<String>,
    /// The format of configuration that it reads.
    pub format: u32,
    /// The formats from which its conversion program converts to its own.
    pub converts_from: Vec<u32>,
    /// What happens when it is started.
    pub boot: BootBehaviour,
    /// The size of what follows the header, in all files together.
    pub payload_size: u64,
    /// The SHA-256 of what follows the header, in all files together.
    pub payload_sha256: Digest,
}

/// What happens when an image is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootBehaviour {
    /// It starts and is in good health.
    #[default]
    Ok,
    /// It crashes as soon as it has started.
    Loop,
    /// It stands still until the watchdog restarts the device.
    Hang,
    /// It starts, but says of itself that something is wrong.
    Unhealthy,
}

/// What an image is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// See [`Header::version`].
    pub version: String,
    /// See [`Header::hardware`].
    pub hardware: Vec<String>,
    /// See [`Header::format`].
    pub format: u32,
    /// See [`Header::converts_from`].
    pub converts_from: Vec<u32>,
    /// See [`Header::boot`].
    pub boot: BootBehaviour,
    /// How many bytes follow the header.
    pub payload_size: usize,
    /// From what the bytes are made.
    pub seed: u64,
    /// Into how many files the image is cut, at least 1.
    pub files: usize,
}

/// The files of an image.
pub fn make(plan: &Plan) -> Vec<Vec<u8>> {
    let payload = Random::new(plan.seed).bytes(plan.payload_size);
    let header = Header {
        version: plan.version.clone(),
        hardware: plan.hardware.clone(),
        format: plan.format,
        converts_from: plan.converts_from.clone(),
        boot: plan.boot,
        payload_size: u64::try_from(payload.len()).unwrap_or(u64::MAX),
        payload_sha256: Digest::of(&payload),
    };
    let mut image = header.to_text().into_bytes();
    let header_size = image.len();
    image.extend_from_slice(&payload);
    // The first piece is never shorter than the header.
    let piece = image.len().div_ceil(plan.files.max(1)).max(header_size);
    let mut files: Vec<Vec<u8>> = image.chunks(piece).map(<[u8]>::to_vec).collect();
    files.resize(plan.files.max(1), Vec::new());
    files
}

/// These bytes do not begin with the header of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnImage {
    /// The first line is another one.
    #[error("an image begins with the line '{FIRST_LINE}'")]
    FirstLine,
    /// No empty line ends it.
    #[error("the header of an image ends within {HEADER_LIMIT} bytes")]
    Endless,
    /// A line is missing or cannot be read.
    #[error("the header of an image lacks a readable line '{0}='")]
    Line(&'static str),
}

impl Header {
    /// Reads the header that `bytes` begin with, and says how long it is.
    ///
    /// # Errors
    /// When they do not begin with one.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), NotAnImage> {
        let end = end_of_header(bytes).ok_or(NotAnImage::Endless)?;
        let text = bytes
            .get(..end)
            .and_then(|header| std::str::from_utf8(header).ok())
            .ok_or(NotAnImage::FirstLine)?;
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(NotAnImage::FirstLine);
        }
        let lines: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('=')).collect();
        let value = |key: &'static str| {
            lines.iter().find(|line| line.0 == key).map(|line| line.1).ok_or(NotAnImage::Line(key))
        };
        let header = Self {
            version: value("version")?.to_owned(),
            hardware: items(value("hardware")?).map(str::to_owned).collect(),
            format: number("format", value("format")?)?,
            converts_from: items(value("converts-from").unwrap_or_default())
                .map(|item| number("converts-from", item))
                .collect::<Result<_, _>>()?,
            boot: BootBehaviour::from_text(value("boot").unwrap_or("ok")).ok_or(NotAnImage::Line("boot"))?,
            payload_size: number("payload-size", value("payload-size")?)?,
            payload_sha256: value("payload-sha256")?
                .parse()
                .map_err(|_| NotAnImage::Line("payload-sha256"))?,
        };
        Ok((header, end))
    }

    fn to_text(&self) -> String {
        let formats: Vec<String> = self.converts_from.iter().map(u32::to_string).collect();
        format!(
            "{FIRST_LINE}\nversion={}\nhardware={}\nformat={}\nconverts-from={}\nboot={}\npayload-size={}\npayload-sha256={}\n\n",
            self.version,
            self.hardware.join(","),
            self.format,
            formats.join(","),
            self.boot.to_text(),
            self.payload_size,
            self.payload_sha256,
        )
    }
}

impl BootBehaviour {
    /// The behaviour of this name: `ok`, `loop`, `hang` or `unhealthy`.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Ok, Self::Loop, Self::Hang, Self::Unhealthy]
            .into_iter()
            .find(|behaviour| behaviour.to_text() == text)
    }

    fn to_text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Loop => "loop",
            Self::Hang => "hang",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Reads an image that comes in pieces, of which it keeps only the header.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageReader {
    begin: Vec<u8>,
    header: Option<Result<Header, NotAnImage>>,
    payload: Hasher,
    payload_size: u64,
}

impl ImageReader {
    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if self.header.is_some() {
            self.take_payload(bytes);
            return;
        }
        self.begin.extend_from_slice(bytes);
        if self.begin.len() >= HEADER_LIMIT || end_of_header(&self.begin).is_some() {
            self.finish_header();
        }
    }

    /// The header, if there is a good one so far.
    pub(crate) fn header(&self) -> Option<&Header> {
        self.header.as_ref().and_then(|header| header.as_ref().ok())
    }

    /// Whether what followed the header is what it announced.
    pub(crate) fn is_intact(&self) -> bool {
        self.header().is_some_and(|header| {
            header.payload_size == self.payload_size && header.payload_sha256 == self.payload.digest()
        })
    }

    fn finish_header(&mut self) {
        let begin = std::mem::take(&mut self.begin);
        match Header::parse(&begin) {
            Ok((header, end)) => {
                self.header = Some(Ok(header));
                self.take_payload(begin.get(end..).unwrap_or_default());
            }
            Err(error) => self.header = Some(Err(error)),
        }
    }

    fn take_payload(&mut self, bytes: &[u8]) {
        self.payload.update(bytes);
        self.payload_size += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
}

/// Where what follows the header begins.
fn end_of_header(bytes: &[u8]) -> Option<usize> {
    let begin = bytes.get(..HEADER_LIMIT).unwrap_or(bytes);
    begin.windows(2).position(|pair| pair == b"\n\n").map(|position| position + 2)
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn number<N: std::str::FromStr>(key: &'static str, text: &str) -> Result<N, NotAnImage> {
    text.parse().map_err(|_| NotAnImage::Line(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(files: usize) -> Plan {
        Plan {
            version: "2.0".to_owned(),
            hardware: vec!["iad-8".to_owned(), "iad-4".to_owned()],
            format: 2,
            converts_from: vec![1],
            boot: BootBehaviour::Ok,
            payload_size: 10_000,
            seed: 1,
            files,
        }
    }

    #[test]
    fn an_image_reads_back_from_pieces_of_any_size() {
        let image = make(&plan(3)).concat();
        for piece in [1, 7, 100, 5000, 20_000] {
            let mut reader = ImageReader::default();
            image.chunks(piece).for_each(|bytes| reader.update(bytes));
            assert!(reader.is_intact(), "pieces of {piece}");
            assert_eq!(reader.header().map(|header| header.version.as_str()), Some("2.0"));
        }
    }

    #[test]
    fn a_changed_or_missing_byte_makes_it_not_intact() {
        let image = make(&plan(1)).concat();
        let mut changed = image.clone();
        *changed.last_mut().unwrap() ^= 1;
        for bytes in [&changed[..], &image[..image.len() - 1]] {
            let mut reader = ImageReader::default();
            reader.update(bytes);
            assert!(reader.header().is_some());
            assert!(!reader.is_intact());
        }
    }

    #[test]
    fn an_image_is_cut_into_as_many_files_as_asked() {
        assert_eq!(make(&plan(4)).len(), 4);
        assert_eq!(make(&plan(4)).concat(), make(&plan(1)).concat());
        assert!(Header::parse(&make(&plan(200))[0]).is_ok(), "the first file holds the whole header");
    }

    #[test]
    fn garbage_is_no_image() {
        assert_eq!(Header::parse(b"GARBAGE\n\n"), Err(NotAnImage::FirstLine));
        assert_eq!(Header::parse(&[0xff; 9000]), Err(NotAnImage::Endless));
        assert_eq!(Header::parse(b"IAD-SIM-IMAGE 1\nversion=1\n\n"), Err(NotAnImage::Line("hardware")));
        let mut reader = ImageReader::default();
        reader.update(&[b'x'; 5000]);
        assert!(reader.header().is_none() && !reader.is_intact());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = Header::parse(&bytes);
        }
    }
}
