//! Whatever the link does to packets, the bytes are equal at the end and the repetitions are bounded.

mod link;

use core::time::Duration;

use link::{Random, Setting, Weather, World};
use tftp::{Direction, Mode, Options};

fn options(block_size: u16, window_size: u16) -> Options {
    Options {
        block_size: Some(block_size),
        window_size: Some(window_size),
        transfer_size: Some(0),
        timeout_s: None,
    }
}

/// Both sides end well and the file is whole.
fn assert_whole(world: &mut World, story: &str) {
    let size = world.file.len() as u64;
    assert!(world.stored == world.file, "{story}: the bytes differ");
    assert_eq!(world.receiver().outcome(), Some(&Ok(size)), "{story}");
    assert_eq!(world.sender().outcome(), Some(&Ok(size)), "{story}");
}

#[test]
fn up_to_three_in_ten_packets_lost_doubled_and_reordered() {
    for seed in 0..400 {
        let mut random = Random(seed);
        let direction = if random.below(2) == 0 { Direction::Read } else { Direction::Write };
        let block_size = [8, 512, 1428][random.below(3) as usize];
        let window_size = [1, 1, 2, 4, 16, 64][random.below(6) as usize];
        let mut setting = Setting::new(direction, options(block_size, window_size));
        if random.below(3) == 0 {
            setting.mode = Mode::Netascii;
        }
        if random.below(4) == 0 {
            setting.options = Options::default();
        }
        if random.below(4) == 0 {
            setting.storage_delay = Duration::from_millis(random.below(500));
        }
        setting.weather = Weather {
            loss: random.below(31),
            duplication: random.below(31),
            reordering: random.below(31),
            delay: Duration::from_micros(100 + random.below(50_000)),
        };
        let length = random.below(u64::from(block_size) * 60) as usize;
        let file = random.bytes(length);
        let story = format!("seed {seed}, {length} bytes, {setting:?}");
        println!("{story}");
        let mut world = World::new(setting, file, seed);
        world.run();
        assert_whole(&mut world, &story);
    }
}

#[test]
fn a_clear_link_carries_each_block_once() {
    for direction in [Direction::Read, Direction::Write] {
        for window_size in [1, 2, 7, 64] {
            let setting = Setting::new(direction, options(512, window_size));
            let mut world = World::new(setting, Random(7).bytes(512 * 300 + 1), 0);
            world.run();
            assert_whole(&mut world, "clear");
            assert_eq!(world.packets["data"], 301);
            // The last window may be short; ACK 0 answers the OACK where the client reads.
            let windows = 301u64.div_ceil(window_size.into());
            assert_eq!(world.packets["ack"], windows + u64::from(direction == Direction::Read));
        }
    }
}

#[test]
fn losses_cost_a_bounded_number_of_repetitions() {
    for (window_size, loss) in [(1, 10), (1, 30), (8, 5), (16, 10), (64, 2)] {
        for seed in 0..20 {
            let mut setting = Setting::new(Direction::Read, options(512, window_size));
            setting.weather =
                Weather { loss, duplication: 0, reordering: 0, delay: Duration::from_millis(5) };
            let blocks = 1001;
            let mut world = World::new(setting, Random(seed).bytes(512 * 1000 + 100), seed);
            world.run();
            assert_whole(&mut world, "losses");
            // A window is cut short by its first loss: on average after 1/loss blocks.
            let sendings = world.packets["data"] as f64 / blocks as f64;
            let by_chance =
                1.0 / (1.0 - loss as f64 / 100.0).powi(2) + f64::from(window_size) * loss as f64 / 100.0;
            println!("window {window_size}, loss {loss} %, seed {seed}: {sendings:.2} of {by_chance:.2}");
            assert!(sendings < by_chance * 1.5, "window {window_size}, {loss} %, seed {seed}: {sendings}");
        }
    }
}

#[test]
fn duplicated_packets_never_double_the_transfer() {
    for direction in [Direction::Read, Direction::Write] {
        for window_size in [1, 4, 32] {
            let mut setting = Setting::new(direction, options(512, window_size));
            setting.weather.duplication = 100;
            let mut world = World::new(setting, Random(3).bytes(512 * 400), 1);
            world.run();
            assert_whole(&mut world, "everything doubled");
            assert_eq!(world.packets["data"], 401, "window {window_size}: every ACK came twice");
        }
    }
}

#[test]
fn a_delay_longer_than_the_first_time_out_does_not_double_what_follows() {
    // The sorcerer's apprentice: one block sent twice, and from then on everything.
    for window_size in [1, 8] {
        let mut setting = Setting::new(Direction::Read, options(512, window_size));
        setting.weather.delay = Duration::from_millis(1700);
        let mut world = World::new(setting, Random(3).bytes(512 * 400), 1);
        world.run();
        assert_whole(&mut world, "slow");
        assert!(world.packets["data"] <= 401 + 2 * u64::from(window_size), "{:?}", world.packets);
    }
}
