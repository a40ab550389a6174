//! One simulated device in this process, on an address of its own, which loses no time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use iad_sim::device::{Device, Settings, Timing};
use iad_sim::net::{DeviceView, Simulator, SimulatorSettings};
use tests::loopback;
use tests::process::LIMIT;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// A device that runs beside the test until this is dropped.
pub(crate) struct Lab {
    runtime: Runtime,
    simulator: Simulator,
    device: String,
}

impl Lab {
    /// Starts a device of the usual kind, with what `change` changes.
    pub(crate) fn start(change: impl FnOnce(&mut SimulatorSettings)) -> Self {
        let at_once = Timing {
            boot: Duration::ZERO,
            erase: Duration::ZERO,
            activate: Duration::ZERO,
            convert: Duration::ZERO,
            apply: Duration::ZERO,
            ..Timing::default()
        };
        let mut settings = SimulatorSettings {
            bind: IpAddr::V4(loopback::own_address()),
            device: Settings { timing: at_once, ..Settings::numbered(0) },
            ..SimulatorSettings::default()
        };
        change(&mut settings);
        let runtime = Runtime::new().unwrap();
        let simulator = runtime.block_on(async {
            let simulator = Simulator::start(settings).await.unwrap();
            simulator.all_started().await.unwrap();
            simulator
        });
        let device = simulator.devices().next().unwrap().to_owned();
        Self { runtime, simulator, device }
    }

    /// Where the device answers SNMP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.simulator.address(&self.device).unwrap()
    }

    /// What the laboratory knows of the device.
    pub(crate) fn show(&self) -> DeviceView {
        self.runtime.block_on(self.simulator.show(&self.device)).unwrap()
    }

    /// Waits until the operation of this id has ended, well or not.
    pub(crate) fn wait_for_end(&self, operation: &str) -> DeviceView {
        let operation = operation.to_owned();
        self.wait_until(move |device| {
            let record = &device.durable().operation;
            record.id == operation && !record.is_busy()
        })
    }

    /// Waits until the device is as wanted.
    pub(crate) fn wait_until(&self, wanted: impl Fn(&Device) -> bool + Send + 'static) -> DeviceView {
        let wait = self.simulator.wait(&self.device, wanted);
        let as_wanted = self.runtime.block_on(async { timeout(LIMIT, wait).await });
        as_wanted.expect("the device becomes as wanted").unwrap()
    }
}
