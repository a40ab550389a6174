//! The converter of an image: a program that turns one configuration file into another format (row H22).

use core::time::Duration;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use engine::director::Convert;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use upgrade::{Kind, StoredFile};

use crate::files::Files;

/// The most a converted file may have, bytes.
const MOST_BYTES: u64 = 16 << 20;

/// The most of what a converter complains that is passed on, bytes.
const MOST_COMPLAINT: u64 = 1024;

/// How often a program is started that the system says is still being written: another thread of ours may be
/// starting a program at that moment, and holds its file open until then.
const MOST_STARTS: u32 = 10;

/// Converts the files one by one. The program gets nothing but the file on its standard input, and as arguments the
/// kind, the format of the file and the format wanted.
///
/// # Errors
///
/// What went wrong, for people.
pub(super) async fn convert(
    files: Files,
    convert: Convert,
    folder: PathBuf,
) -> Result<BTreeMap<Kind, StoredFile>, String> {
    let path = folder.join(format!("converter-{}", convert.run));
    let laid_out = lay_out(&files, &convert, &path).await;
    let result = match laid_out {
        Ok(()) => convert_all(&files, &convert, &path).await,
        Err(error) => Err(format!("it cannot be made ready to run: {error}")),
    };
    // What cannot be removed now is written over by the next conversion of the run.
    let _ = tokio::fs::remove_file(&path).await;
    result
}

async fn lay_out(files: &Files, convert: &Convert, path: &Path) -> std::io::Result<()> {
    let program = read(files, convert.converter.sha256).await.map_err(std::io::Error::other)?;
    tokio::fs::write(path, program).await?;
    tokio::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).await
}

async fn convert_all(
    files: &Files,
    convert: &Convert,
    program: &Path,
) -> Result<BTreeMap<Kind, StoredFile>, String> {
    let mut converted = BTreeMap::new();
    for (kind, file) in &convert.set.files {
        let from = convert.set.format.map(|format| format.to_string()).unwrap_or_default();
        let arguments = [kind.to_string(), from, convert.format.to_string()];
        let input = read(files, file.digest).await?;
        let limit = Duration::from_millis(convert.limit_ms);
        let output = match tokio::time::timeout(limit, run(program, &arguments, &input)).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(format!("{} on {kind}: {error}", convert.converter.name)),
            Err(_) => {
                return Err(format!(
                    "{} on {kind}: not done after {} s",
                    convert.converter.name,
                    limit.as_secs()
                ));
            }
        };
        if output.is_empty() {
            return Err(format!("{} on {kind}: it wrote nothing", convert.converter.name));
        }
        let keeper = files.clone();
        let kept = tokio::task::spawn_blocking(move || keeper.add(&mut output.as_slice())).await;
        let kept = kept.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        converted.insert(kind.clone(), kept);
    }
    Ok(converted)
}

async fn read(files: &Files, digest: upgrade::Digest) -> Result<Vec<u8>, String> {
    let files = files.clone();
    let read = tokio::task::spawn_blocking(move || files.read(digest)).await;
    read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

async fn run(program: &Path, arguments: &[String], input: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut child = start(program, arguments).await?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read to the end says by its exit status whether that matters.
            let _ = stdin.write_all(input).await;
        }
    };
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    let gather = async {
        match stdout {
            Some(stdout) => stdout.take(MOST_BYTES + 1).read_to_end(&mut output).await.map(drop),
            None => Ok(()),
        }
    };
    let listen = async {
        match stderr {
            Some(mut stderr) => {
                (&mut stderr).take(MOST_COMPLAINT).read_to_end(&mut complaint).await?;
                // A program whose complaint nobody reads to its end would be ended by that.
                tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await.map(drop)
            }
            None => Ok(()),
        }
    };
    let ((), gathered, listened) = tokio::join!(feed, gather, listen);
    gathered.and(listened)?;
    if output.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!("it wrote more than {MOST_BYTES} bytes")));
    }
    let status = child.wait().await?;
    if status.success() {
        return Ok(output);
    }
    let complaint = String::from_utf8_lossy(&complaint);
    let complaint = complaint.lines().next().unwrap_or("no reason given");
    Err(std::io::Error::other(format!("it ended with {status}: {complaint}")))
}

async fn start(program: &Path, arguments: &[String]) -> std::io::Result<tokio::process::Child> {
    let mut starts = 0;
    loop {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy && starts < MOST_STARTS => {
                starts += 1;
                tokio::task::yield_now().await;
            }
            outcome => return outcome,
        }
    }
}
