//! Host name resolution. The standard library does not return the resolver's error code.

use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use super::error::SocketError;
use crate::Errno;

/// The address to listen on for a host of the configuration.
pub(super) fn address(host: &str) -> Result<IpAddr, SocketError> {
    if host.is_empty() {
        return Ok(Ipv4Addr::UNSPECIFIED.into());
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse() {
        return Ok(address);
    }
    // The original reports the error of the IPv4 look-up.
    look_up(host, libc::AF_INET).or_else(|error| look_up(host, libc::AF_INET6).map_err(|_| error))
}

fn look_up(host: &str, family: libc::c_int) -> Result<IpAddr, SocketError> {
    let host = CString::new(host).map_err(|_| SocketError::Resolve(libc::EAI_NONAME))?;
    // SAFETY: all zeros is a valid set of hints, with null pointers.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = family;
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut first = ptr::null_mut();
    // SAFETY: the name ends in NUL, the hints are valid, and `first` may be written to.
    let code = unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &hints, &mut first) };
    if code == libc::EAI_SYSTEM {
        return Err(SocketError::System(Errno::last()));
    }
    if code != 0 {
        return Err(SocketError::Resolve(code));
    }
    // SAFETY: after a success `first` is the head of a list, which lives until it is freed.
    let address = unsafe { first_address(first) };
    // SAFETY: the list came from `getaddrinfo`, is freed once, and no reference to it remains.
    unsafe { libc::freeaddrinfo(first) };
    address.ok_or(SocketError::Resolve(libc::EAI_NONAME))
}

/// # Safety
/// `entry` is null or the head of a list from `getaddrinfo` that has not been freed.
unsafe fn first_address(entry: *const libc::addrinfo) -> Option<IpAddr> {
    // SAFETY: promised by the caller.
    let entry = unsafe { entry.as_ref() }?;
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: the family determines the type of the address; the list aligns it for any type.
            let address = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().as_ref() }?;
            Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let address = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().as_ref() }?;
            Some(Ipv6Addr::from(address.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ip_addresses_need_no_resolver() {
        assert_eq!(address(""), Ok(Ipv4Addr::UNSPECIFIED.into()));
        assert_eq!(address("127.0.0.1"), Ok(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(address("::1"), Ok(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(address("[::1]"), Ok(Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn the_local_name_is_an_ipv4_address() {
        assert_eq!(address("localhost"), Ok(Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn an_invalid_name_is_a_resolver_error() {
        assert!(matches!(address("no such name"), Err(SocketError::Resolve(_))));
        assert_eq!(address("a\0b"), Err(SocketError::Resolve(libc::EAI_NONAME)));
    }
}
