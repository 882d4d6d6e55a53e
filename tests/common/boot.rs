//! Real boots: an initramfs of named files, Debian's cloud kernel, and qemu without KVM.
//!
//! ```ignore
//! let boot = Machine::new().shell().script("echo $((6 * 7)); poweroff -f").boot("");
//! boot.ends(End::PowerOff).says("42");
//! ```
mod watch;

use super::{cli, dist};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
pub(crate) use watch::{Boot, End};
use watch::{Turn, watch};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

/// A machine that is to be booted. It has 256 MB, one processor, and a serial console, ttyS0.
pub(crate) struct Machine {
    entries: Vec<(String, u32, Vec<u8>)>,
    /// What the kernel has for its console.
    console: &'static str,
    /// An image that is booted as it is.
    packed: Option<PathBuf>,
    /// More words for qemu.
    qemu: Vec<String>,
    /// What is typed once the console says something.
    typed: Vec<(String, String)>,
    /// Words for the kernel besides those of [`Machine::boot`].
    words: String,
    /// What the serial line is to qemu.
    serial: &'static str,
}

impl Machine {
    /// Nothing but our binary, as /init.
    pub(crate) fn new() -> Machine {
        let init = std::fs::read(cli()).unwrap();
        Machine::with_init(init)
    }

    /// This image as it is.
    pub(crate) fn packed(image: PathBuf) -> Machine {
        Machine { packed: Some(image), ..Machine::with_init(Vec::new()) }
    }

    /// Nothing but this program, as /init.
    fn with_init(init: Vec<u8>) -> Machine {
        let entries = vec![("init".to_owned(), PROGRAM, init)];
        let (qemu, typed) = (Vec::new(), Vec::new());
        let (console, serial, words) = ("ttyS0", "stdio", String::new());
        Machine { entries, console, packed: None, qemu, typed, words, serial }
    }

