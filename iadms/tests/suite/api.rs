//! The interface on the Unix socket, asked by the command line's own client. The daemon's loop is played by the test.

mod credentials;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use iadms::api::{
    self, AnswerRequest, AnswerRun, Api, Begun, ChangedDevice, NewDevices, NewImage, Problem, SocketError,
    StartRuns, Wanted,
};
use iadms::cli::{Client, Lines};
use iadms::daemon::clock::Clock;
use iadms::daemon::{Command, Receiving, Refusal, RefusalCode, Status, Told, Trap, channel};
use iadms::files::Files;
use iadms::inventory::{Device, DeviceEntry};
use iadms::seal::Key;
use iadms::store::{RunRecord, Store};
use tempfile::TempDir;
use upgrade::image::{ImageFile, Manifest};
use upgrade::run::{Answer, AnswerKind, Choices, Goal, Policy, Question, State, Step, Story};
use upgrade::{ConfigurationSet, Digest, Kind, Run, RunId, StoredFile, Time};

use crate::samples::{
    add_device, backed_up, commit, configuration, ended, entry, now, profiles, run, trap, write,
};

/// A daemon without its loop.
struct House {
    client: Client,
    store: Store,
    files: Files,
    loop_side: Receiving,
    socket: PathBuf,
    _folder: TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let files = Files::open(folder.path()).unwrap();
    let (handle, loop_side) = channel();
    let socket = folder.path().join("iadms.sock");
    let listener = api::bind(&socket).await.unwrap();
    let catalogue = Arc::new(profiles());
    let data = folder.path().to_owned();
    let key = Some(Arc::new(Key::make(&folder.path().join("key")).unwrap()));
    let clock = Clock::after(now());
    let api = Api { handle, store: store.clone(), files: files.clone(), catalogue, key, clock, data };
    tokio::spawn(api::serve(listener, api));
    House { client: Client::new(socket.clone()), store, files, loop_side, socket, _folder: folder }
}

impl House {
    async fn command(&mut self) -> Command {
        self.loop_side.commands.recv().await.expect("the interface lives")
    }

    fn nothing_was_asked(&mut self) -> bool {
        self.loop_side.commands.try_recv().is_err()
    }

    async fn tell(&self, run: &Run, n: u64, story: Story) {
        let told = Told { run: run.id, device: run.device.name.clone(), at: now(), n, story };
        self.loop_side.told.send(told).expect("somebody watches");
    }
}

fn choices() -> Choices {
    run(1, upgrade::DeviceId(1), "").choices
}

fn start(devices: &[&str], wanted: Wanted) -> StartRuns {
    let devices = devices.iter().map(ToString::to_string).collect();
    StartRuns { devices, wanted, choices: choices(), protocol: None }
}

fn asking(mut run: Run, answers: &[AnswerKind]) -> Run {
    let answers = answers.to_vec();
    run.state = State::Asking(Question { failure: None, answers, asked_at: now(), limit: None, lost: false });
    run
}

async fn stored_image(house: &House, name: &str, bytes: &[u8]) -> StoredFile {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let stored = house.client.upload(tokio::fs::File::from_std(file)).await.unwrap();
    let file = ImageFile { name: "main.img".into(), size: stored.size, sha256: stored.digest };
    let manifest = Manifest {
        version: "2.0".into(),
        hardware: vec!["iad-8".into()],
        format: None,
        from: Vec::new(),
        converter: None,
        files: vec![file],
    };
    // Adding asks the loop for the time.
    let adding =
        house.client.post::<upgrade::Image>("/images", &NewImage { name: name.into(), manifest }).await;
    assert_eq!(adding.unwrap().name, name);
    stored
}

/// Plays a loop that only tells its status, and hands everything else back.
fn with_status(mut house: House) -> (House, tokio::task::JoinHandle<Vec<Command>>) {
    let (_, spare) = channel();
    let mut loop_side = std::mem::replace(&mut house.loop_side, spare);
    let played = tokio::spawn(async move {
        let mut others = Vec::new();
        while let Some(command) = loop_side.commands.recv().await {
            match command {
                Command::Status { reply } => drop(reply.send(Ok(Status { now: now(), ..Status::default() }))),
                Command::Start { device, reply, goal, choices, protocol } => {
                    let _ = reply.send(Ok(RunId(device.0 * 10)));
                    let (reply, _) = tokio::sync::oneshot::channel();
                    others.push(Command::Start { device, goal, choices, protocol, reply });
                }
                Command::Answer { run, asked_at, answer, reply } => {
                    let _ = reply.send(Ok(()));
                    let (reply, _) = tokio::sync::oneshot::channel();
                    others.push(Command::Answer { run, asked_at, answer, reply });
                    break;
                }
                other => others.push(other),
            }
            if others.len() == 2 {
                break;
            }
        }
        others
    });
    (house, played)
}

