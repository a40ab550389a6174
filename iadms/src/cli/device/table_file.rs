//! Devices in a CSV file (RFC 4180) with a header. Each bad line is told with file, line and what was expected.

use std::collections::BTreeMap;
use std::net::IpAddr;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::access::version;
use crate::cli::choices::{label, protocol};
use crate::inventory::{Access, Community, DeviceEntry, SNMP_PORT, SnmpVersion};

/// The columns there may be.
pub(super) const COLUMNS: [&str; 10] = [
    "name",
    "address",
    "port",
    "version",
    "read_community",
    "write_community",
    "credential",
    "profile",
    "protocol",
    "labels",
];
/// Those there must be.
const NEEDED: [&str; 2] = ["name", "address"];

/// Something wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLine {
    /// From 1.
    pub(super) line: u64,
    /// One sentence.
    pub(super) problem: String,
}

/// The entries with their lines, and all that is wrong.
pub(super) fn read(bytes: &[u8]) -> (Vec<(u64, DeviceEntry)>, Vec<BadLine>) {
    let mut reader =
        ReaderBuilder::new().trim(Trim::All).flexible(true).comment(Some(b'#')).from_reader(bytes);
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return (entries, vec![unreadable(&error)]),
    };
    bad.extend(wrong_header(&headers));
    if !bad.is_empty() {
        return (entries, bad);
    }
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                match entry(&headers, &record) {
                    Ok(entry) => entries.push((line, entry)),
                    Err(problem) => bad.push(BadLine { line, problem }),
                }
            }
            Err(error) => bad.push(unreadable(&error)),
        }
    }
    (entries, bad)
}

fn wrong_header(headers: &StringRecord) -> Option<BadLine> {
    let bad = |problem: String| Some(BadLine { line: 1, problem });
    if let Some(unknown) = headers.iter().find(|name| !COLUMNS.contains(name)) {
        return bad(format!(
            "the column {unknown:?} is unknown; of these were expected: {}",
            COLUMNS.join(", ")
        ));
    }
    let twice = |name: &&str| headers.iter().filter(|other| other == name).count() > 1;
    if let Some(doubled) = headers.iter().find(twice) {
        return bad(format!("the column {doubled:?} is given twice"));
    }
    if let Some(missing) = NEEDED.iter().find(|name| !headers.iter().any(|header| header == **name)) {
        return bad(format!(
            "the column {missing:?} is missing; a header such as {:?} was expected",
            "name,address"
        ));
    }
    None
}

fn entry(headers: &StringRecord, record: &StringRecord) -> Result<DeviceEntry, String> {
    if record.len() != headers.len() {
        return Err(format!("{} fields; {} were expected, as in the header", record.len(), headers.len()));
    }
    let cell = |name: &str| {
        let column = headers.iter().position(|header| header == name)?;
        record.get(column).filter(|cell| !cell.is_empty())
    };
    let wrong = |name: &str, cell: &str, expected: &str| format!("{name} is {cell:?}; {expected}");
    let name = cell("name").ok_or("name is empty; a name was expected")?.to_owned();
    let address = cell("address").ok_or("address is empty; an IPv4 or IPv6 address was expected")?;
    let address: IpAddr =
        address.parse().map_err(|_| wrong("address", address, "an IPv4 or IPv6 address was expected"))?;
    let port = match cell("port") {
        None => SNMP_PORT,
        Some(cell) => {
            let port = cell.parse().ok().filter(|port| *port != 0);
            port.ok_or_else(|| wrong("port", cell, "a number from 1 to 65535 was expected"))?
        }
    };
    let snmp_version = match cell("version") {
        None if cell("credential").is_some() => SnmpVersion::V3,
        None => SnmpVersion::default(),
        Some(cell) => version(cell).map_err(|expected| wrong("version", cell, &expected))?,
    };
    let protocol = match cell("protocol") {
        None => None,
        Some(cell) => Some(protocol(cell).map_err(|expected| wrong("protocol", cell, &expected))?),
    };
    let mut labels = BTreeMap::new();
    for text in cell("labels").unwrap_or_default().split_whitespace() {
        let (key, value) = label(text).map_err(|expected| wrong("labels", text, &expected))?;
        labels.insert(key, value);
    }
    let community = |name: &str, usual: &str| {
        let usual = if snmp_version == SnmpVersion::V3 { "" } else { usual };
        Community(cell(name).unwrap_or(usual).to_owned())
    };
    let entry = DeviceEntry {
        name,
        access: Access {
            address,
            port,
            version: snmp_version,
            read_community: community("read_community", "public"),
            write_community: community("write_community", "private"),
            credential: cell("credential").map(str::to_owned),
        },
        profile: cell("profile").unwrap_or("iad").to_owned(),
        protocol,
        labels,
    };
    entry.check().map_err(|error| error.to_string())?;
    Ok(entry)
}

fn unreadable(error: &csv::Error) -> BadLine {
    let line = error.position().map_or(1, csv::Position::line);
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "text in UTF-8 was expected".to_owned(),
        _ => format!("it is no line of a CSV file ({error})"),
    };
    BadLine { line, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_in_any_order_and_have_defaults() {
        let text = "# our devices\naddress,name,labels,protocol\n192.0.2.1,iad-1,site=north floor=2,ftp\n2001:db8::1,iad-2,,\n";
        let (entries, bad) = read(text.as_bytes());
        assert_eq!(bad, []);
        let [(3, first), (4, second)] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((first.labels["floor"].as_str(), first.access.port), ("2", 161));
        assert_eq!(second.access.address.to_string(), "2001:db8::1");
        assert_eq!(second.protocol, None);
    }

    #[test]
    fn every_bad_line_is_told_with_its_number_and_what_was_expected() {
        let text = "name,address,port,version\n\
            ,192.0.2.1,,\n\
            iad-1,192.0.2.300,,\n\
            iad-2,192.0.2.2,0,\n\
            iad-3,192.0.2.3,161,v4\n\
            iad-4,192.0.2.4\n\
            iad-5,192.0.2.5,161,v2c\n\
            bad name,192.0.2.6,,\n\
            iad-6,0.0.0.0,,\n";
        let (entries, bad) = read(text.as_bytes());
        assert_eq!(entries.len(), 1);
        let expected = [
            (2, "a name was expected"),
            (3, "192.0.2.300"),
            (4, "1 to 65535"),
            (5, "v1, v2c or v3"),
            (6, "2 fields; 4 were expected"),
            (8, "bad name"),
            (9, "0.0.0.0"),
        ];
        assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), expected.map(|(line, _)| line));
        for (bad, (_, said)) in bad.iter().zip(expected) {
            assert!(bad.problem.contains(said), "{bad:?}");
        }
    }

    #[test]
    fn a_wrong_header_is_told_first() {
        let problem = |text: &[u8]| read(text).1.remove(0).problem;
        assert!(problem(b"name,adress\n").contains("adress"));
        assert!(problem(b"name\n").contains("\"address\" is missing"));
        assert!(problem(b"name,address,name\n").contains("twice"));
        assert!(problem(b"").contains("missing"));
        assert!(problem(b"name,address\n\xff\xfe,1.2.3.4\n").contains("UTF-8"));
    }
}
