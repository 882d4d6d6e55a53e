//! Each namespace, alone and all together, for root and for an ordinary user.
use crate::common::{nobody, root};

const KINDS: [(&str, &str); 8] = [
    ("mount", "mnt"),
    ("uts", "uts"),
    ("ipc", "ipc"),
    ("net", "net"),
    ("pid", "pid"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

/// A script that prints which namespaces differ inside, in the order of ls.
fn differing(options: &str) -> String {
    format!(
        "$CLI spawn {options} -- sh -c 'cd /proc/self/ns; for one in *; do readlink $one; done' >/tmp/in.$$; \
         (cd /proc/self/ns; for one in *; do readlink $one; done) >/tmp/out.$$; \
         diff /tmp/out.$$ /tmp/in.$$ | sed -n 's/^> \\(.*\\):.*/\\1/p' | sort -u | tr '\\n' ' '; \
         rm /tmp/in.$$ /tmp/out.$$"
    )
}

#[test]
fn each_namespace_alone_is_new_for_root_and_no_other_is() {
    for (option, kind) in KINDS {
        let expected = if kind == "pid" { "mnt pid" } else { kind };
        root(&differing(&format!("--{option}"))).prints(expected);
    }
}

#[test]
fn each_namespace_is_new_for_an_ordinary_user_with_user() {
    for (option, kind) in KINDS {
        let mut kinds = vec![kind, "user"];
        if kind == "pid" {
            kinds.push("mnt");
        }
        kinds.sort_unstable();
        kinds.dedup();
        nobody(&differing(&format!("--user --{option}"))).prints(&kinds.join(" "));
    }
}

#[test]
fn all_is_all_eight() {
    let all = "cgroup ipc mnt net pid time user uts";
    root(&differing("--all")).prints(all);
    nobody(&differing("--all")).prints(all);
    nobody(&differing("-muinpUCT")).prints(all);
}

#[test]
fn without_options_nothing_is_new() {
    root(&differing("")).prints("");
}

#[test]
fn an_ordinary_user_without_user_is_told_what_is_missing() {
    for (option, _) in KINDS.iter().filter(|(option, _)| *option != "user") {
        nobody(&format!("$CLI spawn --{option} -- true"))
            .complains(125, &[option, "EPERM", "--user"]);
    }
}

#[test]
fn proc_shows_only_the_new_processes_and_the_payload_is_pid_2() {
    nobody("$CLI spawn --pid --user -- sh -c 'echo $$; ls -d /proc/[0-9]*; true'")
        .prints("2\n/proc/1\n/proc/2");
}

#[test]
fn no_init_makes_the_payload_pid_1() {
    nobody("$CLI spawn --pid --user --no-init -- sh -c 'echo $$; ls -d /proc/[0-9]*; true'")
        .prints("1\n/proc/1");
}

#[test]
fn no_proc_leaves_proc_alone() {
    root("$CLI spawn --pid --no-proc -- sh -c 'test -d /proc/self || echo strange; readlink /proc/self/ns/mnt' | grep -c mnt; \
          a=$($CLI spawn --pid --no-proc -- readlink /proc/$$/ns/mnt); test $a = $(readlink /proc/self/ns/mnt)")
        .prints("1");
}

#[test]
fn lo_is_up_in_a_new_network_namespace() {
    nobody("$CLI spawn --net --user -- ip -o link show lo | grep -o 'LOOPBACK,UP'")
        .prints("LOOPBACK,UP");
}

#[test]
fn host_and_domain_name_are_set_inside_only() {
    nobody(
        "before=$(uname -n); \
         $CLI spawn --user --hostname box --domainname example.org -- \
            sh -c 'uname -n; cat /proc/sys/kernel/domainname'; \
         test \"$(uname -n)\" = \"$before\"",
    )
    .prints("box\nexample.org");
}

#[test]
fn mounts_made_inside_do_not_get_out() {
    root(
        "d=$(mktemp -d); mount --bind $d $d; mount --make-shared $d; \
         $CLI spawn --mount -- mount -t tmpfs none $d; \
         grep -c \" $d \" /proc/self/mountinfo; umount $d; rmdir $d",
    )
    .prints("1");
}

#[test]
fn clocks_are_moved_by_what_was_asked_for() {
    for options in ["--pid", "", "--user --pid"] {
        root(&format!(
            "$CLI spawn {options} --monotonic 1000 --boottime 86400 -- \
             sh -c 'tr -s \" \" <$0; [ $(readlink /proc/self/ns/time) = $(readlink /proc/self/ns/time_for_children) ] && echo in' \
             /proc/self/timens_offsets | tr '\\t' ' ' | tr -s ' '"
        ))
        .prints("monotonic 1000 0\nboottime 86400 0\nin");
    }
}

#[test]
fn a_namespace_with_a_file_outlives_its_processes() {
    root(
        "d=$(mktemp -d); $CLI spawn --uts=$d/uts --net=$d/net --hostname kept -- true; \
         nsenter --uts=$d/uts --net=$d/net sh -c 'uname -n; ip -o link | wc -l'; \
         umount $d/uts $d/net; rm $d/uts $d/net; rmdir $d",
    )
    .prints("kept\n1");
}

#[test]
fn a_time_namespace_is_kept_whichever_way_it_is_made() {
    let keep = "spawn --time=$d/time --user -- readlink /proc/self/ns/time";
    for prefix in ["", "strace -f -qq -o /dev/null -e trace=clone3 -e inject=clone3:error=ENOSYS"] {
        root(&format!(
            "d=$(mktemp -d); for i in 1 2 3 4 5; do inside=$({prefix} $CLI {keep}); \
             test \"$inside\" = \"time:[$(stat -c %i $d/time)]\" || echo \"$inside\"; umount $d/time; done; \
             rm -r $d"
        ))
        .prints("");
    }
}

#[test]
fn a_proc_of_another_pid_namespace_is_refused_before_it_leads_to_a_stranger() {
    root("unshare --pid --fork $CLI spawn --user -- true")
        .complains(125, &["/proc belongs to another PID namespace"]);
    root("unshare --pid --fork $CLI spawn --uts=/tmp/other.$$ -- true; ls /tmp/other.$$ 2>/dev/null | wc -l; exit 125")
        .complains(125, &["/proc belongs to another PID namespace"]);
}

#[test]
fn a_mount_and_a_user_namespace_can_be_kept() {
    root(
        "d=$(mktemp -d); mount --bind $d $d; mount --make-private $d; \
         $CLI spawn --mount=$d/mnt --user=$d/user -- true; \
         nsenter --user=$d/user --mount=$d/mnt id -u; \
         umount $d/mnt $d/user $d; rmdir $d 2>/dev/null || rm -r $d",
    )
    .prints("0");
}

#[test]
fn a_failed_launch_leaves_neither_file_nor_binding() {
    root(
        "d=$(mktemp -d); $CLI spawn --uts=$d/uts -- /nowhere 2>/dev/null; echo $?; \
         : >$d/mine; $CLI spawn --ipc=$d/mine -- /nowhere 2>/dev/null; \
         ls $d; grep -c $d /proc/self/mountinfo; rm -r $d",
    )
    .prints("127\nmine\n0");
}

#[test]
fn a_pid_namespace_cannot_be_kept() {
    root("$CLI spawn --pid=/tmp/x -- true").complains(125, &["--pid takes no file"]);
}
