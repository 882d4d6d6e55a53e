//! `--limit`: a cgroup of its own for an instance. Controllers of version 2 are in a boot; here there may
//! be a hierarchy without any.
use crate::common::boot::{End, Machine};
use crate::common::{nobody, root};

/// Begins a script that is in a cgroup of its own, `$C$own`, of the hierarchy of version 2 in `$C`; it is
/// gone afterwards.
const MAKE: &str = "C=$(awk '$3 == \"cgroup2\" {print $2; exit}' /proc/mounts); \
    cgroup() { sed -n 's/^0:://p' /proc/self/cgroup; }; home=$C$(cgroup); mkdir $home/limits-test-$$; \
    trap 'echo $$ >$home/cgroup.procs; for i in {1..400}; do rmdir $home/limits-test-$$ 2>/dev/null && break; sleep 0.05; done' EXIT; \
    echo $$ >$home/limits-test-$$/cgroup.procs; own=$(cgroup); ";

/// A limit that needs no controller.
const LIMIT: &str = "--limit cgroup.max.descendants=3";

/// Whether there is a hierarchy of version 2; says that a test is skipped where there is none.
fn has_hierarchy() -> bool {
    let there = std::fs::read_to_string("/proc/mounts").unwrap().contains(" cgroup2 ");
    if !there {
        eprintln!("skipped: cgroup2 is not mounted");
    }
    there
}

#[test]
fn a_controller_that_version_2_has_not_got_is_told_and_nothing_is_run() {
    let has = "cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null | grep -qw memory";
    let outcome = root(&format!(
        "{has} && exit; $CLI spawn --limit memory.max=64M --limit cgroup.max.depth=1 -- echo no"
    ));
    if outcome.status != Some(0) {
        outcome.complains(125, &["--limit", "cgroup v2", "cgroup_no_v1=all"]);
    }
}

#[test]
fn what_is_no_limit_is_refused() {
    for (limit, told) in [
        ("memory.max", "FILE=VALUE"),
        ("../x.y=1", "FILE=VALUE"),
        ("memory.max=", "FILE=VALUE"),
        ("cgroup.procs=1", "that file is no limit"),
    ] {
        root(&format!("$CLI spawn --limit {limit} -- true")).complains(125, &[told]);
    }
    if has_hierarchy() {
        root("$CLI spawn --limit cgroup.max.descendants=many -- echo no")
            .complains(125, &["write cgroup.max.descendants \"many\": EINVAL"]);
        root("$CLI spawn --limit cgroup.no.such=1 -- echo no")
            .complains(125, &["write cgroup.no.such \"1\": ENOENT", "no such file"]);
        nobody(
            "UNSHARED_STATE=$(mktemp -d) $CLI spawn --user --limit cgroup.max.depth=1 -- echo no",
        )
        .complains(125, &["--limit: make a cgroup near", "EACCES", "Delegate=yes"]);
    }
}

#[test]
fn the_payload_is_in_a_cgroup_of_its_own_which_is_gone_afterwards() {
    if !has_hierarchy() {
        return;
    }
    for shape in ["", "--pid", "--user --pid", "--pid --no-init"] {
        root(&format!(
            "{MAKE} before=$(ls $C$own); $CLI spawn {shape} {LIMIT} -- sh -c 'sed -n s/^0:://p /proc/self/cgroup; cat $0$(sed -n s/^0:://p /proc/self/cgroup)/cgroup.max.descendants' $C | sed 's/unshared-[0-9]*-[0-9]*/ours/; s,.*/ours,ours,'; \
             test \"$(ls $C$own)\" = \"$before\" && echo gone"
        ))
        .prints("ours\n3\ngone");
    }
}

#[test]
fn a_cgroup_namespace_begins_there() {
    if has_hierarchy() {
        for shape in ["--cgroup", "--cgroup --pid", "--all"] {
            root(&format!("$CLI spawn {shape} {LIMIT} -- sed -n s/^0:://p /proc/self/cgroup"))
                .prints("/");
        }
    }
}

#[test]
fn what_is_executed_in_an_instance_is_in_its_cgroup() {
    if has_hierarchy() {
        root(&format!(
            "f=$(mktemp); $CLI spawn --name grouped --pid {LIMIT} -- sh -c \"cat /proc/self/cgroup >$f; exec sleep 100\" & \
             until grep -q 0:: $f; do sleep 0.02; done; \
             $CLI exec grouped -- cat /proc/self/cgroup | grep ^0:: | diff - <(grep ^0:: $f) && grep -c ^0::.*/unshared- $f; \
             $CLI stop grouped; wait; rm $f"
        ))
        .prints("1");
    }
}

