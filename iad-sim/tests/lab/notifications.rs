//! Notifications: from the device's own address, as traps or as INFORMs that are repeated.

use std::time::Duration;

use iad_sim::net::NotifySettings;
use snmp::notification::{Notification, NotificationKind};
use snmp::{Body, Message, Operation, Pdu, Security};
use tokio::net::UdpSocket;

use crate::manager::Asker;
use crate::tftp_server::TftpServer;
use crate::*;

/// A notification that was heard.
struct Heard {
    number: u32,
    values: Vec<Value>,
    is_inform: bool,
    datagram: Vec<u8>,
    from: SocketAddr,
}

async fn next(socket: &UdpSocket) -> Heard {
    let mut datagram = vec![0; 65_536];
    let (length, from) = soon(socket.recv_from(&mut datagram)).await.unwrap();
    datagram.truncate(length);
    let notification = Notification::decode(&datagram).unwrap();
    let number = *notification.name.arcs().last().unwrap();
    let is_inform = matches!(notification.kind, NotificationKind::Inform { .. });
    let values = notification.varbinds.into_iter().map(|varbind| varbind.into_owned().value).collect();
    Heard { number, values, is_inform, datagram, from }
}

#[tokio::test]
async fn traps_of_a_whole_backup_come_from_the_device() {
    let listener = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let notify = Some(NotifySettings::traps_to(listener.local_addr().unwrap()));
    let simulator = start(SimulatorSettings { notify, ..settings(1) }).await;
    let restarted = next(&listener).await;
    assert_eq!((restarted.number, restarted.from.ip()), (5, IpAddr::from([127, 1, 0, 1])));
    let server = TftpServer::start().await;
    let device = simulator.address("IAD-000001").unwrap();
    let backup = operation("b1", BACKUP, server.address, all_kinds("b"));
    Asker::new().await.set(device, backup).await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&3) {
        let heard = next(&listener).await;
        assert_eq!((heard.from.ip(), heard.is_inform), (device.ip(), false));
        let octets = |text: &str| Value::OctetString(text.as_bytes().to_vec());
        assert_eq!(heard.values[..3], [octets("IAD-000001"), octets("b1"), Value::Integer(BACKUP)]);
        seen.push(heard.number);
    }
    assert_eq!(seen.first(), Some(&1));
    assert!(seen.iter().filter(|kind| **kind == 2).count() > 2, "progress was told: {seen:?}");
}

#[tokio::test]
async fn an_inform_is_repeated_until_it_is_acknowledged() {
    let listener = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut notify = NotifySettings::traps_to(listener.local_addr().unwrap());
    notify.inform = true;
    notify.timeout = Duration::from_millis(100);
    notify.retries = 20;
    let simulator = start(SimulatorSettings { notify: Some(notify), ..settings(1) }).await;
    let first = next(&listener).await;
    let Heard { datagram: again, from, .. } = next(&listener).await;
    assert!(first.is_inform);
    assert_eq!(first.datagram, again, "the same INFORM");
    let Body::Pdu(pdu) = Message::decode(&again).unwrap().body else { panic!("no PDU") };
    let operation = Operation::Response { status: snmp::ErrorStatus::NoError, index: 0 };
    let varbinds = pdu.varbinds.into_iter().map(VarBind::into_owned).collect();
    let acknowledgement = Pdu { request_id: pdu.request_id, operation, varbinds };
    let mut answer = Vec::new();
    Message::new(Security::v2c("public"), acknowledgement).encode(&mut answer).unwrap();
    listener.send_to(&answer, from).await.unwrap();
    // After the acknowledgement comes only what is new: the INFORM of the next restart.
    simulator.power_off("IAD-000001").await.unwrap();
    simulator.power_on("IAD-000001").await.unwrap();
    loop {
        let next = next(&listener).await;
        if next.datagram != again {
            assert_eq!(next.number, 5);
            break;
        }
    }
}