    /// Adds a file with its permissions; its directories come by themselves.
    pub(crate) fn file(mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Machine {
        self.directories(path);
        self.entries.push((path.trim_matches('/').to_owned(), 0o100_000 | mode, bytes.into()));
        self
    }

    /// Adds a symbolic link.
    pub(crate) fn link(mut self, path: &str, target: &str) -> Machine {
        self.directories(path);
        self.entries.push((path.trim_matches('/').to_owned(), LINK, target.into()));
        self
    }

    /// Adds a file of this machine, at its place.
    pub(crate) fn host(self, path: &str) -> Machine {
        let bytes = std::fs::read(path).unwrap();
        self.file(path, 0o755, bytes)
    }

    /// Adds busybox with all its names, and our binary as unshared-cli.
    pub(crate) fn shell(mut self) -> Machine {
        let list = Command::new("/bin/busybox").arg("--list").output().unwrap();
        self = self.host("/bin/busybox").link("/bin/unshared-cli", "/init");
        for name in String::from_utf8(list.stdout).unwrap().lines().filter(|one| *one != "busybox")
        {
            self = self.link(&format!("/bin/{name}"), "busybox");
        }
        self
    }

    /// Adds modules of the kernel by the names of their files, with those that they need.
    pub(crate) fn modules(mut self, names: &[&str]) -> Machine {
        let folder = format!("/lib/modules/{}", release());
        // The kernel calls it when it needs one.
        self = self.link("/sbin/modprobe", "/init");
        for index in ["modules.dep", "modules.alias", "modules.builtin"] {
            self = self.host(&format!("{folder}/{index}"));
        }
        let dep = std::fs::read_to_string(format!("{folder}/modules.dep")).unwrap();
        for name in names {
            let needs = dep.lines().find(|line| {
                line.split(':').next().is_some_and(|path| path.ends_with(&format!("/{name}.ko")))
            });
            let needs = needs.unwrap_or_else(|| panic!("no {name} in modules.dep"));
            for path in needs.split([':', ' ']).filter(|path| !path.is_empty()) {
                self = self.host(&format!("{folder}/{path}"));
            }
        }
        self
    }

    /// Compresses a module that was added, by this program: its file's name ends with `suffix` then.
    pub(crate) fn compress(mut self, name: &str, suffix: &str, program: &[&str]) -> Machine {
        let (plain, compressed) = (format!("/{name}.ko"), format!("/{name}.ko{suffix}"));
        for (path, _, bytes) in &mut self.entries {
            if path.ends_with(&plain) {
                *bytes = output(&[program, &["-c", &format!("/{path}")]].concat());
                path.push_str(suffix);
            } else if path.ends_with("/modules.dep") {
                let text = String::from_utf8(std::mem::take(bytes)).unwrap();
                *bytes = text.replace(&plain, &compressed).into_bytes();
            }
        }
        self
    }

    /// Adds a program in C.
    pub(crate) fn program(self, path: &str, text: &str) -> Machine {
        let folder = Folder::new(&path.replace('/', "-"));
        let (source, program) = (folder.path("program.c"), folder.path("program"));
        std::fs::write(&source, text).unwrap();
        let words =
            [source, program.clone()].map(|path| path.into_os_string().into_string().unwrap());
        output(&["gcc", "-static", &words[0], "-o", &words[1]]);
        self.file(path, 0o755, std::fs::read(program).unwrap())
    }

    /// Has qemu's monitor read what is typed between two Ctrl-A c.
    pub(crate) fn monitor(mut self) -> Machine {
        self.serial = "mon:stdio";
        self
    }

    /// Runs this script by the shell, as the whole of the payload: `unshared.exec=`.
    pub(crate) fn script(mut self, text: &str) -> Machine {
        self.words = "unshared.exec=/test".to_owned();
        self.file("/test", 0o755, format!("#!/bin/sh\n{text}\n"))
    }

    /// More words for qemu.
    pub(crate) fn qemu(mut self, words: &[&str]) -> Machine {
        self.qemu.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// A disk whose driver the kernel has built in: /dev/nvme0n1.
    pub(crate) fn disk(self, image: &Path) -> Machine {
        let drive = format!("if=none,id=disk,format=raw,file={}", image.display());
        self.qemu(&["-drive", &drive, "-device", "nvme,serial=1,drive=disk"])
    }

    /// Another console than the serial line, which the kernel then says nothing on.
    pub(crate) fn console(mut self, name: &'static str) -> Machine {
        self.console = name;
        self
    }

    /// Types `text` once the console has said `prompt`. Several are waited for one after the other.
    pub(crate) fn types(mut self, prompt: &str, text: &str) -> Machine {
        self.typed.push((prompt.to_owned(), text.to_owned()));
        self
    }

    /// Boots it with these words on the kernel's command line, and waits for its end.
    pub(crate) fn boot(mut self, words: &str) -> Boot {
        let turn = Turn::wait();
        let image = dist().join(format!("boot-{:?}", std::thread::current().id()));
        match &self.packed {
            Some(packed) => drop(std::fs::copy(packed, &image).unwrap()),
            None => std::fs::write(&image, cpio(&self.entries)).unwrap(),
        }
        // A host with much to do is too slow for the kernel's look at the timer.
        let words = format!(
            "console={} quiet panic=-1 no_timer_check {} {words}",
            self.console, self.words
        );
        let machine = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg", "-nodefaults", "-display", "none", "-serial", self.serial])
            .args(["-no-reboot", "-m", "256", "-append", words.trim(), "-kernel"])
            .arg(kernel())
            .arg("-initrd")
            .arg(&image)
            .args(&self.qemu)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-x86_64 (Debian's package qemu-system-x86)");
        let boot = watch(machine, std::mem::take(&mut self.typed));
        std::fs::remove_file(&image).unwrap();
        drop(turn);
        boot
    }

    fn directories(&mut self, path: &str) {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            let directory = path.get(..end).unwrap();
            if !self.entries.iter().any(|(name, ..)| name == directory) {
                self.entries.push((directory.to_owned(), DIRECTORY, Vec::new()));
            }
        }
    }
}

/// What a program of this machine prints.
pub(crate) fn output(words: &[&str]) -> Vec<u8> {
    let output = Command::new(words[0]).args(&words[1..]).output().expect(words[0]);
    assert!(output.status.success(), "{words:?}: {output:?}");
    output.stdout
}

/// A folder of a test, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let name = format!("unshared-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl std::fmt::Display for Folder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.display().fmt(formatter)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The newest of Debian's cloud kernels.
fn kernel() -> PathBuf {
    let all = std::fs::read_dir("/boot").unwrap().map(|entry| entry.unwrap().path());
    let is_kernel = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("vmlinuz-") && name.contains("-cloud-")
    };
    all.filter(is_kernel).max().expect("a kernel in /boot (Debian's linux-image-cloud-amd64)")
}

/// Its name, as uname(1) -r says it.
pub(crate) fn release() -> String {
    let kernel = kernel();
    let name = kernel.file_name().unwrap().to_str().unwrap();
    name.strip_prefix("vmlinuz-").unwrap().to_owned()
}

/// An archive of the kind newc.
fn cpio(entries: &[(String, u32, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    let end = [("TRAILER!!!".to_owned(), 0, Vec::new())];
    for (number, (name, mode, bytes)) in entries.iter().chain(&end).enumerate() {
        let (size, name_size) = (bytes.len(), name.len() + 1);
        let fields = [number + 1, *mode as usize, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        archive.extend(b"070701");
        archive.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        archive.extend(name.bytes().chain([0]));
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(bytes);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}
