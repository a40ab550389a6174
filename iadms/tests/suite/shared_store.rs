//! What every store must do, whatever is beneath it. Each test takes a store and may use it as it likes.

use engine::director::Told;
use iadms::credential::{SealedUser, UserEntry};
use iadms::inventory::{Community, SnmpVersion};
use iadms::seal::{KeyId, Sealed};
use iadms::store::{NorthboundTarget, Owed, RunFilter, Store, StoreError};
use snmp::usm::{Authentication, EngineId, Privacy};
use upgrade::image::{ImageFile, Manifest};
use upgrade::run::{BackedUp, Expected, Story};
use upgrade::{DeviceId, Digest, Image, RunId, Time};

use crate::samples::{
    add_device, backed_up, commit, configuration, ended, entry, now, profiles, run, trap, write,
};

pub(crate) async fn devices_are_added_all_or_none(store: &Store) {
    add_device(store, "iad-2").await;
    let error = store.add_devices(&[entry("iad-1"), entry("iad-2"), entry("iad-3")]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Taken { name, .. } if name == "iad-2"), "{error}");
    let names: Vec<_> = store.devices().await.unwrap().into_iter().map(|device| device.entry.name).collect();
    assert_eq!(names, ["iad-2"], "of the others none was added");
    assert_eq!(store.device("iad-2").await.unwrap().entry, entry("iad-2"), "it comes back as it was given");
    assert!(matches!(store.device("iad-9").await, Err(StoreError::Unknown { .. })));
}

pub(crate) async fn only_a_replaced_unit_is_forgotten(store: &Store) {
    add_device(store, "iad-1").await;
    store.note_unique_id("iad-1", "0000-1").await.unwrap();
    let mut changed = entry("iad-1");
    changed.access.read_community = Community("other".into());
    changed.access.address = [192, 0, 2, 8].into();
    store.change_device(&changed, false).await.unwrap();
    let device = store.device("iad-1").await.unwrap();
    assert_eq!((device.unique_id.as_deref(), &device.entry), (Some("0000-1"), &changed));
    store.change_device(&changed, true).await.unwrap();
    let device = store.device("iad-1").await.unwrap();
    assert_eq!((device.unique_id, device.entry), (None, changed));
}

pub(crate) async fn a_device_with_a_history_is_not_removed(store: &Store) {
    let device = add_device(store, "iad-1").await;
    add_device(store, "iad-2").await;
    commit(store, &[write(ended(run(1, device, "iad-1")), 1)]).await.unwrap();
    assert!(matches!(store.remove_device("iad-1").await, Err(StoreError::Referred { .. })));
    store.remove_device("iad-2").await.unwrap();
    assert!(matches!(store.remove_device("iad-2").await, Err(StoreError::Unknown { .. })));
}

pub(crate) async fn a_run_comes_back_with_its_log_and_its_profile(store: &Store) {
    let device = add_device(store, "iad-1").await;
    assert_eq!(store.next_run().await.unwrap(), RunId(1));
    let mut begun = run(1, device, "iad-1");
    commit(store, &[write(begun.clone(), 1)]).await.unwrap();
    begun.operations = 1;
    let mut change = write(begun.clone(), 2);
    change.unique_id = Some("0000-1".into());
    commit(store, &[change]).await.unwrap();

    let open = store.open_runs().await.unwrap().readable;
    let [open] = &open[..] else { panic!("one run is open, not {open:?}") };
    assert_eq!((&open.run, open.seq, open.told), (&begun, 2, 2));
    assert_eq!(iadms::profiles::restored(&open.profile).unwrap(), *profiles().get("iad").unwrap().profile);
    assert_eq!(store.stories(RunId(1), 1).await.unwrap().len(), 1, "only what is after the first");
    let events = store.events(RunId(1)).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 1, 2, 2]);
    assert_eq!(store.device("iad-1").await.unwrap().unique_id.as_deref(), Some("0000-1"));

    commit(store, &[write(ended(begun), 3)]).await.unwrap();
    assert!(store.open_runs().await.unwrap().readable.is_empty());
    assert_eq!(store.next_run().await.unwrap(), RunId(2));
    assert!(store.run(RunId(1)).await.unwrap().run.is_over());
}

