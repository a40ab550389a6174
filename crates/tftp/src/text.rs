//! Text in packets: up to a zero byte (RFC 1350 section 5).

/// The text up to the next zero byte, and what follows that byte.
pub(crate) fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((text, rest.get(1..)?))
}
