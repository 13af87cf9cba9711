//! Reading and writing the memory of a program that waits in a notified call.
#![expect(
    unsafe_code,
    reason = "process_vm_readv and process_vm_writev have no safe wrapper"
)]

use std::io;

fn transferred(result: isize, expected: usize) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else if result as usize == expected {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EFAULT))
    }
}

/// Fills `buffer` from `address` of the task `tid`.
pub(crate) fn read(tid: u32, address: u64, buffer: &mut [u8]) -> io::Result<()> {
    if buffer.is_empty() {
        return Ok(());
    }
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut _,
        iov_len: buffer.len(),
    };
    // SAFETY: `local` describes `buffer`, borrowed exclusively; `remote` names another process's
    // memory, which the kernel checks.
    let result =
        unsafe { libc::process_vm_readv(tid as i32, &raw const local, 1, &raw const remote, 1, 0) };
    transferred(result, buffer.len())
}

/// Copies `bytes` to `address` of the task `tid`.
pub(crate) fn write(tid: u32, address: u64, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let local = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut _,
        iov_len: bytes.len(),
    };
    // SAFETY: `local` describes `bytes`, which the kernel only reads; `remote` names another
    // process's memory, which the kernel checks.
    let result = unsafe {
        libc::process_vm_writev(tid as i32, &raw const local, 1, &raw const remote, 1, 0)
    };
    transferred(result, bytes.len())
}

/// Reads a C `int`.
pub(crate) fn read_int(tid: u32, address: u64) -> io::Result<i32> {
    let mut bytes = [0; 4];
    read(tid, address, &mut bytes)?;
    Ok(i32::from_ne_bytes(bytes))
}

/// Answers a call that returns `value` through a pointer and a value-result length: at most the
/// caller's length is copied, and the length becomes the full size when `report_full`, as
/// `getpeername` does, or what was copied, as `getsockopt` does.
pub(crate) fn write_bounded(
    tid: u32,
    address: u64,
    length_address: u64,
    value: &[u8],
    report_full: bool,
) -> io::Result<()> {
    let room = usize::try_from(read_int(tid, length_address)?)
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let copied = room.min(value.len());
    write(tid, address, &value[..copied])?;
    let length = if report_full { value.len() } else { copied } as i32;
    write(tid, length_address, &length.to_ne_bytes())
}