pub(crate) async fn who_was_overtaken_writes_nothing(store: &Store) {
    let device = add_device(store, "iad-1").await;
    let other = add_device(store, "iad-2").await;
    let one = run(1, device, "iad-1");
    commit(store, &[write(one.clone(), 1)]).await.unwrap();
    commit(store, &[write(one.clone(), 2)]).await.unwrap();
    let mut late = write(one.clone(), 2);
    late.backups.push(backed_up(configuration()));
    let error = commit(store, &[write(run(2, other, "iad-2"), 1), late]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(RunId(1))), "{error}");
    assert_eq!(store.run(RunId(1)).await.unwrap().seq, 2);
    assert!(matches!(store.run(RunId(2)).await, Err(StoreError::Unknown { .. })), "nor anything beside it");
    assert!(store.backups(None, 10).await.unwrap().is_empty());
    assert!(
        matches!(commit(store, &[write(one, 1)]).await, Err(StoreError::Conflict(RunId(1)))),
        "nor begins twice"
    );
}

pub(crate) async fn a_run_that_is_over_changes_no_more(store: &Store) {
    let device = add_device(store, "iad-1").await;
    let one = run(1, device, "iad-1");
    commit(store, &[write(ended(one.clone()), 1)]).await.unwrap();
    assert!(matches!(commit(store, &[write(one, 2)]).await, Err(StoreError::Conflict(RunId(1)))));
}

pub(crate) async fn a_device_is_in_one_run_at_a_time(store: &Store) {
    let device = add_device(store, "iad-1").await;
    commit(store, &[write(run(1, device, "iad-1"), 1)]).await.unwrap();
    let error = commit(store, &[write(run(2, device, "iad-1"), 1)]).await.unwrap_err();
    assert_eq!(error.to_string(), "device iad-1 is in run 1, which is not over");
    assert!(error.next().contains("run cancel 1"), "{}", error.next());
    commit(store, &[write(ended(run(1, device, "iad-1")), 2)]).await.unwrap();
    commit(store, &[write(run(2, device, "iad-1"), 1)]).await.unwrap();
    let unknown = commit(store, &[write(run(3, DeviceId(99), "iad-99"), 1)]).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no device \"iad-99\"");
}

pub(crate) async fn one_commit_ends_a_run_and_begins_the_next_of_its_device(store: &Store) {
    let device = add_device(store, "iad-1").await;
    commit(store, &[write(run(1, device, "iad-1"), 1)]).await.unwrap();
    let both = [write(ended(run(1, device, "iad-1")), 2), write(run(2, device, "iad-1"), 1)];
    commit(store, &both).await.unwrap();
    let listed = store.runs(&RunFilter { most: 10, ..RunFilter::default() }).await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.id().0).collect::<Vec<_>>(), [2, 1]);
    let open = store.runs(&RunFilter { most: 10, open: true, ..RunFilter::default() }).await.unwrap();
    assert_eq!(open.iter().map(|listed| listed.id().0).collect::<Vec<_>>(), [2]);
}

pub(crate) async fn of_many_runs_in_one_commit_the_one_in_conflict_is_named_and_nothing_is_stored(
    store: &Store,
) {
    let mut begun = Vec::new();
    for id in 1..=75 {
        let name = format!("iad-{id}");
        begun.push(run(id, add_device(store, &name).await, &name));
    }
    let all = |seq| begun.iter().map(move |run| write(run.clone(), seq)).collect::<Vec<_>>();
    commit(store, &all(1)).await.unwrap();
    // Somebody else went on with one of them.
    commit(store, &[write(begun[40].clone(), 2)]).await.unwrap();
    let error = commit(store, &all(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(RunId(41))), "{error}");
    for (id, seq) in [(1, 1), (41, 2), (75, 1)] {
        assert_eq!(store.run(RunId(id)).await.unwrap().seq, seq);
    }
}

