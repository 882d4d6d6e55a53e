//! What programs expect in a root: a few files of /etc and directories, as plain data. Each is made
//! only where there is nothing of that name.

/// Directories with their modes. The first ones are where filesystems are mounted later.
pub(crate) const DIRECTORIES: [(&[u8], u32); 8] = [
    (b"/proc", 0o555),
    (b"/sys", 0o555),
    (b"/dev", 0o755),
    (b"/run", 0o755),
    (b"/tmp", 0o1777),
    (b"/root", 0o700),
    (b"/etc", 0o755),
    (b"/var", 0o755),
];

/// Files with their contents.
pub(crate) const FILES: [(&[u8], &[u8]); 5] = [
    (
        b"/etc/passwd",
        b"root:x:0:0:root:/root:/bin/sh\n\
          daemon:x:1:1:daemon:/:/usr/sbin/nologin\n\
          nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    ),
    (
        b"/etc/group",
        b"root:x:0:\n\
          daemon:x:1:\n\
          tty:x:5:\n\
          disk:x:6:\n\
          users:x:100:\n\
          nogroup:x:65534:\n",
    ),
    (
        b"/etc/nsswitch.conf",
        b"passwd: files\n\
          group: files\n\
          shadow: files\n\
          hosts: files dns\n\
          networks: files\n\
          protocols: files\n\
          services: files\n",
    ),
    (
        b"/etc/hosts",
        b"127.0.0.1\tlocalhost\n\
          ::1\tlocalhost ip6-localhost ip6-loopback\n",
    ),
    (RESOLV_CONF, b"# no name server was known when this root was made\n"),
];

/// This one has the host's contents where the host has it.
pub(crate) const RESOLV_CONF: &[u8] = b"/etc/resolv.conf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_passwd_and_group_has_its_fields() {
        for (path, fields) in [(&b"/etc/passwd"[..], 7), (b"/etc/group", 4)] {
            let (_, text) = FILES.iter().find(|(name, _)| *name == path).unwrap();
            let text = std::str::from_utf8(text).unwrap();
            assert!(text.ends_with('\n') && text.starts_with("root:x:0:"));
            for line in text.lines() {
                assert_eq!(line.split(':').count(), fields, "{line}");
            }
        }
    }
}
