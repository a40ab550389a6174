//! Files of more than 65,535 blocks: after block 65,535 comes block 0.

mod link;

use core::time::Duration;

use link::{Random, Setting, Weather, World};
use tftp::{Direction, Options};

#[test]
fn block_numbers_roll_over_to_zero() {
    for (block_size, blocks, window_size, loss) in
        [(8u16, 65_545, 1, 0), (8, 70_000, 64, 1), (512, 65_600, 16, 0)]
    {
        for direction in [Direction::Read, Direction::Write] {
            let options = Options {
                block_size: Some(block_size),
                window_size: Some(window_size),
                ..Options::default()
            };
            let mut setting = Setting::new(direction, options);
            setting.weather = Weather { loss, delay: Duration::from_micros(50), ..Weather::default() };
            setting.chunk_bytes = 256 * 1024;
            let file = Random(9).bytes(usize::from(block_size) * blocks + 3);
            let mut world = World::new(setting, file, 5);
            world.run();
            assert!(world.stored == world.file, "{direction:?} {block_size}");
            assert!(world.packets["data"] > blocks as u64);
            let size = world.file.len() as u64;
            assert_eq!(world.sender().outcome(), Some(&Ok(size)));
        }
    }
}
