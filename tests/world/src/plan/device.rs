//! Draws devices, what is wanted of them, and how their operators react.

use iad_sim::device::{Capabilities, Settings, Timing};
use upgrade::Protocol;
use upgrade::run::Policy;

use super::{DevicePlan, Errand, Reaction, Wanted};
use crate::images::Quality;
use crate::random::Random;

pub(super) fn draw(random: &mut Random, place: usize) -> DevicePlan {
    let number = 1 + u32::try_from(place).unwrap_or(0);
    let capabilities = Capabilities {
        needs_reset: random.permille(700),
        convert: random.permille(800),
        ..Capabilities::default()
    };
    let timing = Timing {
        boot: random.span(1_000, 20_000),
        erase: random.span(0, 3_000),
        flash_bytes_per_second: if random.permille(500) { 0 } else { random.between(4_000, 60_000) },
        activate: random.span(0, 2_000),
        convert: random.span(0, 2_000),
        apply: random.span(0, 2_000),
        watchdog: random.span(1_000, 10_000),
        call: random.span(10_000, 120_000),
    };
    let calls = if random.permille(300) { u32::try_from(random.below(4)).unwrap_or(0) } else { 0 };
    let settings =
        Settings { capabilities, timing, calls, buffer_capacity: 128 * 1024, ..Settings::numbered(number) };
    let more = u64::from(random.permille(250)) + u64::from(random.permille(100));
    let errands = (0..1 + more).map(|turn| errand(random, turn == 0)).collect();
    let answers = (0..random.below(5)).map(|_| reaction(random)).collect();
    let protocol = if random.permille(250) { Protocol::Ftp } else { Protocol::Tftp };
    DevicePlan { settings, informs: random.permille(200), errands, protocol, answers }
}

fn errand(random: &mut Random, first: bool) -> Errand {
    let wanted = match random.below(20) {
        0..12 => {
            let bad = random.permille(350);
            let qualities: &[Quality] = if bad {
                &[Quality::Loops, Quality::Hangs, Quality::Unhealthy, Quality::Junk]
            } else {
                &[
                    Quality::Good,
                    Quality::Good,
                    Quality::TwoFiles,
                    Quality::ConvertsItself,
                    Quality::ConvertedByManager,
                    Quality::EditedByOperator,
                ]
            };
            Wanted::Upgrade(random.one_of(qualities).copied().unwrap_or(Quality::Good))
        }
        12 | 13 => Wanted::Backup,
        14..17 if !first => Wanted::Restore,
        17 | 18 if !first => Wanted::RollBack,
        _ => Wanted::Reset,
    };
    let policy = match random.below(10) {
        0..6 => Policy::Ask,
        6..8 => Policy::Auto(u32::try_from(1 + random.below(2)).unwrap_or(1)),
        _ => Policy::Never,
    };
    let question_limit_ms = random.permille(200).then(|| random.between(10_000, 600_000));
    // Only an upgrade may be told when to restart.
    let held = random.permille(200).then(|| random.span(1_000, 300_000));
    let held = held.filter(|_| matches!(wanted, Wanted::Upgrade(_)));
    Errand { wanted, at: random.span(0, 20_000), policy, question_limit_ms, held }
}

fn reaction(random: &mut Random) -> Reaction {
    match random.below(12) {
        0..5 => Reaction::Again,
        5..7 => Reaction::GoodImage,
        7 | 8 => Reaction::Edited,
        9 => Reaction::End,
        10 => Reaction::Cancel,
        _ => Reaction::Never,
    }
}
