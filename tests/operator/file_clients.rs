//! curl reads and writes at the running daemon by FTP and TFTP, with the tickets of a device that lost its power just after it
//! had been told them; once each, from its address, and nobody else.

mod needs_curl {
    use std::process::Command;

    use serde_json::Value;
    use tests::peers;

    use crate::laboratory::{Answered, DEVICE, Laboratory, Setup, answer, json, path_text};

    /// A laboratory whose device was told to do this and lost its power as it began, and the ticket it was told.
    fn with_a_ticket(during: &str, protocol: &str) -> (Laboratory, String) {
        let fault = ["power-loss", "--during", during];
        let laboratory = Laboratory::with(&Setup { faults: &[&fault], ..Setup::default() });
        laboratory.add_image("new", "2.0", &[]);
        let wanted: &[&str] = match during {
            "backup" => &["backup", DEVICE, "--kinds", "user-data"],
            _ => &["upgrade", DEVICE, "--image", "new"],
        };
        laboratory.begin(&[wanted, &["--protocol", protocol]].concat());
        let device = laboratory.device_becomes("the device has lost its power", |device| {
            device["power"] == "off" && device["operation"]["command"] == during
        });
        let name = device["operation"]["parameters"]["file-names"][0].as_str().unwrap().to_owned();
        (laboratory, name)
    }

    /// Where the file of this name is, with the login that the device was told.
    fn url(laboratory: &Laboratory, protocol: &str, name: &str) -> String {
        let stored = laboratory.state().join("devices").join(DEVICE).join("device.json");
        let stored: Value = json(&std::fs::read_to_string(stored).unwrap());
        let server = &stored["durable"]["server"];
        let word = |name: &str| server[name].as_str().unwrap_or_default().to_owned();
        let login =
            if protocol == "ftp" { format!("{}:{}@", word("user"), word("password")) } else { String::new() };
        format!("{protocol}://{login}{}/{name}", laboratory.port(protocol))
    }

    fn device_address(laboratory: &Laboratory) -> String {
        let address = laboratory.device()["address"].as_str().unwrap().to_owned();
        address.rsplit_once(':').unwrap().0.to_owned()
    }

    fn curl(from: &str, words: &[&str]) -> Answered {
        let mut curl = Command::new(peers::program("curl"));
        answer(curl.args(["--silent", "--show-error", "--interface", from]).args(words))
    }

    fn reads_the_image_once(protocol: &str) {
        let (laboratory, name) = with_a_ticket("download", protocol);
        let (url, address) = (url(&laboratory, protocol, &name), device_address(&laboratory));
        let local = path_text(&laboratory.folder().join("local"));
        let stranger = curl("127.0.0.1", &[&url, "--output", &local]);
        assert_ne!(stranger.code, Some(0), "a ticket is of one address: {stranger:?}");

        let read = curl(&address, &[&url, "--output", &local]);
        assert_eq!(read.code, Some(0), "{read:?}");
        let folder = std::fs::read_dir(laboratory.folder().join("new")).unwrap();
        let image = folder
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_none_or(|e| e != "toml"));
        assert!(std::fs::read(&local).unwrap() == std::fs::read(image.unwrap()).unwrap(), "byte for byte");

        let again = curl(&address, &[&url, "--output", &local]);
        assert_ne!(again.code, Some(0), "a ticket is good once: {again:?}");
    }

    fn writes_a_backup_once(protocol: &str) {
        let (laboratory, name) = with_a_ticket("backup", protocol);
        let (url, address) = (url(&laboratory, protocol, &name), device_address(&laboratory));
        let local = laboratory.folder().join("local");
        let words: Vec<_> = (0..3000).map(|number| format!("subscriber.{number}.name = Nobody\n")).collect();
        std::fs::write(&local, words.concat()).unwrap();
        let local = path_text(&local);
        let stranger = curl("127.0.0.1", &["--upload-file", &local, &url]);
        assert_ne!(stranger.code, Some(0), "a ticket is of one address: {stranger:?}");
        let written = curl(&address, &["--upload-file", &local, &url]);
        assert_eq!(written.code, Some(0), "{written:?}");
        let kept = kept(&laboratory);
        assert!(
            kept.contains(&words.concat().into_bytes()),
            "the daemon keeps what was written, byte for byte"
        );

        std::fs::write(&local, "something else").unwrap();
        let again = curl(&address, &["--upload-file", &local, &url]);
        assert_ne!(again.code, Some(0), "a ticket is good once: {again:?}");
        assert_eq!(
            self::kept(&laboratory).len(),
            kept.len(),
            "nothing is written over, and nothing left half written"
        );
    }

    /// All files that the daemon keeps.
    fn kept(laboratory: &Laboratory) -> Vec<Vec<u8>> {
        let mut folders = vec![laboratory.data().join("files")];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(std::fs::read(path).unwrap());
                }
            }
        }
        files
    }

    #[test]
    fn b08_curl_reads_an_image_by_ftp_once() {
        reads_the_image_once("ftp");
    }

    #[test]
    fn b08_curl_writes_a_backup_by_ftp_once() {
        writes_a_backup_once("ftp");
    }

    #[test]
    fn b08_curl_reads_an_image_by_tftp_once() {
        reads_the_image_once("tftp");
    }

    #[test]
    fn b08_curl_writes_a_backup_by_tftp_once() {
        writes_a_backup_once("tftp");
    }
}
