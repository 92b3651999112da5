//! Datagrams with the process that sent them: the kernel says who that is.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, getsockname, setsockopt, socket, sockopt};

use crate::datagram::Datagram;

/// The most descriptors that can come with a datagram (`SCM_MAX_FD`). All are taken: those for which there is no room the kernel
/// closes within the call, which may wait for as long as the sender likes (`SO_LINGER`).
const MOST_DESCRIPTORS: usize = 253;

/// Whether descriptors can be sent to a socket; from Linux 6.16 on. The C library does not have it yet.
const SO_PASSRIGHTS: libc::c_int = 83;

/// Space for the headers with the sender and the descriptors.
const CONTROL_WORDS: usize = {
    let descriptors = (MOST_DESCRIPTORS * size_of::<RawFd>()) as libc::c_uint;
    // SAFETY: they take numbers.
    let bytes = unsafe { libc::CMSG_SPACE(size_of::<libc::ucred>() as libc::c_uint) + libc::CMSG_SPACE(descriptors) };
    (bytes as usize).div_ceil(size_of::<u64>())
};

pub(crate) fn open_notification_socket(name: &[u8]) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let opened = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    setsockopt(&opened, sockopt::PassCred, &true)?;
    bind(opened.as_raw_fd(), &UnixAddr::new_abstract(name)?)?;
    Ok(opened)
}

pub(crate) fn abstract_address(name: &[u8]) -> io::Result<UnixAddr> {
    Ok(UnixAddr::new_abstract(name)?)
}

pub(crate) fn abstract_name_of(socket: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let address: UnixAddr = getsockname(socket.as_raw_fd())?;
    address.as_abstract().map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

pub(crate) fn accept_descriptors(socket: BorrowedFd<'_>, accepts: bool) -> io::Result<()> {
    let value = libc::c_int::from(accepts);
    let (pointer, length) = ((&raw const value).cast(), size_of_val(&value) as libc::socklen_t);
    // SAFETY: the system reads the number, whose length is given.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_PASSRIGHTS, pointer, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(crate) fn receive_datagram(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Datagram> {
    // Words, because headers must be aligned.
    let mut control = [0_u64; CONTROL_WORDS];
    let mut into = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeros is a valid value of this structure of numbers and pointers.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut into;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // The type of a length differs by C library.
    message.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the pointers may be written to for the given lengths.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    if length < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_whole = message.msg_flags & libc::MSG_TRUNC == 0;
    let mut datagram = Datagram { length: length.unsigned_abs(), is_whole, pid: 0, uid: 0, descriptors: Vec::new() };
    // Of what did not fit, the kernel has written as much as fits.
    // SAFETY: the kernel has written the headers, and gives their total length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    // SAFETY: as above; it is null after the last header.
    while let Some(part) = unsafe { header.as_ref() } {
        // SAFETY: it takes a number.
        #[allow(clippy::unnecessary_cast, reason = "its type differs by C library")]
        let bytes = part.cmsg_len as usize - unsafe { libc::CMSG_LEN(0) } as usize;
        // SAFETY: the header is followed by that many bytes.
        let data = unsafe { libc::CMSG_DATA(part) };
        match (part.cmsg_level, part.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if bytes >= size_of::<libc::ucred>() => {
                // SAFETY: it is such a structure, possibly unaligned.
                let sender = unsafe { data.cast::<libc::ucred>().read_unaligned() };
                (datagram.pid, datagram.uid) = (sender.pid.unsigned_abs(), sender.uid);
            }
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                for index in 0..bytes / size_of::<RawFd>() {
                    // SAFETY: it is one of that many numbers, possibly unaligned. The kernel has just made the descriptor for
                    // this process, so that it has no other owner.
                    let owned = unsafe { OwnedFd::from_raw_fd(data.cast::<RawFd>().add(index).read_unaligned()) };
                    datagram.descriptors.push(owned);
                }
            }
            _ => {}
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(&message, header) };
    }
    Ok(datagram)
}
