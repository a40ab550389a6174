//! How many datagrams the kernel dropped because a socket's receive buffer was full: the last column of
//! `/proc/net/udp`, in the row of the socket's inode.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

/// The count since the socket was opened; none where the system does not tell.
pub(crate) fn dropped(socket: BorrowedFd<'_>, is_ipv4: bool) -> Option<u64> {
    let inode = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?.ino();
    let table =
        fs::read_to_string(if is_ipv4 { "/proc/self/net/udp" } else { "/proc/self/net/udp6" }).ok()?;
    count(&table, inode)
}

fn count(table: &str, inode: u64) -> Option<u64> {
    const INODE_COLUMN: usize = 9;
    let inode = inode.to_string();
    let row = table.lines().find(|row| row.split_whitespace().nth(INODE_COLUMN) == Some(&inode))?;
    row.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_the_inode_ends_with_the_count() {
        let table = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  512: 00000000:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
  990: 0100007F:A0B1 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 17
";
        assert_eq!(count(table, 4712), Some(17));
        assert_eq!(count(table, 4711), Some(0));
        assert_eq!(count(table, 1), None);
    }
}
