//! Simulated access devices for laboratories and tests.
//!
//! [`device`] is the model, pure; [`fault`] what may go wrong with it; [`personality`] what it answers as; [`transfer`] how it moves a file; [`net`] runs many of
//! them in one process over real sockets, behind the handle [`net::Simulator`].
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use iad_sim::net::{Simulator, SimulatorSettings};
//!
//! let simulator = Simulator::start(SimulatorSettings { count: 3, ..SimulatorSettings::default() }).await?;
//! simulator.all_started().await?;
//! let address = simulator.address("IAD-000002"); // 127.1.0.2 and the port of all
//! simulator.power_off("IAD-000002").await?;
//! # Ok(())
//! # }
//! ```

pub mod cli;
pub mod device;
pub mod fault;
pub mod net;
pub mod personality;
pub mod transfer;
