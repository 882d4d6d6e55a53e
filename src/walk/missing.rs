//! What a command lacks in the root that it was to be executed in. It is looked for from outside, and
//! told only where the command saw the same.
use super::Run;
use super::channel::Failed;
use crate::error::{Error, quote};
use crate::root::why::Attempt;
use rustix::io::Errno;
use std::ffi::CStr;
use unshared_init::exec::DEFAULT_PATH;
use unshared_init::sys::Arguments;

impl Run<'_> {
    /// What execve(2) did not find.
    #[cold]
    #[inline(never)]
    pub(super) fn not_found(&self, failed: &Failed) -> Option<String> {
        if failed.errno != Errno::NOENT || failed.command != 0 {
            return None;
        }
        self.attempt()?.not_found()
    }

    /// What the only command did not find that ended with 127.
    #[cold]
    #[inline(never)]
    pub(super) fn not_loaded(&self) -> Option<Error> {
        let is_led_elsewhere = |name: &[u8]| self.environment.get(name).is_some();
        let searches = [&b"LD_LIBRARY_PATH"[..], b"LD_PRELOAD"];
        if self.commands.len() != 1 || searches.into_iter().any(is_led_elsewhere) {
            return None;
        }
        let attempt = self.attempt()?;
        let (command, root) = (quote(attempt.command), quote(attempt.root));
        let why = attempt.not_loaded()?;
        Some(Error::plain(format!("{command} ended with 127 inside root {root}")).hint(why))
    }

    /// The first command in its root, if nothing came before that may have mounted something there.
    fn attempt(&self) -> Option<Attempt<'_>> {
        let spec = self.spec;
        if spec.unpack.is_some() || spec.chroot.is_some() || !spec.pre_mount.is_empty() {
            return None;
        }
        let own = [&b"/proc"[..], b"/sys", b"/dev"].into_iter();
        let targets = spec.mounts.iter().map(|mount| mount.target().to_bytes());
        Some(Attempt {
            root: spec.root.as_ref()?.as_bytes(),
            directory: self.root?.as_bytes(),
            covered: own.chain(targets).collect(),
            command: self.commands.first().and_then(Arguments::first).map(CStr::to_bytes)?,
            cwd: spec.cwd.as_deref().map_or(b"/", CStr::to_bytes),
            path: self.environment.get(b"PATH").unwrap_or(DEFAULT_PATH),
        })
    }
}
