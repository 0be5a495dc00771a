//! Files that a daemon with every right writes where others may write too.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes `text` to `path` with `mode`; readers see all of it or what was there before.
///
/// The name may lie in `/tmp`: whatever somebody has put there, a link or a pipe, is replaced,
/// never followed and never waited for.
///
/// # Errors
/// The system's.
pub fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    // Gone already is what is wanted; anything else shows at the next step.
    let _ = fs::remove_file(&beside);
    let beside = Path::new(&beside);
    create(beside, text, mode)
        .and_then(|()| fs::rename(beside, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(beside);
        })
}

/// Writes `text` to the new file `path` with `mode`.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if there is anything of that name, or the system's.
pub fn create(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let folder = std::env::temp_dir().join(format!("vipd-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, victim) = (folder.join("stats"), folder.join("victim"));
        fs::write(&victim, "kept").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        replace(&path, "new", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
}