pub(crate) async fn runs_are_found_by_device_and_by_what_they_wait_for(store: &Store) {
    let device = add_device(store, "iad-1").await;
    let other = add_device(store, "iad-2").await;
    for id in 1..=3 {
        commit(store, &[write(ended(run(id, device, "iad-1")), 1)]).await.unwrap();
    }
    let mut asking = run(4, device, "iad-1");
    asking.state = upgrade::run::State::Asking(upgrade::run::Question {
        failure: None,
        answers: vec![upgrade::run::AnswerKind::End],
        asked_at: now(),
        limit: None,
        lost: false,
    });
    commit(store, &[write(asking, 1), write(run(5, other, "iad-2"), 1)]).await.unwrap();
    let found = async |filter: RunFilter| -> Vec<u64> {
        store.runs(&filter).await.unwrap().into_iter().map(|listed| listed.id().0).collect()
    };
    let all = RunFilter { most: 100, ..RunFilter::default() };
    assert_eq!(found(all.clone()).await, [5, 4, 3, 2, 1]);
    assert_eq!(found(RunFilter { most: 2, ..all.clone() }).await, [5, 4]);
    assert_eq!(found(RunFilter { open: true, ..all.clone() }).await, [5, 4]);
    assert_eq!(found(RunFilter { asking: true, ..all.clone() }).await, [4]);
    assert_eq!(found(RunFilter { device: Some(other), ..all }).await, [5]);
}

pub(crate) async fn backups_are_kept_and_numbered(store: &Store) {
    let device = add_device(store, "iad-1").await;
    let mut change = write(run(1, device, "iad-1"), 1);
    let of_a_trial = BackedUp { version: Some("2.0".into()), ..backed_up(configuration()) };
    change.backups = vec![backed_up(configuration()), of_a_trial];
    let kept = store.commit(now(), &[change], &[], &profiles()).await.unwrap();
    assert_eq!(kept.iter().map(|kept| kept.backup).collect::<Vec<_>>(), [1, 2]);
    let backup = store.backup(2).await.unwrap();
    assert_eq!((backup.set, backup.device.as_str(), backup.run), (configuration(), "iad-1", RunId(1)));
    let listed = store.backups(Some(device), 10).await.unwrap();
    let versions: Vec<_> = listed.iter().map(|backup| backup.version.as_deref()).collect();
    assert_eq!(versions, [Some("2.0"), Some("1.0")]);
    assert!(matches!(store.backup(3).await, Err(StoreError::Unknown { .. })));
}

pub(crate) async fn what_a_device_is_known_by_is_kept_with_its_run_and_is_nobody_else_s(store: &Store) {
    let devices = [add_device(store, "iad-1").await, add_device(store, "iad-2").await];
    let engine = EngineId::of_text(32473, "one");
    for (number, device) in (1..).zip(devices) {
        let mut change = write(run(number, device, "iad"), 1);
        (change.unique_id, change.engine) = (Some(format!("unit {number}")), Some(engine));
        commit(store, &[change]).await.unwrap();
    }
    let known = store.devices().await.unwrap();
    let known: Vec<_> =
        known.iter().map(|known| (known.unique_id.as_deref(), known.engine_id.as_deref())).collect();
    let engine = engine.to_string();
    assert_eq!(known, [(Some("unit 1"), None), (Some("unit 2"), Some(&*engine))]);
}

pub(crate) async fn a_device_is_expected_as_the_last_run_of_the_same_unit_left_it(store: &Store) {
    let device = add_device(store, "iad-1").await;
    assert_eq!(store.expected(device, None).await.unwrap(), None, "no run knows anything of it");
    let left = |id, version: &str| {
        let mut run = ended(run(id, device, "iad-1"));
        run.device.unique_id = Some("0000-1".into());
        run.expected = Some(Expected {
            version: version.into(),
            buffer: None,
            other_version: None,
            other: Some(configuration()),
            unkept: false,
            restored: false,
        });
        run
    };
    commit(store, &[write(left(1, "1.0"), 1)]).await.unwrap();
    commit(store, &[write(left(2, "2.0"), 1)]).await.unwrap();
    let expected = Expected {
        version: "2.0".into(),
        buffer: None,
        other_version: None,
        other: Some(configuration()),
        unkept: false,
        restored: false,
    };
    assert_eq!(store.expected(device, Some("0000-1")).await.unwrap(), Some(expected));
    for other in [None, Some("0000-2")] {
        assert_eq!(store.expected(device, other).await.unwrap(), None, "the unit was replaced");
    }
    let other = add_device(store, "iad-2").await;
    assert_eq!(store.expected(other, Some("0000-1")).await.unwrap(), None);
}

