//! Octets in other bases, and moments.

/// Hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    pack(octets, 4, b"0123456789abcdef")
}

/// Base64 with its padding (RFC 4648 §4).
pub(super) fn base64(octets: &[u8]) -> String {
    let mut text = pack(octets, 6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Base32 with the extended hexadecimal alphabet, without padding (RFC 4648 §7, RFC 5155 §3.3).
pub(super) fn base32hex(octets: &[u8]) -> String {
    pack(octets, 5, b"0123456789ABCDEFGHIJKLMNOPQRSTUV")
}

/// So many bits a digit, the last one filled up with zeros.
fn pack(octets: &[u8], bits: u32, digits: &[u8]) -> String {
    let (mut held, mut count) = (0_u32, 0);
    let mut text = String::with_capacity((octets.len() * 8).div_ceil(bits as usize));
    let mask = (1 << bits) - 1;
    for octet in octets {
        held = held << 8 | u32::from(*octet);
        count += 8;
        while count >= bits {
            count -= bits;
            text.push(char::from(digits[(held >> count & mask) as usize]));
        }
        held &= (1 << count) - 1;
    }
    if count > 0 {
        text.push(char::from(digits[(held << (bits - count) & mask) as usize]));
    }
    text
}

/// YYYYMMDDHHmmSS (RFC 4034 §3.2) of seconds since 1970; beyond 2106 they have begun anew (§3.1.5).
pub(super) fn moment(seconds: u32) -> Option<String> {
    let moment = jiff::Timestamp::from_second(i64::from(seconds)).ok()?;
    Some(moment.strftime("%Y%m%d%H%M%S").to_string())
}
