//! The harness: a shell script with the binary as `$CLI`, run as root or as an ordinary user.
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) mod boot;
pub(crate) mod terminal;

/// The folder with the binaries, which an ordinary user may enter.
pub(crate) fn dist() -> PathBuf {
    let dist = std::env::var_os("UNSHARED_DIST");
    PathBuf::from(dist.expect("UNSHARED_DIST is not set: run these tests by `make test`"))
}

pub(crate) fn cli() -> String {
    dist().join("unshared-cli").into_os_string().into_string().unwrap()
}

/// What came out of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// Fails unless the run printed this (outer space aside), nothing on standard error, and ended
    /// with 0.
    #[track_caller]
    pub(crate) fn prints(self, expected: &str) {
        assert_eq!(self.out.trim(), expected, "{self:?}");
        assert_eq!(self.err, "");
        assert_eq!(self.status, Some(0));
    }

    /// Fails unless the run ended with this status.
    #[track_caller]
    pub(crate) fn ends_with(self, status: i32) -> Outcome {
        assert_eq!(self.status, Some(status), "{self:?}");
        self
    }

    /// Fails unless that is what came on standard error.
    #[track_caller]
    pub(crate) fn err_is(self, expected: &str) -> Outcome {
        assert_eq!(self.err, expected, "{self:?}");
        self
    }

    /// Fails unless that is what came on standard output.
    #[track_caller]
    pub(crate) fn out_is(self, expected: &str) {
        assert_eq!(self.out, expected, "{self:?}");
    }

    /// Fails unless exactly one line came on standard error, and it has all these parts.
    #[track_caller]
    pub(crate) fn complains(self, status: i32, parts: &[&str]) {
        self.complains_as("unshared-cli", status, parts);
    }

    /// The same of the reaper alone.
    #[track_caller]
    pub(crate) fn init_complains(self, status: i32, parts: &[&str]) {
        self.complains_as("unshared-init", status, parts);
    }

    #[track_caller]
    fn complains_as(self, name: &str, status: i32, parts: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "one line: {self:?}");
        assert!(self.err.starts_with(&format!("{name}: ")), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        }
    }
}

/// In seconds: that long is for a hang, which would otherwise be the whole suite's.
const LIMIT: u32 = 180;

/// A run as root.
pub(crate) fn root(script: &str) -> Outcome {
    run(&[], script, LIMIT)
}

/// A run as the user nobody.
pub(crate) fn nobody(script: &str) -> Outcome {
    run(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], script, LIMIT)
}

/// A run of a Python script as root, for what a shell cannot say: signal masks, sockets, counting.
pub(crate) fn python(script: &str) -> Outcome {
    python_within(script, LIMIT)
}

/// The same with another limit, in seconds.
pub(crate) fn python_within(script: &str, limit: u32) -> Outcome {
    const BEFORE: &str = include_str!("before.py");
    let script = format!(
        "exec python3 -c \"$(cat <<'END_OF_SCRIPT'\n{BEFORE}\n{script}\nEND_OF_SCRIPT\n)\""
    );
    run(&[], &script, limit)
}

/// A state directory of that run's own, made by the first instance.
struct State(PathBuf);

impl State {
    fn new() -> State {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("unshared-tests.{}.{count}", std::process::id());
        State(std::env::temp_dir().join(name))
    }

    /// Fails if an instance was left.
    #[track_caller]
    fn end(self) {
        let Err(error) = std::fs::remove_dir(&self.0) else { return };
        if error.kind() != std::io::ErrorKind::NotFound {
            let left: Vec<_> = std::fs::read_dir(&self.0).unwrap().flatten().collect();
            let _ = std::fs::remove_dir_all(&self.0);
            panic!("{error}: {left:?}");
        }
    }
}

/// A payload that leaves that many orphans behind, which all end at once with it, and ends with 77.
/// They wait for a writer of a FIFO. No Python: forks of a small process are cheap.
pub(crate) fn leaves_orphans(number: u32) -> String {
    format!(
        "sh -c 'f=$(mktemp -u); mkfifo $f; \
         (i=0; while [ $i -lt {number} ]; do read line <$f & i=$((i + 1)); done); \
         exec 3<>$f; rm $f; exec 3>&-; exit 77'"
    )
}

/// With UNSHARED_WITHOUT, a filter in front of everything that is run (without.py).
fn older_kernel() -> Vec<&'static str> {
    match std::env::var_os("UNSHARED_WITHOUT") {
        Some(_) => vec!["python3", "-c", include_str!("without.py")],
        None => Vec::new(),
    }
}

fn run(prefix: &[&str], script: &str, limit: u32) -> Outcome {
    let limit = limit.to_string();
    let words = ["timeout", "--foreground", "-k", "1", &limit].into_iter();
    let words = older_kernel().into_iter().chain(words);
    let mut words = words.chain(prefix.iter().copied()).chain(["bash", "-c", script]);
    let state = State::new();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .env("CLI", cli())
        .env("INIT", dist().join("unshared-init"))
        .env("LC_ALL", "C")
        .env_remove("XDG_RUNTIME_DIR")
        .env("UNSHARED_STATE", &state.0)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    state.end();
    Outcome {
        status: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether Debian's erlang-base is installed; says that a test is skipped where it is not.
pub(crate) fn has_erlang() -> bool {
    let there = std::path::Path::new("/usr/lib/erlang").exists();
    if !there {
        assert!(std::env::var_os("UNSHARED_MUST_WORK").is_none(), "erlang-base is not installed");
        eprintln!("skipped: erlang-base is not installed");
    }
    there
}