pub(crate) async fn notifications_are_kept_with_what_they_brought_about_and_bounded(store: &Store) {
    let many: Vec<_> = (0..10_050).map(trap).collect();
    store.commit(now(), &[], &many, &profiles()).await.unwrap();
    let all = store.notifications(20_000).await.unwrap();
    assert_eq!(all.len(), 10_000);
    assert_eq!(all.first(), Some(&trap(50)), "the oldest went");
    let last = store.notifications(2).await.unwrap();
    assert_eq!(last, [trap(10_048), trap(10_049)], "oldest first");
}

pub(crate) async fn the_last_time_stored_never_goes_back(store: &Store) {
    assert_eq!(store.last_time().await.unwrap(), Time::default());
    let later = Time::from_millis(now().as_millis() + 5);
    store.commit(later, &[], &[], &profiles()).await.unwrap();
    store.commit(now(), &[], &[], &profiles()).await.unwrap();
    assert_eq!(store.last_time().await.unwrap(), later);
}

pub(crate) async fn images_and_targets_have_names_of_their_own(store: &Store) {
    let file = ImageFile { name: "main.img".into(), size: 9, sha256: Digest([3; 32]) };
    let manifest = Manifest {
        version: "2.0".into(),
        hardware: vec!["iad-8".into()],
        format: Some(2),
        from: Vec::new(),
        converter: None,
        files: vec![file],
    };
    let image = Image { name: "iad-2.0".into(), manifest, digest: Digest([4; 32]) };
    store.add_image(&image, now()).await.unwrap();
    assert!(matches!(store.add_image(&image, now()).await, Err(StoreError::Taken { .. })));
    assert_eq!(store.image("iad-2.0").await.unwrap().image, image);
    assert_eq!(store.images().await.unwrap().len(), 1);

    let target = NorthboundTarget {
        name: "noc".into(),
        address: "[2001:db8::1]:162".parse().unwrap(),
        community: Community("noc".into()),
        inform: true,
        repeats: 3,
        timeout_ms: 1500,
    };
    store.add_target(&target).await.unwrap();
    assert!(matches!(store.add_target(&target).await, Err(StoreError::Taken { .. })));
    assert_eq!(store.targets().await.unwrap(), std::slice::from_ref(&target));
    assert_eq!(store.target("noc").await.unwrap(), target);
    store.remove_target("noc").await.unwrap();
    assert!(matches!(store.remove_target("noc").await, Err(StoreError::Unknown { .. })));
}

pub(crate) async fn a_centre_is_owed_a_story_until_it_was_told(store: &Store) {
    let device = add_device(store, "iad-1").await;
    let told = |n, story| Told { run: RunId(1), device: "iad-1".into(), at: now(), n, story };
    let mut begun = write(run(1, device, "iad-1"), 1);
    begun.stories = vec![told(1, Story::Begun), told(2, Story::Resumed)];
    let target = |name: &str| NorthboundTarget {
        name: name.into(),
        address: ([192, 0, 2, 9], 162).into(),
        community: Community("public".into()),
        inform: true,
        repeats: 3,
        timeout_ms: 1000,
    };
    for name in ["east", "west"] {
        store.add_target(&target(name)).await.unwrap();
    }
    commit(store, &[begun]).await.unwrap();
    let owed = |target: &str| Owed { run: RunId(1), n: 1, target: target.into() };
    assert_eq!(store.owed().await.unwrap(), [owed("east"), owed("west")], "of what is worth telling");
    store.no_longer_owed(&[owed("east")]).await.unwrap();
    assert_eq!(store.owed().await.unwrap(), [owed("west")]);
    store.remove_target("west").await.unwrap();
    assert_eq!(store.owed().await.unwrap(), []);
}

/// A user whose secrets are these bytes; nobody looks into them here.
fn sealed(user: &str, secrets: &[u8]) -> SealedUser {
    SealedUser {
        entry: UserEntry {
            user: user.into(),
            authentication: Some(Authentication::Sha512),
            privacy: Some(Privacy::Aes256Reeder),
        },
        since: now(),
        secrets: Sealed { key: KeyId("0011aabb".into()), bytes: secrets.to_vec() },
    }
}

