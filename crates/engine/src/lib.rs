//! The parts of the manager, pure: director, commander, listener, file server.