#[tokio::test]
async fn communities_are_shown_only_to_who_asks_for_them() {
    let house = house().await;
    add_device(&house.store, "iad-1").await;
    let shown: Device = house.client.get("/devices/iad-1").await.unwrap();
    assert_eq!(shown.entry.access.read_community.0, "********");
    let listed: Vec<Device> = house.client.get("/devices").await.unwrap();
    assert_eq!(listed[0].entry.access.write_community.0, "********");
    let asked: Device = house.client.get("/devices/iad-1?secrets=true").await.unwrap();
    assert_eq!(asked.entry, entry("iad-1"));
}

#[tokio::test]
async fn a_run_is_shown_without_what_its_tickets_are_made_of() {
    let house = house().await;
    let device = add_device(&house.store, "iad-1").await;
    let mut secretive = run(1, device, "iad-1");
    secretive.server.password = "the password".into();
    assert!(!secretive.secret.is_empty());
    commit(&house.store, &[write(secretive.clone(), 1)]).await.unwrap();
    let shown: RunRecord = house.client.get("/runs/1").await.unwrap();
    let listed: Vec<RunRecord> = house.client.get("/runs").await.unwrap();
    for record in [&shown, &listed[0]] {
        assert_eq!((record.run.secret.as_str(), record.run.server.password.as_str()), ("", ""));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_stored_is_refused_with_the_reason_however_long_it_is() {
    let house = house().await;
    std::fs::remove_dir_all(house.socket.with_file_name("incoming")).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&vec![7; 8 * 1024 * 1024]).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let refused = house.client.upload(tokio::fs::File::from_std(file)).await.unwrap_err();
    assert!(refused.error.contains("incoming") && !refused.error.contains("broke"), "{refused}");
}

#[tokio::test]
async fn a_device_is_not_moved_to_where_another_one_is() {
    let house = house().await;
    add_device(&house.store, "iad-1").await;
    add_device(&house.store, "iad-2").await;
    let mut moved = entry("iad-2");
    moved.access = entry("iad-1").access;
    let changed = ChangedDevice { entry: moved, replaced: false };
    let refused = house.client.put::<()>("/devices", &changed).await.unwrap_err();
    assert!(refused.error.contains("\"iad-1\" is at"), "{refused}");
    assert_eq!(house.store.device("iad-2").await.unwrap().entry, entry("iad-2"));
}

#[tokio::test]
async fn every_wrong_device_is_told_and_none_is_added() {
    let house = house().await;
    add_device(&house.store, "iad-1").await;
    let mut strange = entry("iad-3");
    strange.profile = "toaster".into();
    // The same agent under another name: two runs would command it at once.
    let same_agent = DeviceEntry { name: "gate".into(), ..entry("iad-1") };
    let devices =
        NewDevices { devices: vec![entry("iad-1"), entry("iad-2"), strange, entry("iad-2"), same_agent] };
    let problems: Vec<Problem> = house.client.post("/devices/check", &devices).await.unwrap();
    assert_eq!(problems.iter().map(|problem| problem.index).collect::<Vec<_>>(), [0, 2, 3, 4]);
    assert!(problems[3].error.contains("and so is \"iad-1\""), "{}", problems[3].error);
    assert!(
        problems[1].error.contains("toaster") && problems[1].error.contains("iad"),
        "{}",
        problems[1].error
    );
    let refused = house.client.post::<api::Added>("/devices", &devices).await.unwrap_err();
    assert!(refused.next.contains("nothing was added"), "{refused}");
    assert_eq!(house.store.devices().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_loop_hears_of_new_devices() {
    let mut house = house().await;
    let devices = NewDevices { devices: vec![entry("iad-1")] };
    house.client.post::<api::Added>("/devices", &devices).await.unwrap();
    assert!(matches!(house.command().await, Command::InventoryChanged));
}

#[tokio::test]
async fn an_image_is_added_only_with_all_its_files_whole() {
    let (house, _played) = with_status(house().await);
    let stored = stored_image(&house, "iad-2.0", b"software").await;
    assert_eq!(house.files.read(stored.digest).unwrap(), b"software");
    let missing = ImageFile { name: "main.img".into(), size: 3, sha256: upgrade::Digest([7; 32]) };
    let short = ImageFile { name: "main.img".into(), size: 3, sha256: stored.digest };
    for (file, said) in [(missing, "no stored file"), (short, "has 8 bytes, its manifest says 3")] {
        let manifest = Manifest {
            version: "2.0".into(),
            hardware: vec!["iad-8".into()],
            format: None,
            from: Vec::new(),
            converter: None,
            files: vec![file],
        };
        let new = NewImage { name: "other".into(), manifest };
        let refused = house.client.post::<upgrade::Image>("/images", &new).await.unwrap_err();
        assert!(refused.error.contains(said), "{refused}");
    }
    assert_eq!(house.store.images().await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_unknown_device_among_many_begins_no_run() {
    let mut house = house().await;
    add_device(&house.store, "iad-1").await;
    let request = start(&["iad-1", "iad-l"], Wanted::Backup);
    let refused = house.client.post::<Vec<Begun>>("/runs", &request).await.unwrap_err();
    assert_eq!(refused.error, "there is no device \"iad-l\"");
    assert!(house.nothing_was_asked());
}

#[tokio::test]
async fn runs_begin_in_the_order_of_their_devices_each_once() {
    let (house, played) = with_status(house().await);
    let first = add_device(&house.store, "iad-1").await;
    let second = add_device(&house.store, "iad-2").await;
    let request = start(&["iad-2", "iad-1", "iad-2"], Wanted::Backup);
    let begun: Vec<Begun> = house.client.post("/runs", &request).await.unwrap();
    let told: Vec<_> = begun.iter().map(|begun| (begun.device.as_str(), begun.run)).collect();
    assert_eq!(told, [("iad-2", Some(RunId(second.0 * 10))), ("iad-1", Some(RunId(first.0 * 10)))]);
    let asked = played.await.unwrap();
    let devices: Vec<_> = asked
        .iter()
        .map(|command| match command {
            Command::Start { device, goal: Goal::Backup, choices, protocol: None, .. } => {
                assert_eq!(choices.policy, Policy::Ask);
                *device
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(devices, [second, first]);
}

#[tokio::test]
async fn what_one_device_refuses_does_not_stop_the_others() {
    let mut house = house().await;
    add_device(&house.store, "iad-1").await;
    add_device(&house.store, "iad-2").await;
    let client = house.client.clone();
    let asking = tokio::spawn(async move {
        client.post::<Vec<Begun>>("/runs", &start(&["iad-1", "iad-2"], Wanted::Reset)).await
    });
    // Both are asked for before the first is answered.
    let (first, second) = (house.command().await, house.command().await);
    let Command::Start { reply, .. } = first else { panic!("{first:?}") };
    reply.send(Err(Refusal::new(RefusalCode::Conflict, "it is busy", "wait"))).unwrap();
    let Command::Start { reply, .. } = second else { panic!("{second:?}") };
    reply.send(Ok(RunId(5))).unwrap();
    let begun = asking.await.unwrap().unwrap();
    assert_eq!(begun[0].refused.as_ref().unwrap().error, "it is busy");
    assert_eq!(begun[1].run, Some(RunId(5)));
}

#[tokio::test]
async fn an_image_that_was_damaged_in_the_store_reaches_no_device() {
    let (house, played) = with_status(house().await);
    add_device(&house.store, "iad-1").await;
    let stored = stored_image(&house, "iad-2.0", b"software").await;
    std::fs::write(house.files.path(stored.digest), b"softwart").unwrap();
    let request = start(&["iad-1"], Wanted::Upgrade { image: "iad-2.0".into() });
    let refused = house.client.post::<Vec<Begun>>("/runs", &request).await.unwrap_err();
    assert!(refused.error.contains("main.img") && refused.error.contains("damaged"), "{refused}");
    assert!(!played.is_finished(), "no run was asked for");
}

#[tokio::test]
async fn a_backup_goes_to_another_device_only_by_the_operators_word() {
    let (house, played) = with_status(house().await);
    let one = add_device(&house.store, "iad-1").await;
    add_device(&house.store, "iad-2").await;
    let stored = house.files.add(&mut &b"users"[..]).unwrap();
    let mut set = configuration();
    set.files = BTreeMap::from([(Kind("user-data".into()), stored)]);
    let mut change = write(ended(run(1, one, "iad-1")), 1);
    change.backups.push(backed_up(set.clone()));
    commit(&house.store, &[change]).await.unwrap();

    let restore = |kinds: &[&str], replacement| {
        let kinds = kinds.iter().map(|kind| Kind((*kind).into())).collect();
        start(&["iad-2"], Wanted::Restore { backup: 1, kinds, replacement })
    };
    let refused = house.client.post::<Vec<Begun>>("/runs", &restore(&[], false)).await.unwrap_err();
    assert!(
        refused.error.contains("of device \"iad-1\"") && refused.next.contains("--replacement"),
        "{refused}"
    );
    let refused = house.client.post::<Vec<Begun>>("/runs", &restore(&["port-data"], true)).await.unwrap_err();
    assert!(refused.error.contains("holds no port-data") && refused.next.contains("user-data"), "{refused}");
    house.client.post::<Vec<Begun>>("/runs", &restore(&["user-data"], true)).await.unwrap();
    assert!(!played.is_finished());
    house.client.post::<Vec<Begun>>("/runs", &restore(&[], true)).await.unwrap();
    for asked in played.await.unwrap() {
        assert!(matches!(asked, Command::Start { goal: Goal::Restore { set: asked }, .. } if asked == set));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_asked_for_is_refused_with_what_there_is() {
    let mut house = house().await;
    let device = add_device(&house.store, "iad-1").await;
    let going = run(1, device, "iad-1");
    commit(&house.store, &[write(going.clone(), 1)]).await.unwrap();
    let answer_to = async |house: &House, asked_at: Option<Time>, answer: AnswerRequest| {
        let answer = AnswerRun { asked_at, answer };
        house.client.post::<()>("/runs/1/answer", &answer).await.unwrap_err().error
    };
    let answer = async |house: &House, answer: AnswerRequest| answer_to(house, None, answer).await;
    assert_eq!(answer(&house, AnswerRequest::Again).await, "run 1 of iad-1 asks nothing now");
    commit(&house.store, &[write(asking(going.clone(), &[AnswerKind::End]), 2)]).await.unwrap();
    assert_eq!(answer(&house, AnswerRequest::Again).await, "run 1 of iad-1 cannot take that answer");
    // Whoever answers was asked something before.
    assert_eq!(
        answer_to(&house, Some(Time::from_millis(1)), AnswerRequest::End).await,
        "run 1 of iad-1 asks something else by now"
    );
    commit(&house.store, &[write(ended(going), 3)]).await.unwrap();
    assert_eq!(answer(&house, AnswerRequest::End).await, "run 1 of iad-1 is over: succeeded");
    let cancelled = house.client.post::<()>("/runs/1/cancel", &()).await.unwrap_err();
    assert_eq!(cancelled.error, "run 1 of iad-1 is over: succeeded");
    assert_eq!(
        house.client.post::<()>("/runs/9/cancel", &()).await.unwrap_err().error,
        "there is no run \"9\""
    );
    assert!(house.nothing_was_asked());
}

#[tokio::test]
async fn edited_files_reach_the_run_once_they_are_stored_whole() {
    let (house, played) = with_status(house().await);
    let device = add_device(&house.store, "iad-1").await;
    let kind = Kind("user-data".into());
    let held = house.files.add(&mut &b"before"[..]).unwrap();
    let mut asks = asking(run(1, device, "iad-1"), &[AnswerKind::Edited]);
    asks.backup = Some(ConfigurationSet {
        files: BTreeMap::from([(kind.clone(), held)]),
        ..ConfigurationSet::default()
    });
    commit(&house.store, &[write(asks, 1)]).await.unwrap();
    let stored = house.files.add(&mut &b"edited"[..]).unwrap();
    let edited = |files: &BTreeMap<Kind, StoredFile>, of| {
        let answer = AnswerRequest::Edited { files: files.clone(), of };
        AnswerRun { asked_at: None, answer }
    };
    let lie = edited(&BTreeMap::from([(kind.clone(), StoredFile { size: 7, ..stored })]), None);
    assert!(
        house.client.post::<()>("/runs/1/answer", &lie).await.unwrap_err().error.contains("6 bytes, not 7")
    );
    let files = BTreeMap::from([(kind.clone(), stored)]);
    // They were edited from what was backed up before.
    let old = edited(&files, Some(BTreeMap::from([(kind.clone(), Digest([9; 32]))])));
    let refused = house.client.post::<()>("/runs/1/answer", &old).await.unwrap_err().error;
    assert!(refused.contains("before the settings of iad-1 changed"), "{refused}");
    let todays = edited(&files, Some(BTreeMap::from([(kind, held.digest)])));
    house.client.post::<()>("/runs/1/answer", &todays).await.unwrap();
    let asked = played.await.unwrap();
    assert!(matches!(&asked[..], [Command::Answer { answer: Answer::Edited(given), .. }] if *given == files));
}

#[tokio::test]
async fn who_watches_reads_the_story_without_gap_or_doubling_and_to_its_end() {
    let house = house().await;
    let device = add_device(&house.store, "iad-1").await;
    let going = run(1, device, "iad-1");
    commit(&house.store, &[write(going.clone(), 1)]).await.unwrap();
    let mut lines: Lines<Told> = house.client.lines("/runs/watch?runs=1").await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap().n, 1, "what was told before");
    let progress = Story::Progress { step: Step::BackingUp, percent: 40 };
    house.tell(&going, 1, progress.clone()).await;
    assert_eq!(lines.next().await.unwrap().unwrap().story, progress);
    house.tell(&going, 1, Story::Begun).await;
    // The second and third are stored, but only the third is told: a listener that lagged.
    commit(&house.store, &[write(going.clone(), 2)]).await.unwrap();
    let mut last = write(ended(going.clone()), 3);
    let State::Ended(ending) = last.run.state.clone() else { panic!("it ended") };
    last.stories[0].story = Story::Ended(ending.clone());
    commit(&house.store, &[last]).await.unwrap();
    house.tell(&going, 3, Story::Ended(ending)).await;
    assert_eq!(lines.next().await.unwrap().unwrap().n, 2, "read from the store");
    let told = lines.next().await.unwrap().unwrap();
    assert!(matches!((told.n, told.story), (3, Story::Ended(_))));
    assert_eq!(lines.next().await.unwrap(), None, "and that was all");

    let mut again: Lines<Told> = house.client.lines("/runs/watch?runs=1&after=2").await.unwrap();
    assert_eq!(again.next().await.unwrap().unwrap().n, 3, "who knows two is told the third");
    assert_eq!(again.next().await.unwrap(), None);
    let mut done: Lines<Told> = house.client.lines("/runs/watch?runs=1&after=3").await.unwrap();
    assert_eq!(done.next().await.unwrap(), None, "who knows all is not left waiting");
}

#[tokio::test]
async fn notifications_are_tailed_from_the_store_and_then_as_they_come() {
    let house = house().await;
    house.store.commit(now(), &[], &[trap(1), trap(2), trap(3)], &profiles()).await.unwrap();
    let mut lines: Lines<Trap> = house.client.lines("/traps?last=2&follow=true").await.unwrap();
    assert_eq!(lines.next().await.unwrap(), Some(trap(2)));
    assert_eq!(lines.next().await.unwrap(), Some(trap(3)));
    house.loop_side.traps.send(trap(3)).unwrap();
    house.loop_side.traps.send(trap(4)).unwrap();
    assert_eq!(lines.next().await.unwrap(), Some(trap(4)), "what came both ways is shown once");
    let mut kept: Lines<Trap> = house.client.lines("/traps?last=1&follow=false").await.unwrap();
    assert_eq!(kept.next().await.unwrap(), Some(trap(3)));
    assert_eq!(kept.next().await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_in_a_sentence() {
    let house = house().await;
    let refused = house.client.post::<Vec<Begun>>("/runs", &"backup everything").await.unwrap_err();
    assert!(refused.error.contains("cannot be understood") && !refused.next.is_empty(), "{refused}");
    let refused = house.client.get::<()>("/toasters").await.unwrap_err();
    assert_eq!(refused.error, "there is no resource GET /toasters");
    let refused = house.client.lines::<Told>("/runs/watch?runs=1,x").await.unwrap_err();
    assert!(refused.error.contains("\"x\" is no number"), "{refused}");
    assert!(
        house.client.get::<Vec<RunRecord>>("/runs?device=a%2Fb").await.unwrap_err().error.contains("a/b")
    );
}

#[tokio::test]
async fn a_daemon_that_stops_says_so() {
    let mut house = house().await;
    let (_, spare) = channel();
    drop(std::mem::replace(&mut house.loop_side, spare));
    let refused = house.client.get::<Status>("/status").await.unwrap_err();
    assert_eq!(refused.error, "the daemon is stopping");
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_never_taken_from_one_that_lives() {
    let house = house().await;
    let mode = std::fs::metadata(&house.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(api::bind(&house.socket).await, Err(SocketError::InUse(_))));

    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let listener = api::bind(&stale).await.expect("a socket that nobody listens to is taken over");
    assert!(tokio::net::UnixStream::connect(&stale).await.is_ok());
    drop(listener);

    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "notes").unwrap();
    assert!(matches!(api::bind(&file).await, Err(SocketError::NoSocket(_))));
    assert_eq!(std::fs::read(&file).unwrap(), b"notes");
    let too_long = folder.path().join("x".repeat(200));
    let error = api::bind(&too_long).await.unwrap_err();
    assert!(error.next().contains("--socket"), "{error}");
}