#[test]
fn without_clone_into_cgroup_it_is_the_same() {
    if has_hierarchy() {
        // No such call at all (before Linux 5.3), or none that knows the flag (before 5.7).
        for error in ["ENOSYS", "E2BIG:when=1"] {
            root(&format!(
                "strace -f -qq -o /dev/null -e trace=clone3 -e inject=clone3:error={error} $CLI spawn --cgroup --pid {LIMIT} -- sed -n s/^0:://p /proc/self/cgroup"
            ))
            .prints("/");
        }
    }
}

#[test]
fn what_is_left_in_it_ends_with_the_payload_also_without_a_pid_namespace() {
    if has_hierarchy() {
        root(&format!(
            "f=$(mktemp); $CLI spawn {LIMIT} -- sh -c 'setsid sh -c \"echo \\$\\$ >$0; exec sleep 100\" & until test -s $0; do sleep 0.02; done; exit 3' $f; echo $?; \
             grep -q 'State:.[^ZX]' /proc/$(cat $f)/status 2>/dev/null || echo ended; rm $f"
        ))
        .prints("3\nended");
    }
}

#[test]
fn without_a_file_that_kills_all_of_it_at_once_it_is_killed_one_by_one() {
    if has_hierarchy() {
        // The files of a cgroup are opened by their names alone.
        root(&format!(
            "{MAKE} before=$(ls $C$own); f=$(mktemp); strace -f -qq -o $f.calls -P cgroup.kill -e trace=openat -e inject=openat:error=ENOENT \
             $CLI spawn {LIMIT} -- sh -c 'for i in 1 2 3; do setsid sh -c \"echo \\$\\$ >>$0; exec sleep 100\" & done; \
             until test $(wc -l <$0) = 3; do sleep 0.02; done; exit 3' $f; echo $?; grep -q INJECTED $f.calls && echo tried; \
             for one in $(cat $f); do grep -q 'State:.[^ZX]' /proc/$one/status 2>/dev/null || echo ended; done; \
             test \"$(ls $C$own)\" = \"$before\" && echo gone; rm $f $f.calls"
        ))
        .prints("3\ntried\nended\nended\nended\ngone");
    }
}

#[test]
fn a_cgroup_that_is_full_is_named() {
    if !std::path::Path::new("/sys/fs/cgroup/pids/pids.current").exists()
        && !std::fs::read_to_string("/proc/mounts").unwrap().contains(" cgroup rw,relatime,pids ")
    {
        eprintln!(
            "skipped: no hierarchy of version 1 has pids; the boot below has one of version 2"
        );
        return;
    }
    root(
        "d=/sys/fs/cgroup/pids$(sed -n s/^.*:pids://p /proc/self/cgroup | sed s,/$,,); mkdir $d/full-$$; echo 1 >$d/full-$$/pids.max; \
         sh -c \"echo \\$\\$ >$d/full-$$/cgroup.procs; exec $CLI spawn -- true\"; s=$?; rmdir $d/full-$$; exit $s",
    )
    .complains(125, &["fork: EAGAIN (pids.max of cgroup /sys/fs/cgroup/pids", " is 1: raise it)"]);
}

#[test]
fn cgroups_that_the_payload_made_are_removed_as_well() {
    if has_hierarchy() {
        root(&format!(
            "{MAKE} before=$(ls $C$own); $CLI spawn {LIMIT} -- sh -c 'd=$0$(sed -n s/^0:://p /proc/self/cgroup); mkdir -p $d/a/b; sleep 100 & echo $! >$d/a/b/cgroup.procs; cat $d/a/b/cgroup.procs | wc -l' $C; \
             test \"$(ls $C$own)\" = \"$before\" && echo gone"
        ))
        .prints("1\ngone");
    }
}

#[test]
fn the_payload_holds_nothing_that_is_open_of_the_hosts_cgroups() {
    if has_hierarchy() {
        root(&format!(
            "$CLI spawn --pid {LIMIT} -- sh -c 'ls -l /proc/1/fd /proc/self/fd | grep -c cgroup'"
        ))
        .ends_with(1);
    }
}

