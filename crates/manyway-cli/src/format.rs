//! Numbers and names for people.

use std::time::Duration;

/// A number of bytes, as `1.5 MB`.
pub(crate) fn bytes(count: u64) -> String {
    scaled(count, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// A rate, as `12.3 Mbit/s`; `-` for none.
pub(crate) fn rate(bits_per_second: u64) -> String {
    if bits_per_second == 0 {
        return "-".to_owned();
    }
    scaled(
        bits_per_second,
        &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"],
    )
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn scaled(count: u64, units: &[&str]) -> String {
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} {}", units[0])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// A time in microseconds, as `1.2 ms`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn microseconds(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} µs"),
        1_000..1_000_000 => format!("{:.1} ms", count as f64 / 1e3),
        _ => format!("{:.1} s", count as f64 / 1e6),
    }
}

/// An age, as `1m05s`.
pub(crate) fn age(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds)
        .unwrap_or_default()
        .as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A share, as `1.5%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A name from another process, without what could steer a terminal.
pub(crate) fn name(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_one_decimal_and_carry_to_the_next_unit() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(bytes(u64::MAX), "18446.7 PB");
        assert_eq!(rate(0), "-");
        assert_eq!(rate(12_340_000), "12.3 Mbit/s");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(microseconds(999), "999 µs");
        assert_eq!(microseconds(20_500), "20.5 ms");
        assert_eq!(microseconds(2_000_000), "2.0 s");
        assert_eq!(age(5.9), "5s");
        assert_eq!(age(65.0), "1m05s");
        assert_eq!(age(3_725.0), "1h02m");
        assert_eq!(age(-1.0), "0s");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(name("curl\x1b[2J\n"), "curl?[2J?");
    }
}
