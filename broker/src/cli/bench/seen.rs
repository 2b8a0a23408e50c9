//! A set of sequence numbers that are mostly dense: a bit each, in pieces that exist once something is in them.

/// Words of a piece.
const WORDS: usize = 64;
/// Numbers of a piece.
const BITS: u64 = 64 * WORDS as u64;

/// The set.
#[derive(Default)]
pub(super) struct Seen {
    pieces: Vec<Option<Box<[u64; WORDS]>>>,
    count: u64,
}

impl Seen {
    /// Adds a number. False when it was there.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        let (piece, word, bit) = place(number);
        if piece >= self.pieces.len() {
            self.pieces.resize_with(piece + 1, || None);
        }
        let words = self.pieces[piece].get_or_insert_with(|| Box::new([0; WORDS]));
        let is_new = words[word] & bit == 0;
        words[word] |= bit;
        self.count += u64::from(is_new);
        is_new
    }

    /// Whether a number is there.
    pub(super) fn contains(&self, number: u64) -> bool {
        let (piece, word, bit) = place(number);
        let words = self.pieces.get(piece).and_then(Option::as_ref);
        words.is_some_and(|words| words[word] & bit != 0)
    }

    /// How many are there.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// All of them, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        let pieces = self.pieces.iter().enumerate();
        let words = pieces.filter_map(|(at, piece)| Some((at as u64, piece.as_ref()?)));
        words.flat_map(|(at, words)| {
            words.iter().enumerate().flat_map(move |(word, &bits)| {
                let first = at * BITS + word as u64 * 64;
                let set = (0..64).filter(move |bit| bits & (1 << bit) != 0);
                set.map(move |bit| first + bit)
            })
        })
    }
}

fn place(number: u64) -> (usize, usize, u64) {
    let piece = usize::try_from(number / BITS).unwrap_or(usize::MAX);
    let within = number % BITS;
    let word = usize::try_from(within / 64).unwrap_or(0);
    (piece, word, 1 << (within % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set() {
        let mut seen = Seen::default();
        let numbers = [0, 1, 63, 64, BITS - 1, BITS, 10 * BITS + 7];
        for number in numbers {
            assert!(!seen.contains(number));
            assert!(seen.insert(number));
            assert!(!seen.insert(number));
            assert!(seen.contains(number));
        }
        assert_eq!(seen.len(), 7);
        assert_eq!(seen.iter().collect::<Vec<_>>(), numbers);
        assert!(!seen.contains(2 * BITS), "a piece that does not exist");
    }
}
