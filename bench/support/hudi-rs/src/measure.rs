//! What one piece of work cost in this process, by the same counters as the other engines.

use std::fs;
use std::time::Instant;

use serde::Serialize;

/// One measured piece of work, in the form that the benchmark records.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    wall_ms: f64,
    cpu_ms: f64,
    peak_bytes: u64,
    baseline_bytes: u64,
}

/// Runs the work and measures it. What earlier work freed goes back to the system before.
pub fn measure<T>(work: impl FnOnce() -> T) -> (Sample, T) {
    release_freed_memory();
    // The peak starts anew from what is held now.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let baseline_bytes = memory_bytes("VmRSS:");
    let cpu_before = process_cpu_ms();
    let start = Instant::now();
    let result = work();
    let wall_ms = start.elapsed().as_secs_f64() * 1000.0;
    let cpu_ms = process_cpu_ms() - cpu_before;
    let peak_bytes = memory_bytes("VmHWM:");
    (
        Sample {
            wall_ms,
            cpu_ms,
            peak_bytes,
            baseline_bytes,
        },
        result,
    )
}

/// User and system time of all threads of this process, those included that have ended.
fn process_cpu_ms() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes the one structure that it is given.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "the system tells no CPU time");
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1e6
}

fn release_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call touches memory that the allocator knows to be free, and nothing else.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn memory_bytes(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
