//! Notifications, from the datagram to the device that they tell of.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use engine::Listener;
use engine::datagram::Datagram;
use engine::listener::DeviceIndex;
use snmp::usm::{EngineId, EngineTime, User};
use upgrade::DeviceId;

use crate::messages::protected;

const DEVICE: DeviceId = DeviceId(1);
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const AT: EngineTime = EngineTime { boots: 1, time: 100 };

/// Made once: keys take milliseconds.
static ANNA: LazyLock<Vec<Arc<User>>> =
    LazyLock::new(|| protected("anna").into_iter().map(Arc::new).collect());

/// Nobody who does not know the secrets proves to be an engine, and nobody is answered much more than was sent.
pub(crate) fn notification(bytes: &[u8]) {
    let mut listener = Listener::new(EngineId::of_text(32473, "manager"), 1);
    listener.know(DeviceIndex {
        by_unique_id: [("IAD-1".into(), DEVICE)].into(),
        by_address: [(ADDRESS, DEVICE)].into(),
        by_engine: [(EngineId::of_text(32473, "IAD-1"), DEVICE)].into(),
        users: [(DEVICE, ANNA.as_slice().into())].into(),
        believed: ANNA.clone(),
        ..DeviceIndex::default()
    });
    let peer = SocketAddr::new(ADDRESS, 50_000);
    listener.handle(&[Datagram { peer, local: None, bytes }], AT, Duration::from_secs(100));
    while let Some(heard) = listener.poll_heard() {
        assert!(heard.engine.is_none(), "nobody here knows the secrets: {heard:?}");
    }
    let mut answer = Vec::new();
    while let Some(sent) = listener.poll_transmit(&mut answer) {
        assert!(sent.length <= bytes.len() + 200, "{} bytes for {}", sent.length, bytes.len());
    }
}
