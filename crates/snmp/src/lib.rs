//! SNMP, pure: messages, security, manager and agent sessions.
