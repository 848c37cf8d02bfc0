//! How long something takes.

use std::{
    fs,
    time::{Duration, Instant},
};

/// What `act` gives, this thread's CPU time for it and the time that went by.
pub fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let (cpu, begin) = (cpu_time(), Instant::now());
    let given = act();
    (given, cpu_time() - cpu, begin.elapsed())
}

/// The middle one.
pub fn middle(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// This thread's CPU time.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}
