//! RDATA as text → wire form, every type that has a presentation form by its row of fields ([`crate::wire::form`]),
//! and any type as RFC 3597 writes it.
//!
//! What is read here is what is served: answers copy these octets.

use super::field::Fields;
use super::token::Flaw;
use crate::wire::RType;
use crate::wire::form::{Field, form};
use crate::wire::present::RData;

/// Appends the RDATA that the fields say. After an error `out` may end in a part of it.
pub(super) fn read(rtype: RType, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let start = out.len();
    if fields.next_is(r"\#") {
        generic(rtype, fields, out)?;
    } else if let Some(form) = form(rtype) {
        fields.form(rtype, form.example, start);
        for field in form.fields {
            fields.read(*field, out)?;
        }
    } else {
        let flaw = Flaw::new(fields.all(), format!("the fields of {rtype} are not known here"));
        return Err(flaw.hint(format!(r"write its octets as RFC 3597 does: {rtype} \# LENGTH HEXADECIMAL")));
    }
    fields.finish(rtype)?;
    if let Some(message) = wrong_digest(rtype, &out[start..]) {
        let hint = "compare it with its source: a part may be missing";
        return Err(Flaw::new(fields.all(), message).hint(hint));
    }
    let length = out.len() - start;
    if length > usize::from(u16::MAX) {
        let message = format!("the fields make {length} octets of RDATA; a record has at most 65535");
        return Err(Flaw::new(fields.all(), message));
    }
    Ok(())
}

/// What is wrong with a digest that is cut short or run together. A DS like that would make the whole zone below it
/// bogus.
fn wrong_digest(rtype: RType, rdata: &[u8]) -> Option<String> {
    const DS: [RType; 4] = [RType::DS, RType::CDS, RType::TA, RType::DLV];
    let (kind, digest) = match rtype {
        RType::DS | RType::CDS | RType::TA | RType::DLV => (*rdata.get(3)?, rdata.len() - 4),
        RType::SSHFP => (*rdata.get(1)?, rdata.len() - 2),
        RType::TLSA | RType::SMIMEA => (*rdata.get(2)?, rdata.len() - 3),
        RType::ZONEMD => (*rdata.get(5)?, rdata.len() - 6),
        _ => return None,
    };
    let right = match (rtype, kind) {
        // RFC 4034 §5.1.3, 4509, 5933, 6605, 9558, 9563; RFC 4255 §3.1.2, 6594; RFC 6698 §2.1.3; RFC 8976 §2.2.3
        (RType::SSHFP, 1) => 20,
        (RType::SSHFP, 2) => 32,
        (_, 1) if DS.contains(&rtype) => 20,
        (_, 2 | 3 | 5 | 6) if DS.contains(&rtype) => 32,
        (_, 4) if DS.contains(&rtype) => 48,
        (RType::TLSA | RType::SMIMEA, 1) => 32,
        (RType::TLSA | RType::SMIMEA, 2) => 64,
        (RType::ZONEMD, 1) => 48,
        (RType::ZONEMD, 2) => 64,
        // RFC 8976 §2.2.4
        (RType::ZONEMD, _) if digest < 12 => {
            return Some(format!("the digest has {digest} octets; one has at least 12"));
        }
        _ => return None,
    };
    (digest != right).then(|| format!("the digest has {digest} octets; one of its type has {right}"))
}

/// RFC 3597 §5: `\# LENGTH HEXADECIMAL`, for known types too.
fn generic(rtype: RType, fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let start = out.len();
    fields.form(rtype, r"TYPE65280 \# 4 0a000001", start);
    fields.skip();
    let mut length = Vec::new();
    fields.read(Field::Short("length"), &mut length)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let hexadecimal = fields.rest();
    if length > 0 {
        fields.read(Field::Hex("octets"), out)?;
    }
    let found = out.len() - start;
    if found != length {
        return Err(Flaw::new(hexadecimal, format!("{length} octets are announced, {found} are written")));
    }
    let whole = form(rtype).is_none() || RData { rtype, octets: &out[start..] }.presentation().is_some();
    if !whole {
        let message = format!("these octets are not the RDATA of a record of type {rtype}");
        return Err(Flaw::new(hexadecimal, message));
    }
    Ok(())
}
