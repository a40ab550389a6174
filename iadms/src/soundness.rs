//! Whether all that a manager keeps is sound: its database, and the files that this names. Everything is only read, beside a
//! manager that runs or without one.

use std::collections::BTreeMap;
use std::path::Path;

use upgrade::Digest;

use crate::api::{Check, Finding};
use crate::causes::with_causes;
use crate::files::{FileError, Files};
use crate::profiles::restored;
use crate::store::{Named, OLDEST_SQLITE, OpenRun, Rows, Store, StoreError};

/// Files named that are not as they should be; of more, only the number is told.
const MOST_NAMED: usize = 20;

/// What to do about anything that is wrong with the database.
const RESTORE: &str = "start on a copy that `iadms db backup` made: docs/database.md tells how";

/// Examines what is kept in `data`. It takes as long as reading all of it.
///
/// # Errors
///
/// There is no database, or it cannot be read for another reason than being damaged.
pub async fn examine(data: &Path) -> Result<Vec<Check>, StoreError> {
    let store = match Store::open_read_only(data).await {
        Ok(store) => store,
        Err(error @ StoreError::Damaged { .. }) => return Ok(vec![bad("database", &error)]),
        Err(error) => return Err(error),
    };
    let mut checks = vec![sqlite(&store), structure(&store).await];
    let (schema, known) = schema(&store);
    checks.push(schema);
    if !known {
        return Ok(checks);
    }
    checks.push(references(&store).await);
    let named = match store.decoded().await {
        Ok(rows) => {
            checks.extend(rows.into_iter().map(readable));
            checks.push(resumable(&store).await);
            store.named_files().await
        }
        Err(error) => Err(error),
    };
    // Nobody is kept from starting a manager while the files are read.
    drop(store);
    match named {
        Ok(named) => checks.extend(files(&Files::as_they_are(data), &named.files)),
        Err(error) => checks.push(bad("rows", &error)),
    }
    Ok(checks)
}

/// Whether a manager that starts can go on with the runs that are not over: what of them can be read needs a profile, too.
async fn resumable(store: &Store) -> Check {
    let open = match store.open_runs().await {
        Ok(open) => open.readable,
        Err(error) => return bad("open runs", &error),
    };
    let unreadable = |open: &OpenRun| {
        let error = restored(&open.profile).err()?;
        Some(format!("the profile of run {}: {error}", open.run.id))
    };
    let named: Vec<_> = open.iter().filter_map(unreadable).collect();
    if named.is_empty() {
        return Check::good("open runs", format!("{}, each with a profile that can be read", open.len()));
    }
    let next = "such a run holds its device until you let go of it: `iadms run forget`";
    Check::wrong("open runs", Finding::Bad, named.join("; "), next)
}

fn sqlite(store: &Store) -> Check {
    let text =
        format!("{}, without the fault of the WAL reset, which {OLDEST_SQLITE} mended", store.sqlite());
    Check::good("sqlite", text)
}

async fn structure(store: &Store) -> Check {
    match store.faults().await {
        Ok(faults) if faults.is_empty() => {
            Check::good("structure", "every page and index is as it should be")
        }
        Ok(faults) => Check::wrong("structure", Finding::Bad, faults.join("; "), RESTORE),
        Err(error) => bad("structure", &error),
    }
}

async fn references(store: &Store) -> Check {
    match store.dangling().await {
        Ok(dangling) if dangling.is_empty() => Check::good("references", "what rows refer to is there"),
        Ok(dangling) => Check::wrong("references", Finding::Bad, dangling.join("; "), RESTORE),
        Err(error) => bad("references", &error),
    }
}

/// And whether this program can read what is in it.
fn schema(store: &Store) -> (Check, bool) {
    let latest = Store::latest_schema();
    let wrong = |finding, text: String, next: &str| Check::wrong("schema", finding, text, next);
    match store.schema() {
        Some(found) if found == latest => {
            (Check::good("schema", format!("version {found}, that of this iadms")), true)
        }
        Some(found) if found < latest => {
            let text = format!(
                "version {found}, older than version {latest} of this iadms; its rows were not looked at"
            );
            let next = "`iadms serve` brings it forward, and keeps a copy of it as it was";
            (wrong(Finding::Warning, text, next), false)
        }
        Some(found) => {
            let text = format!(
                "version {found}, newer than version {latest} of this iadms; its rows were not looked at"
            );
            (wrong(Finding::Bad, text, "use the iadms that wrote it, or a newer one"), false)
        }
        None => (wrong(Finding::Bad, "none of iadms".to_owned(), "put a database of iadms there"), false),
    }
}

fn readable(rows: Rows) -> Check {
    let Rows { what, count, unreadable, named } = rows;
    if unreadable == 0 {
        return Check::good(what, format!("{count}, all readable"));
    }
    let text = format!("{count}, of which {unreadable} cannot be understood: {}", listed(&named, unreadable));
    let next = match what {
        "runs" => "a run that is not over holds its device until you let go of it: `iadms run forget`",
        _ => RESTORE,
    };
    Check::wrong(what, Finding::Bad, text, next)
}

/// Two checks: of the files that are named, and of those that are not.
fn files(files: &Files, named: &BTreeMap<Digest, Named>) -> [Check; 2] {
    let mut lost = Vec::new();
    for (digest, Named { by, size }) in named {
        match files.verify(*digest) {
            Ok(found) if size.is_none_or(|size| size == found) => {}
            Ok(found) => {
                lost.push(format!("{by}: it has {found} bytes, and should have {}", size.unwrap_or(0)))
            }
            Err(error) => lost.push(format!("{by}: {}", with_causes(&error))),
        }
    }
    let whole = if lost.is_empty() {
        Check::good("files", format!("{} are named, all there and whole", named.len()))
    } else {
        let text = format!(
            "{} are named, {} not whole: {}",
            named.len(),
            lost.len(),
            listed(&lost, lost.len() as u64)
        );
        Check::wrong(
            "files",
            Finding::Bad,
            text,
            "add the image again, or take the file from a copy of the data folder",
        )
    };
    [whole, unnamed(files, named).unwrap_or_else(|error| bad_file("unnamed files", &error))]
}

fn unnamed(files: &Files, named: &BTreeMap<Digest, Named>) -> Result<Check, FileError> {
    let mut listed = files.list()?;
    listed.retain(|file| !file.digest.is_some_and(|digest| named.contains_key(&digest)));
    if listed.is_empty() {
        return Ok(Check::good("unnamed files", "none"));
    }
    let bytes: u64 = listed.iter().map(|file| file.size).sum();
    let paths: Vec<_> = listed.iter().take(MOST_NAMED).map(|file| file.path.display().to_string()).collect();
    let text = format!("{} with {bytes} bytes: {}", listed.len(), self::listed(&paths, listed.len() as u64));
    let next = "uploads that nothing came of; they do no harm, and a copy of the data leaves them out";
    Ok(Check::wrong("unnamed files", Finding::Warning, text, next))
}

/// The first of them, and how many more there are.
fn listed(texts: &[String], count: u64) -> String {
    let named = texts.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>();
    let more = count.saturating_sub(named.len() as u64);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", named.join("; "))
}

fn bad(name: &str, error: &StoreError) -> Check {
    Check::wrong(name, Finding::Bad, with_causes(error), error.next())
}

fn bad_file(name: &str, error: &FileError) -> Check {
    Check::wrong(name, Finding::Bad, with_causes(error), "check the rights of the data folder")
}
