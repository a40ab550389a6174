//! `iad-sim run`

use core::time::Duration;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use snmp::Security;
use snmp::manager::Principal;
use snmp::usm::{UnknownAlgorithm, User};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::output::Failure;
use crate::device::{Capabilities, Settings, Timing};
use crate::fault::Script;
use crate::net::{NotifySettings, Simulator, SimulatorSettings};
use crate::transfer::TransferSettings;

/// Run devices until interrupted
///
/// Each device has an address of its own, and all answer on one port. When all have started a line
/// `ready address=... port=... devices=...` is written to stdout. Killing the process is a power failure of all devices.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// How many devices
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// The number of the first device; IAD-000001 is the unique id of number 1
    #[arg(long, default_value_t = 1)]
    first_number: u32,
    /// The address of the first device; the others count up
    #[arg(long, default_value = "127.1.0.1")]
    bind: IpAddr,
    /// The UDP port on which all devices answer; 0: the system chooses one
    #[arg(long, default_value_t = 1161)]
    port: u16,
    /// The folder in which the devices are stored; without it they are lost at the end
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// Store so that even a crash of this host loses nothing; slow
    #[arg(long)]
    durable: bool,
    /// Where notifications go
    #[arg(long, value_name = "ADDRESS:PORT")]
    notify: Option<SocketAddr>,
    /// Send INFORMs, repeated until they are acknowledged, instead of traps
    #[arg(long)]
    inform: bool,
    /// The community of the notifications
    #[arg(long, default_value = "public")]
    notify_community: String,
    /// The community that may read
    #[arg(long, default_value = "public")]
    read_community: String,
    /// The community that may read and write
    #[arg(long, default_value = "private")]
    write_community: String,
    /// A user of SNMPv3 that may read and write, such as `anna,SHA-256,maplesyrup,AES,rupryselpam`; the last two, or the last
    /// four, may be left out. May be given several times
    #[arg(long, value_name = "NAME,AUTH,PASSPHRASE,PRIV,PASSPHRASE", value_parser = user)]
    user: Vec<User>,
    /// The same of one that may only read
    #[arg(long, value_name = "NAME,AUTH,PASSPHRASE,PRIV,PASSPHRASE", value_parser = user)]
    read_user: Vec<User>,
    /// The user on whose behalf notifications are sent, instead of the community
    #[arg(long, value_name = "NAME")]
    notify_user: Option<String>,
    /// The name under which the devices are sold
    #[arg(long, default_value = "Simulated IAD 8")]
    model: String,
    /// The kind of hardware
    #[arg(long, default_value = "iad-8")]
    hardware: String,
    /// The version of the software that new devices are delivered with
    #[arg(long, default_value = "1.0")]
    version: String,
    /// The format of configuration that it reads
    #[arg(long, default_value_t = 1)]
    format: u32,
    /// The size of that image
    #[arg(long, default_value = "1MiB", value_parser = size)]
    image_size: u64,
    /// The size of each software buffer
    #[arg(long, default_value = "16MiB", value_parser = size)]
    buffer_size: u64,
    /// What the devices can do
    #[arg(long, value_delimiter = ',', default_value = "dual-image,needs-reset,convert,tftp,ftp")]
    capability: Vec<Capability>,
    /// How many bytes per second go into flash; 0: as fast as they come
    #[arg(long, default_value = "0", value_parser = size)]
    flash_speed: u64,
    /// From power on to the first answer
    #[arg(long, default_value = "500ms", value_parser = time)]
    boot_time: Duration,
    /// How long erasing a software buffer takes
    #[arg(long, default_value = "100ms", value_parser = time)]
    erase_time: Duration,
    /// How long switching to other software without a restart takes
    #[arg(long, default_value = "100ms", value_parser = time)]
    activate_time: Duration,
    /// How long the conversion program takes
    #[arg(long, default_value = "100ms", value_parser = time)]
    convert_time: Duration,
    /// How long applying a configuration takes
    #[arg(long, default_value = "100ms", value_parser = time)]
    apply_time: Duration,
    /// How long a device hangs before its watchdog restarts it
    #[arg(long, default_value = "2s", value_parser = time)]
    watchdog_time: Duration,
    /// How many calls each device has
    #[arg(long, default_value_t = 0)]
    calls: u32,
    /// The longest call
    #[arg(long, default_value = "180s", value_parser = time)]
    call_time: Duration,
    /// A progress notification comes each time so many more percent are done
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    progress_step: u32,
    /// The block size that TFTP asks for
    #[arg(long, default_value_t = 1428, value_parser = clap::value_parser!(u16).range(8..=65_464))]
    block_size: u16,
    /// The window size that TFTP asks for
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    window_size: u16,
    /// Without anything new from the server for so long, a transfer has failed
    #[arg(long, default_value = "30s", value_parser = time)]
    give_up: Duration,
    /// A script of faults
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Take commands on this socket
    #[arg(long, env = "IAD_SIM_CONTROL", value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// Write the line `ready ...` to this file too
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// From which all randomness follows
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Capability {
    /// Two software buffers
    DualImage,
    /// Other software runs only after a restart
    NeedsReset,
    /// A conversion program
    Convert,
    /// Files move by TFTP
    Tftp,
    /// Files move by FTP
    Ftp,
    /// Images are written to it by TFTP
    Push,
}