pub(crate) async fn credentials_are_rotated_with_a_way_back_and_kept_while_devices_need_them(store: &Store) {
    let (first, second) = (sealed("anna", b"first"), sealed("anna", b"second"));
    store.add_credential("north", &first).await.unwrap();
    assert!(matches!(store.add_credential("north", &second).await, Err(StoreError::Taken { .. })));
    let mut asked = entry("iad-1");
    asked.access.version = SnmpVersion::V3;
    (asked.access.read_community, asked.access.write_community) = Default::default();
    asked.access.credential = Some("south".into());
    let missing = store.add_devices(std::slice::from_ref(&asked)).await.unwrap_err();
    assert!(
        matches!(&missing, StoreError::Unknown { what: "credential", name } if name == "south"),
        "{missing}"
    );
    asked.access.credential = Some("north".into());
    store.add_devices(std::slice::from_ref(&asked)).await.unwrap();
    assert_eq!(store.device("iad-1").await.unwrap().entry, asked);
    assert!(matches!(
        store.remove_credential("north").await,
        Err(StoreError::Referred { by: "devices", .. })
    ));

    let known = async || {
        let known = store.credential("north").await.unwrap();
        (known.user, known.former, known.devices)
    };
    assert_eq!(known().await, (first.clone(), None, 1));
    assert!(matches!(store.finish_rotation("north").await, Err(StoreError::NotRotating(_))));
    store.rotate_credential("north", &second).await.unwrap();
    assert_eq!(known().await, (second.clone(), Some(first.clone()), 1));
    // A third one would put the first out of reach, which devices may have still.
    assert!(matches!(store.rotate_credential("north", &first).await, Err(StoreError::Rotating(_))));
    store.undo_rotation("north").await.unwrap();
    assert_eq!(known().await, (first.clone(), None, 1));
    store.rotate_credential("north", &second).await.unwrap();
    store.finish_rotation("north").await.unwrap();
    assert_eq!(known().await, (second, None, 1));
    store.replace_credential("north", &first).await.unwrap();
    assert_eq!(known().await, (first.clone(), None, 1));
    for nobody in [
        store.rotate_credential("south", &first).await,
        store.replace_credential("south", &first).await,
        store.undo_rotation("south").await,
        store.remove_credential("south").await,
    ] {
        assert!(matches!(nobody, Err(StoreError::Unknown { what: "credential", .. })), "{nobody:?}");
    }
    assert_eq!(store.credentials().await.unwrap().len(), 1);
    store.change_device(&entry("iad-1"), false).await.unwrap();
    store.remove_credential("north").await.unwrap();
    assert!(store.credentials().await.unwrap().is_empty());
}

pub(crate) async fn an_engine_speaks_for_one_device(store: &Store) {
    let (first, second) = (add_device(store, "iad-1").await, add_device(store, "iad-2").await);
    store.add_credential("north", &sealed("anna", b"first")).await.unwrap();
    let engine = async |name: &str| store.device(name).await.unwrap().engine_id;
    store.note_engine_id(first, "80007ed904aa").await.unwrap();
    assert_eq!((engine("iad-1").await.as_deref(), engine("iad-2").await), (Some("80007ed904aa"), None));
    store.note_engine_id(second, "80007ed904aa").await.unwrap();
    assert_eq!((engine("iad-1").await, engine("iad-2").await.as_deref()), (None, Some("80007ed904aa")));
    // Who is no more asked by SNMPv3 has none, and neither has the unit that takes its place.
    let mut asked = entry("iad-2");
    asked.access.credential = Some("north".into());
    store.change_device(&asked, false).await.unwrap();
    assert!(engine("iad-2").await.is_some());
    store.change_device(&asked, true).await.unwrap();
    assert!(engine("iad-2").await.is_none());
    store.note_engine_id(second, "80007ed904aa").await.unwrap();
    store.change_device(&entry("iad-2"), false).await.unwrap();
    assert!(engine("iad-2").await.is_none());
}
