//! What the kernel says about a running process. Linux only, as Lambda is.

use std::io;

/// Clock ticks per second in `/proc`: the kernel's user-space ABI fixes it on x86-64 and arm64.
const TICKS_PER_SECOND: u64 = 100;

/// The most memory that the process has held so far (`VmHWM`), in KiB.
pub(super) fn peak_rss_kb(pid: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse_peak_rss_kb(&status).ok_or_else(|| malformed("status has no VmHWM"))
}

/// Processor time that the process has used so far, in user and kernel mode, in milliseconds.
///
/// # Errors
/// If the process has ended.
pub fn cpu_ms(pid: u32) -> io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_cpu_ms(&stat).ok_or_else(|| malformed("stat has no utime and stime"))
}

fn parse_peak_rss_kb(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn parse_cpu_ms(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    // `after_name` begins at field 3; utime and stime are fields 14 and 15.
    let mut times = after_name
        .split_ascii_whitespace()
        .skip(11)
        .map(|field| field.parse::<u64>().ok());
    let ticks = times.next()?? + times.next()??;
    Some(ticks * 1000 / TICKS_PER_SECOND)
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_from_vm_hwm() {
        let status =
            "Name:\tworker\nVmPeak:\t   99999 kB\nVmHWM:\t    6912 kB\nVmRSS:\t    6000 kB\n";
        assert_eq!(parse_peak_rss_kb(status), Some(6912));
    }

    #[test]
    fn a_zombie_has_no_memory_to_read() {
        assert_eq!(
            parse_peak_rss_kb("Name:\tworker\nState:\tZ (zombie)\n"),
            None
        );
    }

    #[test]
    fn cpu_time_is_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "42 (odd ) name) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 1000 0 0";
        assert_eq!(parse_cpu_ms(stat), Some(120));
    }

    #[test]
    fn a_short_stat_line_is_refused() {
        assert_eq!(parse_cpu_ms("42 (name) S 1 42"), None);
    }
}