impl Run {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let simulator = Simulator::start(self.settings()?).await?;
        let announced = self.announce(&simulator);
        tokio::select! {
            announced = announced => announced?,
            _ = interrupted.recv() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        }
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        Ok(())
    }

    /// What the simulator is started with.
    pub(super) fn settings(&self) -> Result<SimulatorSettings, Failure> {
        let can = |capability| self.capability.contains(&capability);
        let device = Settings {
            model: self.model.clone(),
            hardware: self.hardware.clone(),
            capabilities: Capabilities {
                dual_image: can(Capability::DualImage),
                needs_reset: can(Capability::NeedsReset),
                convert: can(Capability::Convert),
                tftp: can(Capability::Tftp),
                ftp: can(Capability::Ftp),
                push: can(Capability::Push),
                inform: self.inform,
            },
            buffer_capacity: self.buffer_size,
            timing: Timing {
                boot: self.boot_time,
                erase: self.erase_time,
                flash_bytes_per_second: self.flash_speed,
                activate: self.activate_time,
                convert: self.convert_time,
                apply: self.apply_time,
                watchdog: self.watchdog_time,
                call: self.call_time,
            },
            calls: self.calls,
            progress_step_percent: self.progress_step,
            ..Settings::numbered(0)
        };
        let principal = self.notify_principal()?;
        let notify = self.notify.map(|address| NotifySettings {
            principal: principal.clone(),
            inform: self.inform,
            ..NotifySettings::traps_to(address)
        });
        Ok(SimulatorSettings {
            count: self.count,
            first_number: self.first_number,
            bind: self.bind,
            port: self.port,
            device,
            version: self.version.clone(),
            format: self.format,
            image_size: self.image_size,
            read_community: self.read_community.clone(),
            write_community: self.write_community.clone(),
            read_only_users: self.read_user.clone(),
            read_write_users: self.user.clone(),
            notify,
            transfer: TransferSettings {
                block_size: self.block_size,
                window_size: self.window_size,
                give_up: self.give_up,
                ..TransferSettings::default()
            },
            state: self.state.clone(),
            synchronous: self.durable,
            control: self.control.clone(),
            faults: self.script()?,
            seed: self.seed,
        })
    }

    fn notify_principal(&self) -> Result<Principal, Failure> {
        let Some(name) = &self.notify_user else {
            return Ok(Security::v2c(self.notify_community.as_str()).into());
        };
        let user = self.user.iter().chain(&self.read_user).find(|user| user.name() == name.as_bytes());
        let user = user.ok_or_else(|| Failure::Refused(format!("there is no --user {name} to notify as")))?;
        Ok(Principal::User(Arc::new(user.clone())))
    }

    fn script(&self) -> Result<Script, Failure> {
        let Some(path) = &self.faults else { return Ok(Script::default()) };
        let text =
            std::fs::read_to_string(path).map_err(|cause| Failure::File { path: path.clone(), cause })?;
        Script::parse(&text).map_err(|cause| Failure::Script { path: path.clone(), cause })
    }

    async fn announce(&self, simulator: &Simulator) -> Result<(), Failure> {
        simulator.all_started().await?;
        let line = format!("ready address={} port={} devices={}\n", self.bind, simulator.port(), self.count);
        if let Some(path) = &self.ready_file {
            let file = |cause| Failure::File { path: path.clone(), cause };
            // Whoever waits for the file finds it whole.
            let new = path.with_added_extension("new");
            std::fs::write(&new, &line).and_then(|()| std::fs::rename(&new, path)).map_err(file)?;
        }
        let mut stdout = std::io::stdout();
        stdout.write_all(line.as_bytes())?;
        stdout.flush()?;
        Ok(())
    }
}

/// A size such as `1MiB`, `64KiB` or `500`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) =
        text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("a size is a number with B, KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a size begins with a number".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "the size is too large".to_owned())
}

/// A user such as `anna,SHA-256,maplesyrup,AES,rupryselpam`.
fn user(text: &str) -> Result<User, String> {
    let told = |error: &dyn std::error::Error| error.to_string();
    let mut parts = text.split(',');
    let mut user = User::new(parts.next().unwrap_or_default()).map_err(|error| told(&error))?;
    if let Some(protocol) = parts.next() {
        let protocol = protocol.parse().map_err(|error: UnknownAlgorithm| told(&error))?;
        let passphrase = parts.next().ok_or("the pass-phrase is missing")?;
        user = user.authenticating(protocol, passphrase.as_bytes()).map_err(|error| told(&error))?;
    }
    if let Some(protocol) = parts.next() {
        let protocol = protocol.parse().map_err(|error: UnknownAlgorithm| told(&error))?;
        let passphrase = parts.next().ok_or("the second pass-phrase is missing")?;
        user = user.encrypting(protocol, passphrase.as_bytes()).map_err(|error| told(&error))?;
    }
    match parts.next() {
        None => Ok(user),
        Some(_) => Err("a user has a name, two protocols and two pass-phrases, and nothing more".to_owned()),
    }
}

/// A time such as `500ms`, `2s` or `1m 30s`.
fn time(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(time).map_err(|_| "a time is not negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_in_one_word() {
        use snmp::usm::SecurityLevel::{AuthNoPriv, AuthPriv, NoAuthNoPriv};
        let level = |text| user(text).map(|user| user.level());
        assert_eq!(level("anna"), Ok(NoAuthNoPriv));
        assert_eq!(level("anna,SHA-256,maplesyrup"), Ok(AuthNoPriv));
        assert_eq!(level("anna,md5,maplesyrup,des,rupryselpam"), Ok(AuthPriv));
        for wrong in
            ["", "anna,SHA-256", "anna,SHA-3,maplesyrup", "anna,SHA,short", "anna,SHA,maplesyrup,AES,x,y"]
        {
            assert!(user(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(size("1MiB"), Ok(1 << 20));
        assert_eq!(size("500"), Ok(500));
        assert!(size("MiB").is_err() && size("1MB").is_err() && size("99999999999999999999").is_err());
        assert!(size("999999999999GiB").is_err());
        assert_eq!(time("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert!(time("-1s").is_err() && time("soon").is_err());
    }
}
