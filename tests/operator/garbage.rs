//! Datagrams and connections that are nothing we know: the daemon stays, and goes on with its work.

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::laboratory::{DEVICE, Laboratory};

/// A small generator (xorshift64*): what a seed gave once it gives again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// What real datagrams look like, to be changed a little.
const REAL: [&[u8]; 5] = [
    // SNMPv2c trap coldStart, community public
    b"0\x3f\x02\x01\x01\x04\x06public\xa7\x32\x02\x01\x01\x02\x01\x00\x02\x01\x000\x27\
      0\x0d\x06\x08+\x06\x01\x02\x01\x01\x03\x00C\x01\x010\x16\x06\x0a+\x06\x01\x06\x03\x01\x01\x04\x01\x00\x06\x08+\x06\x01\x06\x03\x01\x01\x05",
    // TFTP RRQ with options
    b"\x00\x01iadms/file\x00octet\x00blksize\x001428\x00windowsize\x0016\x00tsize\x000\x00",
    // TFTP WRQ
    b"\x00\x02iadms/file\x00netascii\x00tsize\x0099999999999\x00",
    // TFTP DATA and ERROR
    b"\x00\x03\x00\x01data",
    b"\x00\x05\x00\x00no\x00",
];

fn changed(random: &mut Random) -> Vec<u8> {
    let mut datagram = REAL[random.below(REAL.len())].to_vec();
    for _ in 0..random.below(4) {
        let place = random.below(datagram.len());
        datagram[place] = random.next().to_le_bytes()[5];
    }
    if random.below(3) == 0 {
        datagram.truncate(random.below(datagram.len()) + 1);
    }
    datagram
}

#[test]
fn datagrams_that_are_no_snmp_and_no_tftp_leave_the_daemon_at_its_work() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() & u128::from(u64::MAX))
            .unwrap()
    });
    println!("SEED={seed}");
    let mut random = Random(seed | 1);
    let laboratory = Laboratory::start();
    laboratory.add_image("new", "2.0", &[]);
    let listeners = [laboratory.port("notifications"), laboratory.port("tftp")];
    let stranger = UdpSocket::bind((listeners[0].ip(), 0)).unwrap();
    for _ in 0..3000 {
        let datagram = if random.below(2) == 0 { random.bytes(1400) } else { changed(&mut random) };
        stranger.send_to(&datagram, listeners[random.below(2)]).unwrap();
    }
    for _ in 0..20 {
        let mut connection = TcpStream::connect(laboratory.port("ftp")).unwrap();
        // The server may hang up on this at any time.
        let _ = connection.write_all(&random.bytes(5000));
    }
    let doctor = laboratory.run(&["doctor"]);
    assert!(!doctor.stdout.contains("BAD"), "{doctor:?}");
    let answered = laboratory.run(&["upgrade", DEVICE, "--image", "new", "--wait"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    assert_eq!(laboratory.device()["version"], "2.0");
}
