//! The FTP server, over loopback, with the tickets of a real file server behind it.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod client;
#[cfg(test)]
mod many;
#[cfg(test)]
mod paced;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod world;
