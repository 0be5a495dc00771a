//! Numbers as others write them into files.

/// The whole number at the beginning of `text`, in the notation of C: blanks before it, a sign,
/// `0x` for hexadecimal and `0` for octal digits. 0 if there is none; what is out of range
/// becomes the nearest that fits. keepalived: what a `track_file` holds.
pub(super) fn leading(text: &[u8]) -> i32 {
    let text = text.trim_ascii_start();
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] if is_hex(rest.first()) => (16, rest),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let digits = digits
        .iter()
        .map_while(|byte| char::from(*byte).to_digit(radix));
    let value = digits.fold(0_i64, |value, digit| {
        (value * i64::from(radix) + i64::from(digit)).min(i64::from(u32::MAX))
    });
    let value = if negative { -value } else { value };
    let (min, max) = (i64::from(i32::MIN), i64::from(i32::MAX));
    i32::try_from(value.clamp(min, max)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::leading;

    #[test]
    fn a_number_is_read_as_c_does() {
        for (text, expected) in [
            ("", 0),
            ("abc", 0),
            ("12", 12),
            (" \t\n-7abc", -7),
            ("+5 6", 5),
            ("- 5", 0),
            ("0x10", 16),
            ("0xg", 0),
            ("010", 8),
            ("089", 0),
            ("2147483648", i32::MAX),
            ("-99999999999999999999", i32::MIN),
        ] {
            assert_eq!(leading(text.as_bytes()), expected, "{text:?}");
        }
    }
}
