//! Hard links: the names of one file, of which any may come with its data.
use super::{Identity, Meta, Tree, file_type, split};
use crate::error::{Error, quote};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, chmodat, fchmod, linkat, openat, statat};
use rustix::io::Errno;

/// The file that the other names of a hard link lead to: its first name, and what it really is.
pub(super) struct Link {
    path: Vec<u8>,
    device: u64,
    inode: u64,
}

impl Tree {
    /// Links `path` to the file that was made for the same identity, if one was.
    pub(super) fn is_linked(
        &mut self,
        path: &[u8],
        identity: Option<Identity>,
    ) -> Result<bool, Error> {
        let Some(link) = identity.and_then(|identity| self.links.get(&identity)) else {
            return Ok(false);
        };
        let (first, device, inode) = (link.path.clone(), link.device, link.inode);
        let resolve = |tree: &mut Tree| {
            let (parent, name) = split(&first);
            let parent = tree.directory_of(parent, true)?;
            // Another entry may have taken its place, a device node for one.
            let found = statat(&*parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let is_of_type = identity.is_some_and(|(.., kind)| kind == found.st_mode & 0o170_000);
            if (found.st_dev, found.st_ino) != (device, inode) || !is_of_type {
                return Err(Errno::STALE);
            }
            Ok((parent, name.to_vec()))
        };
        let (old_parent, old_name) = match resolve(self) {
            Ok(found) => found,
            Err(_) => return Ok(false),
        };
        if first != path {
            self.make("hard link", path, |parent, name| {
                linkat(&*old_parent, old_name.as_slice(), parent, name, AtFlags::empty())
            })?;
        }
        Ok(true)
    }

    /// Opens a file that we made before, under the name that was just linked to it.
    pub(super) fn open_again(&mut self, path: &[u8], meta: Meta) -> Result<OwnedFd, Error> {
        let (parent, name) = split(path);
        let open = |tree: &mut Tree| {
            let parent = tree.directory_of(parent, true)?;
            if file_type(&parent, name)? != FileType::RegularFile {
                return Err(Errno::NOTDIR);
            }
            if tree.uid != 0 {
                // Its mode may be one that even its owner may not write with.
                chmodat(&*parent, name, Mode::RUSR | Mode::WUSR, AtFlags::empty())?;
            }
            let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = openat(&*parent, name, flags, Mode::empty())?;
            fchmod(&file, Mode::from_bits_truncate(meta.mode & 0o777))?;
            Ok(file)
        };
        open(self).map_err(|errno| Error::system(format!("open {}", quote(path)), errno))
    }

    /// Notes the file that other names may follow for.
    pub(super) fn remember_link(
        &mut self,
        path: &[u8],
        identity: Option<Identity>,
    ) -> Result<(), Error> {
        let Some(identity) = identity else {
            return Ok(());
        };
        self.remember(path.len())?;
        let (parent, name) = split(path);
        let parent = self.directory_of(parent, true);
        let found = parent.and_then(|parent| statat(&*parent, name, AtFlags::SYMLINK_NOFOLLOW));
        let found =
            found.map_err(|errno| Error::system(format!("look at {}", quote(path)), errno))?;
        let link = Link { path: path.to_vec(), device: found.st_dev, inode: found.st_ino };
        self.links.insert(identity, link);
        Ok(())
    }
}
