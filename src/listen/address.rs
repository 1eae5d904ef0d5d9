//! Addresses and control messages as the bytes that Linux defines (ip(7), ipv6(7), cmsg(3)): read and written without trust.

use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// `::ffff:10.0.30.100` is 10.0.30.100.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => {
            SocketAddr::new(v6.ip().to_canonical(), v6.port())
        }
        _ => address,
    }
}

/// A `sockaddr_in` or `sockaddr_in6`, as bytes.
#[repr(C, align(8))]
pub struct Name([u8; 28]);

impl Name {
    /// How many bytes the kernel may write.
    pub const ROOM: usize = 28;

    /// Nothing yet.
    pub const EMPTY: Name = Name([0; 28]);

    /// Its bytes, for the kernel.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// What it says; `None` if that is no internet address.
    pub fn read(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(array(&self.0, 2)?);
        match i32::from(u16::from_ne_bytes(array(&self.0, 0)?)) {
            libc::AF_INET => Some((Ipv4Addr::from(array::<4>(&self.0, 4)?), port).into()),
            libc::AF_INET6 => {
                let (ip, scope) = (Ipv6Addr::from(array::<16>(&self.0, 8)?), array(&self.0, 24)?);
                Some(SocketAddrV6::new(ip, port, 0, u32::from_ne_bytes(scope)).into())
            }
            _ => None,
        }
    }

    /// Makes it say `address`; tells how many of its bytes count.
    pub fn write(&mut self, address: SocketAddr) -> usize {
        self.0 = [0; 28];
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        self.0[..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        self.0[2..4].copy_from_slice(&address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => {
                self.0[4..8].copy_from_slice(&v4.ip().octets());
                mem::size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                self.0[8..24].copy_from_slice(&v6.ip().octets());
                self.0[24..].copy_from_slice(&v6.scope_id().to_ne_bytes());
                mem::size_of::<libc::sockaddr_in6>()
            }
        }
    }
}

/// Room for control messages: one `cmsghdr` with an `in_pktinfo` or `in6_pktinfo` (ip(7), ipv6(7)), and to spare.
#[repr(C, align(8))]
pub struct Control([u8; 64]);

/// Length, level and type; then the data, aligned as the length is.
const CONTROL_HEADER: usize = mem::size_of::<libc::cmsghdr>().next_multiple_of(mem::size_of::<usize>());
const LEVEL: usize = mem::size_of::<usize>();

impl Control {
    /// How many bytes the kernel may write.
    pub const ROOM: usize = 64;

    /// Nothing yet.
    pub const EMPTY: Control = Control([0; 64]);

    /// Its bytes, for the kernel.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The address that a datagram was sent to, if `length` bytes of control messages say it. The port means nothing.
    pub fn read(&self, length: usize) -> Option<SocketAddr> {
        let mut rest = self.0.get(..length)?;
        while !rest.is_empty() {
            let size = usize::from_ne_bytes(array(rest, 0)?);
            let level = i32::from_ne_bytes(array(rest, LEVEL)?);
            let kind = i32::from_ne_bytes(array(rest, LEVEL + 4)?);
            let data = rest.get(CONTROL_HEADER..size)?;
            match (level, kind) {
                // ipi_ifindex, ipi_spec_dst (the address to answer from), ipi_addr
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    return Some((Ipv4Addr::from(array::<4>(data, 4)?), 0).into());
                }
                // ipi6_addr, ipi6_ifindex
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let ip = Ipv6Addr::from(array::<16>(data, 0)?);
                    let interface = u32::from_ne_bytes(array(data, 16)?);
                    let scope = if ip.is_unicast_link_local() { interface } else { 0 };
                    return Some(SocketAddrV6::new(ip, 0, 0, scope).into());
                }
                _ => rest = rest.get(size.next_multiple_of(mem::size_of::<usize>())..)?,
            }
        }
        None
    }

    /// Asks for `source` as the source address; says how many bytes count. No interface is named, so that the routing
    /// table chooses it, but for link-local addresses, which mean nothing without.
    pub fn write(&mut self, source: SocketAddr) -> usize {
        self.0 = [0; 64];
        let (level, kind, data) = match source {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, mem::size_of::<libc::in_pktinfo>()),
            SocketAddr::V6(_) => {
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, mem::size_of::<libc::in6_pktinfo>())
            }
        };
        let size = CONTROL_HEADER + data;
        self.0[..LEVEL].copy_from_slice(&size.to_ne_bytes());
        self.0[LEVEL..LEVEL + 4].copy_from_slice(&level.to_ne_bytes());
        self.0[LEVEL + 4..LEVEL + 8].copy_from_slice(&kind.to_ne_bytes());
        let data = &mut self.0[CONTROL_HEADER..size];
        match source {
            SocketAddr::V4(v4) => data[4..8].copy_from_slice(&v4.ip().octets()),
            SocketAddr::V6(v6) => {
                data[..16].copy_from_slice(&v6.ip().octets());
                data[16..20].copy_from_slice(&v6.scope_id().to_ne_bytes());
            }
        }
        size.next_multiple_of(mem::size_of::<usize>())
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_survive_their_bytes() {
        for text in ["192.0.2.1:53", "[2001:db8::1]:5353", "[fe80::1%7]:53"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut name = Name::EMPTY;
            name.write(address);
            assert_eq!(name.read(), Some(address));
        }
    }

    #[test]
    fn a_source_address_is_read_back_as_it_was_asked_for() {
        for text in ["[2001:db8::1]:0", "[fe80::1%7]:0"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut control = Control::EMPTY;
            let length = control.write(address);
            assert_eq!(control.read(length), Some(address));
        }
    }

    #[test]
    fn control_bytes_that_lie_give_nothing() {
        let mut control = Control::EMPTY;
        let length = control.write("192.0.2.1:53".parse().unwrap());
        assert!(control.read(length).is_some());
        assert_eq!(control.read(1000), None);
        for size in [0_usize, 1, 15, 17, 65, usize::MAX] {
            control.0[..LEVEL].copy_from_slice(&size.to_ne_bytes());
            assert_eq!(control.read(length), None);
        }
    }
}
