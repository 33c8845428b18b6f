//! Names of network namespaces.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Where `ip netns` and the plugins of Kubernetes (`cni-…`) keep names, and where Docker does.
const FOLDERS: [&str; 2] = ["/run/netns", "/run/docker/netns"];

/// So many entries of a folder are looked at.
const MOST: usize = 16_384;

/// Names by inode, read again when a folder has changed.
#[derive(Debug)]
pub struct Namespaces {
    folders: Vec<Folder>,
    names: HashMap<u32, Arc<[u8]>>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// When it was changed last, as read; `None` if it was not there.
    changed: Option<SystemTime>,
}

impl Namespaces {
    /// The machine's own.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::new(FOLDERS.map(PathBuf::from))
    }

    /// Those in `folders`; of several names the first folder's counts.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let folder = |path| Folder {
            path,
            changed: None,
        };
        Self {
            folders: folders.into_iter().map(folder).collect(),
            names: HashMap::new(),
        }
    }

    /// The name of the namespace with this inode, if it has one. A look at each folder's time, unless
    /// one of them has changed.
    pub fn name(&mut self, inode: u32) -> Option<Arc<[u8]>> {
        self.refresh();
        self.names.get(&inode).cloned()
    }

    fn refresh(&mut self) {
        let mut changed = false;
        for folder in &mut self.folders {
            let now = fs::metadata(&folder.path)
                .and_then(|metadata| metadata.modified())
                .ok();
            changed |= now != folder.changed;
            folder.changed = now;
        }
        if changed {
            self.read();
        }
    }

    fn read(&mut self) {
        self.names.clear();
        for folder in &mut self.folders {
            let Ok(around) = fs::metadata(&folder.path) else {
                continue;
            };
            let entries = fs::read_dir(&folder.path).into_iter().flatten().flatten();
            for entry in entries.take(MOST) {
                let Ok(metadata) = fs::metadata(entry.path()) else {
                    continue;
                };
                // A name is made as an empty file, and then the namespace is mounted on it, which does
                // not change the folder: until then it has to be looked at again.
                if metadata.dev() == around.dev() {
                    folder.changed = None;
                    continue;
                }
                if let Ok(inode) = u32::try_from(metadata.ino()) {
                    let name = entry.file_name().into_vec();
                    self.names.entry(inode).or_insert_with(|| name.into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A link to a file of another file system stands for the mount that only root can make.
    #[test]
    fn names_come_and_go() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let own = "/proc/self/ns/net";
        let inode = u32::try_from(fs::metadata(own).unwrap().ino()).unwrap();
        let mut namespaces = Namespaces::new([first.path().into(), second.path().into()]);
        let mut name = || namespaces.name(inode).map(|name| name.to_vec());
        assert_eq!(name(), None);
        symlink(own, second.path().join("late")).unwrap();
        assert_eq!(name(), Some(b"late".to_vec()));
        symlink(own, first.path().join("blue")).unwrap();
        assert_eq!(name(), Some(b"blue".to_vec()));
        // A name that has no namespace yet gets one without any change of the folder.
        fs::write(first.path().join("empty"), b"").unwrap();
        assert_eq!(name(), Some(b"blue".to_vec()));
        fs::remove_file(first.path().join("blue")).unwrap();
        fs::remove_file(second.path().join("late")).unwrap();
        assert_eq!(name(), None);
    }

    #[test]
    fn no_folder_is_no_name() {
        let mut namespaces = Namespaces::new([PathBuf::from("/nonexistent/netns")]);
        assert_eq!(namespaces.name(1), None);
    }
}
