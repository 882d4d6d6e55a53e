//! The payload's credentials: groups and ids, and the capabilities that are left to it.
use crate::spec::capability::Capabilities;
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{self, CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

/// Groups first, and the user id last, since it takes the right to change the others with it. With
/// `keeps`, the permitted capabilities stay until execve(2), for [`limit`] to choose from.
#[cold]
#[inline(never)]
pub(crate) fn set_ids(
    uid: Option<u32>,
    gid: Option<u32>,
    clear_groups: bool,
    keeps: bool,
) -> Result<(), Errno> {
    if clear_groups && let Err(errno) = thread::set_thread_groups(&[]) {
        // Whoever may not drop any needs not, if none is left but the one that stays anyway.
        let kept = gid.map_or_else(rustix::process::getgid, Gid::from_raw);
        let groups = rustix::process::getgroups()?;
        if errno != Errno::PERM || groups.iter().any(|group| *group != kept) {
            return Err(errno);
        }
    }
    if let Some(gid) = gid.map(Gid::from_raw) {
        thread::set_thread_res_gid(gid, gid, gid)?;
    }
    if let Some(uid) = uid.map(Uid::from_raw) {
        if keeps {
            thread::set_keep_capabilities(true)?;
        }
        thread::set_thread_res_uid(uid, uid, uid)?;
    }
    Ok(())
}

/// Payload, ids changed: nothing but `kept` stays in any set. Root's programs get all of that
/// (capabilities(7)); whoever is not root gets what of it is in `added`, through the ambient set.
///
/// With `locks_root`, the second kind stays so: no change of its user id gives it more. Root gets the
/// ambient set too where the caller's securebits take its meaning from it.
#[cold]
#[inline(never)]
pub(crate) fn limit(
    kept: Capabilities,
    added: Capabilities,
    locks_root: bool,
) -> Result<(), Errno> {
    let own = thread::capabilities(None)?;
    let named = if added == Capabilities::ALL { Capabilities::default() } else { added };
    if !own.permitted.contains(set(named)) {
        return Err(Errno::PERM);
    }
    // What is asked for below takes CAP_SETPCAP, and a change of the uid has left none in effect.
    thread::set_capabilities(None, CapabilitySets { effective: own.permitted, ..own })?;
    for number in (0..u64::BITS).filter(|number| !kept.has(*number)) {
        let one = set(Capabilities(1 << number));
        match thread::capability_is_in_bounding_set(one) {
            Ok(true) => thread::remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            // The kernel knows no more.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    let is_root = rustix::process::geteuid().is_root();
    let bits = thread::capabilities_secure_bits()?;
    let is_plain = bits.contains(CapabilitiesSecureBits::NO_ROOT);
    if locks_root && !is_root {
        let no_root = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
        if !bits.contains(no_root) {
            thread::set_capabilities_secure_bits(bits | no_root)?;
        }
    }
    let left = own.permitted & set(kept) & set(if is_root { Capabilities::ALL } else { added });
    let inheritable = if is_root && !is_plain { CapabilitySet::empty() } else { left };
    match thread::clear_ambient_capability_set() {
        // There is no such set before Linux 4.3, and nothing in it.
        Err(Errno::INVAL) if inheritable.is_empty() => {}
        other => other?,
    }
    let sets = CapabilitySets { effective: left, permitted: left, inheritable };
    thread::set_capabilities(None, sets)?;
    for number in
        (0..u64::BITS).filter(|number| inheritable.contains(set(Capabilities(1 << number))))
    {
        thread::configure_capability_in_ambient_set(set(Capabilities(1 << number)), true)?;
    }
    Ok(())
}

/// As rustix has it.
fn set(capabilities: Capabilities) -> CapabilitySet {
    CapabilitySet::from_bits_retain(capabilities.0)
}
