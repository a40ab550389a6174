//! Whatever happens in whatever order: a run never panics, never gets stuck, is stored and read back the same, and
//! leaves no question open on a device that is not as before. All of that the world checks after each event; here it is
//! given hundreds of random stories. A story that fails is told by its seed, and played again with `SEED=n`.

use std::time::Duration;

use upgrade::operation::{Notice, Seen};
use upgrade::profile::{Command, ConvertedBy, NotificationKind};
use upgrade::run::{Answer, Choices, Event, Goal, Policy, State};
use upgrade::{ConfigurationSet, Reading, TicketName};

use crate::device::{Fault, file};
use crate::world::{World, all_converted, choices, image, with_converter};

/// Set `STORIES=n` for more.
const STORIES: u64 = 300;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }
}

#[test]
fn any_story_comes_to_an_end() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            let more = std::env::var("STORIES").ok().and_then(|count| count.parse().ok());
            (0..more.unwrap_or(STORIES)).collect()
        }
    };
    for seed in seeds {
        let told = std::panic::catch_unwind(|| story(seed));
        if let Err(panic) = told {
            eprintln!("the story with SEED={seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
}

fn story(seed: u64) {
    let mut random = Random(seed);
    let mut world = beginning(&mut random).begin();
    let troubles = random.below(400);
    for _ in 0..troubles {
        if world.run.is_over() {
            return;
        }
        trouble(&mut world, &mut random);
        for _ in 0..random.below(4) {
            world.next();
        }
    }
    // From now on all goes well, and an operator is there.
    world.device.faults.clear();
    world.device.silent_until = world.device.silent_until.min(world.now + Duration::from_secs(60));
    world.converter = Some(Ok(()));
    for _ in 0..200 {
        world.until(|world| world.run.is_over() || matches!(world.run.state, State::Asking(_)));
        if world.run.is_over() {
            return;
        }
        let answer = answer(&mut world, &mut random);
        world.give(&Event::Answered(answer));
    }
    panic!("it never ends: {}", world.told());
}

fn beginning(random: &mut Random) -> World {
    let kinds = crate::world::profile().all_kinds();
    let files = kinds.into_iter().map(|kind| (kind.clone(), file(&format!("last year's {kind}")))).collect();
    let set = ConfigurationSet { format: Some(1), revision: None, files };
    let format = 1 + u32::try_from(random.below(2)).unwrap();
    let upgrade = Goal::Upgrade { image: with_converter(image("2.0", format)).into() };
    let goal = random.pick(&[
        upgrade.clone(),
        upgrade.clone(),
        upgrade,
        Goal::Backup,
        Goal::Restore { set },
        Goal::RollBack,
        Goal::Reset,
    ]);
    let policy = random.pick(&[Policy::Ask, Policy::Auto(3), Policy::Never]);
    let question_limit_ms = random.pick(&[None, Some(100_000)]);
    let mut world = World::new(goal, Choices { policy, question_limit_ms, ..choices() });
    world.device.image.1 = format;
    world.profile.conversion =
        vec![random.pick(&[ConvertedBy::Device, ConvertedBy::Manager, ConvertedBy::Operator])];
    world.notified = random.one_in(2);
    world.device.keeps_admission = random.one_in(4);
    if random.one_in(4) {
        world.device.capabilities.remove(&upgrade::reading::Capability::NeedsReset);
    }
    world
}

fn trouble(world: &mut World, random: &mut Random) {
    let asked = world.run.asked.wrapping_sub(u32::try_from(random.below(3)).unwrap());
    let stale = asked != world.run.asked;
    match random.below(24) {
        0..4 => {
            let command = random.pick(&[
                Command::ConfigureServer,
                Command::Backup,
                Command::Download,
                Command::Activate,
                Command::Reset,
                Command::RollBack,
                Command::Convert,
                Command::Restore,
                Command::Confirm,
                Command::CloseCalls,
                Command::Abort,
            ]);
            let fault = random.pick(&[
                Fault::SetLost,
                Fault::AnswerLost,
                Fault::Refuse,
                Fault::Fail("bad luck"),
                Fault::Hang,
                Fault::PowerLoss,
                Fault::Truncate,
                Fault::Alter,
                Fault::NothingCame,
                Fault::Pretend,
                Fault::FallBack,
            ]);
            world.device.faults.entry(command).or_default().push_back(fault);
        }
        4 => world.kill_manager(),
        5 => drop(world.give(&Event::Cancelled)),
        6 => drop(world.give(&Event::StopOperation)),
        7 if !world.device.is_silent(world.now) => world.device.lose_power(world.now),
        8 => world.device.silent_until = world.now + Duration::from_secs(random.below(300)),
        9 => world.device.healthy = random.one_in(2),
        10 => world.device.calls = u32::try_from(random.below(3)).unwrap(),
        11 if stale => drop(world.give(&Event::Read { asked, reading: Reading::default().into() })),
        12 if stale => drop(world.give(&Event::Accepted { asked })),
        13 if stale => drop(world.give(&Event::Unanswered { asked })),
        14 => drop(world.give(&Event::Tick)),
        15 => {
            let kind = random.pick(&[
                NotificationKind::Done,
                NotificationKind::Failed,
                NotificationKind::Restarted,
                NotificationKind::Progress,
            ]);
            let progress = Some(u8::try_from(random.below(256)).unwrap());
            world.give(&Event::Notified(Notice { kind, operation: None, progress }));
        }
        16 => {
            let name = TicketName(format!("guessed-{}", random.next()));
            world.give(&Event::Transferred { name, seen: Seen::Begun });
        }
        17 => drop(world.give(&Event::TicketsReady)),
        18 | 19 if matches!(world.run.state, State::Asking(_)) => {
            let answer = answer(world, random);
            world.give(&Event::Answered(answer));
        }
        20 => drop(world.give(&Event::Answered(Answer::Edited(all_converted(&world.before.1))))),
        21 => world.device.hides_software = random.one_in(4),
        22 => world.leave_device_alone(Duration::from_secs(random.below(100))),
        _ => {}
    }
}

fn answer(world: &mut World, random: &mut Random) -> Answer {
    let edited = Answer::Edited(all_converted(&world.run.backed_up()));
    random.pick(&[Answer::Again, Answer::Again, edited, Answer::End])
}
