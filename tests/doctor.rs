//! `doctor`: what works here, what does not, and why.
use crate::common::{nobody, root};

/// Runs the doctor with a call answered by an error, in whatever it starts.
fn without(call: &str, errno: &str) -> String {
    format!("strace -f -qq -o /dev/null -e trace={call} -e inject={call}:error={errno} $CLI doctor")
}

#[test]
fn what_a_spawn_needs_works_here_and_the_status_says_so() {
    for run in [root, nobody] {
        let outcome = run("$CLI doctor; echo $?").ends_with(0);
        assert_eq!(outcome.err, "");
        for works in ["user namespace", "time namespace", "a new /proc", "all namespaces at once"] {
            assert!(outcome.out.contains(&format!("works  {works}\n")), "{outcome:?}");
        }
        assert!(outcome.out.ends_with("spawn --all works here\n0\n"), "{outcome:?}");
        let lines = outcome.out.lines().filter(|line| !line.starts_with("works  "));
        assert!(lines.clone().count() < 10, "{outcome:?}");
        // What does not work, says why.
        assert!(lines.filter(|line| line.starts_with("no ")).all(|line| line.contains(": ")));
    }
}

#[test]
fn what_does_not_work_has_its_reason_and_the_status_says_so() {
    let outcome = root(&without("sethostname", "ENOMEM")).ends_with(1);
    let told = "no     uts namespace: set hostname \"doctor\": ENOMEM\n";
    assert!(outcome.out.contains(told), "{outcome:?}");
    assert!(outcome.out.contains("works  mount namespace\n"), "{outcome:?}");
    assert!(outcome.out.ends_with("spawn --all does not work here\n"), "{outcome:?}");
}

#[test]
fn what_spawn_does_not_need_is_told_and_does_not_count() {
    let outcome = root(&without("landlock_create_ruleset", "ENOSYS")).ends_with(0);
    assert!(outcome.out.contains("no     Landlock: --ro-path, --rw-path: ENOSYS (this kernel"));
    let outcome = root(&without("clone3", "ENOSYS")).ends_with(0);
    assert!(outcome.out.contains("no     clone3: ENOSYS (Linux 5.3"), "{outcome:?}");
}

#[test]
fn where_nothing_works_each_line_says_what_to_do() {
    let outcome = nobody(
        "unshare -r chroot / true 2>/dev/null; \
        unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -all --inh-caps -all $CLI doctor'",
    );
    let outcome = outcome.ends_with(1);
    let told = "no     user namespace: make new user namespace: ENOSPC (user.max_user_namespaces is 0: raise it)";
    assert!(outcome.out.contains(told), "{outcome:?}");
    assert!(outcome.out.ends_with("spawn --all does not work here\n"), "{outcome:?}");
}

#[test]
fn in_a_chroot_it_says_what_a_chroot_cannot_have() {
    let outcome = root(
        "d=$(mktemp -d); chmod 755 $d; mkdir $d/proc $d/tmp; chmod 777 $d/tmp; cp $CLI $d/cli; mount -t proc proc $d/proc; \
         chroot $d /cli doctor; echo $?; chroot --userspec=65534:65534 $d /cli doctor; echo $?; umount $d/proc; rm -r $d",
    )
    .ends_with(0);
    let told = "no     user namespace: make new user namespace: EPERM (in a chroot the kernel makes no user namespace; enter the root by pivot_root)\n";
    assert_eq!(outcome.out.matches(told).count(), 2, "{outcome:?}");
    assert!(outcome.out.contains("\"/\" is a chroot and not a mount"), "{outcome:?}");
    assert_eq!(
        outcome.out.matches("spawn --all does not work here\n1\n").count(),
        2,
        "{outcome:?}"
    );
}

#[test]
fn json_is_one_object() {
    root(
        "$CLI doctor --json | python3 -c '
import json, sys
told = json.load(sys.stdin)
checks = {one[\"name\"]: one for one in told[\"checks\"]}
print(told[\"spawn_all\"], checks[\"user namespace\"], len(checks) > 15, all(one[\"works\"] or one[\"why\"] for one in told[\"checks\"]))'",
    )
    .prints("True {'name': 'user namespace', 'needed': True, 'works': True} True True");
}

#[test]
fn nothing_is_left_behind_and_other_words_are_refused() {
    root("ls -A $UNSHARED_STATE 2>/dev/null; $CLI doctor >/dev/null; ls -A $UNSHARED_STATE")
        .prints("");
    for (words, part) in
        [("--jsn", "did you mean --json?"), ("--json x", "one word too many: \"x\"")]
    {
        root(&format!("$CLI doctor {words}")).complains(125, &[part]);
    }
}
