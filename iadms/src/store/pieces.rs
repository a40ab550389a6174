//! Many rows in one statement. Each statement is a message to the thread that has the database and an answer of it, which takes
//! longer than its rows.

/// How many rows there may be in one. There are few sizes: each statement is prepared once, and kept.
const SIZES: [usize; 3] = [64, 8, 1];

/// The rows in order, in pieces of these sizes.
pub(super) fn pieces<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rest.len())?;
        let (piece, after) = rest.split_at_checked(size)?;
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_in_one_piece_and_in_its_place() {
        for count in [0, 1, 7, 8, 9, 63, 64, 65, 200] {
            let rows: Vec<_> = (0..count).collect();
            let sizes: Vec<_> = pieces(&rows).map(<[_]>::len).collect();
            assert!(sizes.iter().all(|size| SIZES.contains(size)), "{sizes:?}");
            assert_eq!(pieces(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        }
        assert_eq!(pieces(&[0; 73]).map(<[_]>::len).collect::<Vec<_>>(), [64, 8, 1]);
    }
}
