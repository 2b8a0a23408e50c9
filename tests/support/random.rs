//! Numbers that differ from run to run, for the choice of moments. The seed is in the panic of whoever fails.

/// A small generator (splitmix64).
pub(crate) struct Random {
    state: u64,
    seed: u64,
}

impl Random {
    /// Seeded from `HOLDFAST_SEED`, or from the system.
    pub(crate) fn new() -> Self {
        let given = std::env::var("HOLDFAST_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).expect("the system has randomness");
            u64::from_le_bytes(bytes)
        });
        Self { state: seed, seed }
    }

    /// A number from 0 to `limit - 1`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let line = format!("HOLDFAST_SEED={}\n", self.seed);
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
        }
    }
}
