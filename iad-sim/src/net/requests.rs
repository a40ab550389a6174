//! What the simulator does when it is asked.

use std::net::SocketAddr;

use super::core::Core;
use super::message::{Request, Response};
use super::storm::Storm;
use super::view::{DeviceView, FaultView};
use crate::device::ConfigurationKind;
use crate::fault::{Armed, Fault};

impl Core {
    /// Does what is asked.
    pub(crate) fn carry_out(&mut self, request: Request) -> Response {
        match request {
            Request::ListDevices => Response::Devices {
                devices: (0..self.units.len()).filter_map(|place| self.view(place)).collect(),
            },
            Request::ShowDevice { device } => match self.find(&device).and_then(|place| self.view(place)) {
                Some(view) => Response::Device { device: Box::new(view) },
                None => no_such_device(&device),
            },
            Request::Power { device, on } => {
                self.at_each(device.as_deref(), |core, place| core.switch(place, on))
            }
            Request::SetConfiguration { device, kind, entries } => self.configure(&device, kind, &entries),
            Request::SetCalls { device, calls } => self.at_each(device.as_deref(), |core, place| {
                let now = core.clock.now();
                if let Some(unit) = core.units.get_mut(place) {
                    unit.device.set_calls(calls, now);
                }
            }),
            Request::Storm { rate, count } => self.begin_storm(rate, count),
            Request::AddFault { fault } => self.add_fault(fault),
            Request::ListFaults => Response::Faults { faults: self.faults() },
            Request::ClearFaults { number } => {
                self.units.iter_mut().for_each(|unit| unit.device.faults_mut().clear(number));
                Response::Done
            }
        }
    }

    /// The place of the device with this unique id or number.
    pub(crate) fn find(&self, device: &str) -> Option<usize> {
        self.units.iter().position(|unit| {
            let settings = unit.device.settings();
            settings.unique_id == device || device.parse() == Ok(settings.number)
        })
    }

    /// Lets something go wrong with the devices that it is meant for.
    pub(crate) fn add_fault(&mut self, fault: Fault) -> Response {
        if let Err(error) = fault.check() {
            return Response::Refused { reason: error.to_string() };
        }
        self.faults_added += 1;
        let number = self.faults_added;
        let mut meant = 0;
        for unit in &mut self.units {
            let settings = unit.device.settings();
            if fault.is_for(&settings.unique_id, settings.number) {
                unit.device.faults_mut().add(number, fault.clone());
                meant += 1;
            }
        }
        match (meant, fault.device) {
            (0, Some(device)) => no_such_device(&device),
            _ => Response::Added { number },
        }
    }

    fn begin_storm(&mut self, rate: u32, count: Option<u64>) -> Response {
        let refused = |reason: &str| Response::Refused { reason: reason.to_owned() };
        if self.notifier.is_none() {
            return refused("the devices notify nobody: the simulator was started without --notify");
        }
        if rate == 0 {
            return refused("a storm has a rate of at least one notification per second");
        }
        let count = count.unwrap_or(u64::try_from(self.units.len()).unwrap_or(u64::MAX));
        self.storm = Some(Storm::new(rate, count, self.clock.now()));
        Response::Done
    }

    fn view(&mut self, place: usize) -> Option<DeviceView> {
        let now = self.clock.now();
        let unit = self.units.get_mut(place)?;
        unit.device.refresh(now);
        let address = SocketAddr::new(unit.address, self.socket.address().port());
        Some(DeviceView::of(&unit.device, address, now))
    }

    fn at_each(&mut self, device: Option<&str>, act: impl Fn(&mut Self, usize)) -> Response {
        let places = match device {
            None => 0..self.units.len(),
            Some(device) => match self.find(device) {
                Some(place) => place..place + 1,
                None => return no_such_device(device),
            },
        };
        for place in places {
            act(self, place);
            self.settle(place);
        }
        Response::Done
    }

    fn switch(&mut self, place: usize, on: bool) {
        let now = self.clock.now();
        if let Some(unit) = self.units.get_mut(place) {
            if on {
                unit.device.power_on(now);
            } else {
                unit.device.power_off(now);
            }
        }
    }

    fn configure(&mut self, device: &str, kind: ConfigurationKind, entries: &[(String, String)]) -> Response {
        let Some(place) = self.find(device) else { return no_such_device(device) };
        let Some(unit) = self.units.get_mut(place) else { return no_such_device(device) };
        if !unit.device.configure(kind, entries) {
            let reason = format!("{device} does not run, or a key or value is not text of one line");
            return Response::Refused { reason };
        }
        self.settle(place);
        Response::Done
    }

    fn faults(&self) -> Vec<FaultView> {
        let mut views: Vec<FaultView> = Vec::new();
        for armed in self.units.iter().flat_map(|unit| unit.device.faults().list()) {
            let live = usize::from(Armed::is_live(armed));
            match views.iter_mut().find(|view| view.number == armed.number) {
                Some(view) => {
                    view.devices += 1;
                    view.struck += armed.struck;
                    view.live += live;
                }
                None => views.push(FaultView {
                    number: armed.number,
                    fault: armed.fault.clone(),
                    devices: 1,
                    struck: armed.struck,
                    live,
                }),
            }
        }
        views.sort_by_key(|view| view.number);
        views
    }
}

fn no_such_device(device: &str) -> Response {
    Response::Refused { reason: format!("there is no device {device}") }
}
