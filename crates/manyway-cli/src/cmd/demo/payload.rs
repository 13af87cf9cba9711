//! The file that is downloaded.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Writes `size` random bytes to `path`; their SHA-256.
pub(super) fn create(path: &Path, size: u64) -> io::Result<[u8; 32]> {
    let mut random = File::open("/dev/urandom")?.take(size);
    let mut file = File::create(path)?;
    let digest = pump(&mut random, |chunk| file.write_all(chunk))?;
    file.flush()?;
    Ok(digest)
}

/// The SHA-256 of a file; `None` if there is no such file.
pub(super) fn digest(path: &Path) -> io::Result<Option<[u8; 32]>> {
    match File::open(path) {
        Ok(mut file) => pump(&mut file, |_| Ok(())).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn pump(
    from: &mut impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let got = from.read(&mut buffer)?;
        if got == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..got]);
        each(&buffer[..got])?;
    }
}