#[test]
fn what_a_killed_launcher_left_is_removed_by_gc() {
    if has_hierarchy() {
        root(&format!(
            "{MAKE} before=$(ls $C$own); f=$(mktemp); $CLI spawn --name limited {LIMIT} -- sh -c \"echo up >$f; exec sleep 100\" & \
             until test -s $f; do sleep 0.02; done; kill -9 $!; wait $! 2>/dev/null; test \"$(ls $C$own)\" = \"$before\" || echo there; \
             $CLI gc; test \"$(ls $C$own)\" = \"$before\" && echo gone; rm $f"
        ))
        .prints("there\nlimited\ngone");
    }
}

#[test]
fn a_launch_that_fails_leaves_no_cgroup() {
    if has_hierarchy() {
        root(&format!(
            "{MAKE} before=$(ls $C$own); for end in '-- /no/such' '--cwd /no -- true' '--limit cgroup.no.such=1 -- true'; do \
             $CLI spawn --pid {LIMIT} $end 2>/dev/null; echo $?; done; test \"$(ls $C$own)\" = \"$before\" && echo gone"
        ))
        .prints("127\n125\n125\ngone");
    }
}

#[test]
fn controllers_limit_and_the_kernels_kill_is_the_reason_of_the_end() {
    Machine::new()
        .shell()
        .script(
            "mkdir /run/unshared 2>/dev/null
            cli() { unshared-cli spawn \"$@\"; echo \"status $?\"; }
            cat /sys/fs/cgroup/cgroup.controllers
            cli --pid --limit memory.max=16M --limit memory.swap.max=0 -- sh -c 'echo begun; exec dd if=/dev/zero of=/dev/null bs=64M count=1'
            cli --limit pids.max=3 -- sh -c 'for i in 1 2 3 4 5; do sleep 5 & done; wait' 2>&1 | grep -c 'an.t fork'
            cli --all --limit pids.max=7 -- sh -c 'cat /proc/self/cgroup'
            cli --pid --limit memory.max=16M --limit no.such=1 -- echo ran
            cli --pid --limit memory.max=much -- echo ran
            echo left $(ls /sys/fs/cgroup | grep -c ^unshared)
            cd /sys/fs/cgroup; echo +memory +pids >cgroup.subtree_control
            unshared-cli spawn --pid --limit memory.max=16M --limit memory.swap.max=0 -- \
                sh -c 'dd if=/dev/zero of=/dev/null bs=64M count=1; echo survived; exit 3' 2>/run/told; echo \"survivor $?\"; grep memory /run/told
            mkdir full; echo 1 >full/pids.max; (echo 0 >full/cgroup.procs; exec unshared-cli spawn -- true)
            mkdir mine mine/shell; chown 1000:1000 mine mine/cgroup.* mine/shell mine/shell/cgroup.procs; mkdir -m 700 /run/state; chown 1000:1000 /run/state
            (echo 0 >mine/shell/cgroup.procs; UNSHARED_STATE=/run/state exec unshared-cli spawn --uid 1000 --gid 1000 -- \
                unshared-cli spawn --user --pid --limit pids.max=7 -- \
                sh -c 'id -u; cd /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); pwd; echo \"most $(cat pids.max)\"')
            echo \"delegated $? $(ls mine | grep -c unshared)\"
            unshared-cli doctor; echo \"doctor $?\"
            echo 0 >/proc/sys/kernel/unprivileged_userns_clone
            ordinary='unshared-cli spawn --uid 1000 --gid 1000 --'
            $ordinary unshared-cli spawn --user -- true
            $ordinary unshared-cli doctor; echo \"ordinary $?\"
            poweroff -f",
        )
        .boot("")
        .ends(End::PowerOff)
        .says("memory")
        .says("begun\n")
        .says("unshared-cli: out of memory: the kernel killed processes in the cgroup: 1 (see --limit)")
        .says("status 137")
        .says("0::/\n")
        .says("--limit no.such: cgroup v2 has no controller \"no\" here (this kernel does not have it")
        .says("write memory.max \"much\": EINVAL")
        .does_not_say("ran\n")
        .says("left 0")
        .says("survivor 3\nunshared-cli: out of memory: the kernel killed processes in the cgroup: 1 (see --limit)")
        .says("unshared-cli: fork: EAGAIN (pids.max of cgroup /sys/fs/cgroup/full is 1: raise it)")
        .says("0\n/sys/fs/cgroup/mine/unshared-")
        .says("most 7\ndelegated 0 0")
        .says("spawn --all works here\ndoctor 0")
        .says("make new user namespace: EPERM (kernel.unprivileged_userns_clone is 0: set it to 1, or run as root)")
        .says("spawn --all does not work here\nordinary 1");
}
