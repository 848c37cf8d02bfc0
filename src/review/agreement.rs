//! How well decisions hold: shares with their intervals, and agreement beyond chance.

/// A share with its 95 % interval by Wilson.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// How many.
    pub yes: u64,
    /// Of how many.
    pub of: u64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Share {
    /// `yes` of `of`; from 0 to 1 where there are none.
    pub fn new(yes: u64, of: u64) -> Self {
        if of == 0 {
            return Self { yes, of, low: 0.0, high: 1.0 };
        }
        let (low, high) = interval(yes as f64 / of as f64, of as f64);
        Self { yes, of, low, high }
    }

    /// The share itself.
    pub fn value(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.yes as f64 / self.of as f64 }
    }
}

/// The 95 % interval by Wilson of a share `p` that was seen among `n`.
pub(super) fn interval(p: f64, n: f64) -> (f64, f64) {
    let z = 1.959_964;
    let middle = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((middle - reach) / scale).max(0.0), ((middle + reach) / scale).min(1.0))
}

/// Cohen's kappa of pairs that each say yes or no; none where there are no pairs, or chance alone explains all of them.
pub fn kappa(pairs: impl IntoIterator<Item = (bool, bool)>) -> Option<f64> {
    let (mut n, mut same, mut first, mut second) = (0.0, 0.0, 0.0, 0.0);
    for (one, other) in pairs {
        n += 1.0;
        same += f64::from(u8::from(one == other));
        first += f64::from(u8::from(one));
        second += f64::from(u8::from(other));
    }
    if n == 0.0 {
        return None;
    }
    let chance = (first * second + (n - first) * (n - second)) / (n * n);
    (chance < 1.0).then(|| (same / n - chance) / (1.0 - chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_textbook() {
        let share = Share::new(8, 10);
        assert!((share.low - 0.4902).abs() < 1e-3 && (share.high - 0.9433).abs() < 1e-3, "{share:?}");
        assert_eq!((Share::new(0, 0).low, Share::new(0, 0).high), (0.0, 1.0));
        assert!(Share::new(0, 20).low.abs() < 1e-12 && Share::new(0, 20).high < 0.17);
    }

    #[test]
    fn kappa_is_that_of_the_textbook() {
        let pairs = [(true, true, 20), (true, false, 5), (false, true, 10), (false, false, 15)];
        let pairs = pairs.into_iter().flat_map(|(one, other, times)| std::iter::repeat_n((one, other), times));
        assert!((kappa(pairs).unwrap() - 0.4).abs() < 1e-9);
        assert_eq!(kappa([]), None);
        assert_eq!(kappa([(true, true)]), None, "chance explains it");
    }
}
