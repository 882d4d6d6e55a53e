//! The commands for named instances.
use crate::common::{Outcome, nobody, root};

/// `up WORD...` starts an instance in the background whose command sleeps, and waits until it runs.
const UP: &str = "up() { f=$(mktemp -u); \"$CLI\" spawn \"$@\" -- sh -c \"echo >$f; exec sleep 100\" & \
     launcher=$!; until test -e $f; do sleep 0.02; done; rm $f; }; ";

fn with_instance(run: fn(&str) -> Outcome, options: &str, then: &str) -> Outcome {
    run(&format!(
        "{UP} up --name one {options}; {then}; kill $launcher; wait $launcher; test $? = 143"
    ))
}

#[test]
fn list_is_a_table_or_names_or_json() {
    root("$CLI list; $CLI list -q; $CLI list --json")
        .prints("NAME  PID  STATE  AGE  NAMESPACES  ROOT  ADDRESSES  COMMAND\n[]");
    with_instance(
        root,
        "--pid --uts",
        "$CLI list | awk '{print $1, $3, $5, $8, index($0, $8) == column; column = index($0, $8)}'; $CLI list -q; \
         $CLI list --json | python3 -c 'import json, sys; [one] = json.load(sys.stdin); \
         print(one[\"name\"], one[\"state\"], one[\"namespaces\"], one[\"command\"][0], one[\"spawn\"][:2])'",
    )
    .prints(
        "NAME STATE NAMESPACES COMMAND 0\none running mount,uts,pid sh 1\none\n\
         one running ['mount', 'uts', 'pid'] sh ['--name', 'one']",
    );
}

#[test]
fn inspect_says_who_is_pid_1_and_where() {
    with_instance(
        nobody,
        "--user --pid --postexec 'echo bye'",
        "$CLI inspect one | python3 -c 'import json, os, sys; one = json.load(sys.stdin); \
         print(one[\"state\"], os.readlink(\"/proc/%d/ns/pid\" % one[\"pid\"]) != os.readlink(\"/proc/self/ns/pid\"), one[\"launcher\"] == '$launcher', one[\"postexec\"])'",
    )
    .prints("running True True ['echo bye']\nbye");
}

#[test]
fn a_name_that_is_not_there_is_one_clear_line() {
    for command in
        ["inspect no", "signal no TERM", "stop no", "wait no", "exec no true", "attach no true"]
    {
        root(&format!("$CLI {command}")).complains(125, &["there is no instance \"no\"", "list"]);
    }
    for command in [
        "inspect",
        "signal x",
        "signal x NO",
        "stop -x",
        "wait a b",
        "exec x",
        "list x",
        "gc x",
        "stop --grace x y",
        "exec x --user '' true",
    ] {
        root(&format!("$CLI {command}")).complains(125, &["see: unshared-cli help"]);
    }
    for command in ["inspect", "signal", "stop", "wait", "exec", "list", "gc"] {
        root(&format!("test \"$($CLI help {command})\" = \"$($CLI {command} --help)\"")).prints("");
    }
}

#[test]
fn an_instance_of_another_user_is_one_clear_line() {
    root("mkdir -m 700 $UNSHARED_STATE; setpriv --reuid 65534 --clear-groups $CLI wait one")
        .complains(125, &["open the state directory", "EACCES", "another user's"]);
}

#[test]
fn signals_reach_the_command_and_wait_has_its_status() {
    root(
        "f=$(mktemp -u); $CLI spawn --name one --pid -- bash -c \"trap 'exit 7' USR1; echo >$f; while :; do sleep 0.05; done\" & \
         until test -e $f; do sleep 0.02; done; rm $f; \
         $CLI wait one & w=$!; until ls -l /proc/$w/fd | grep -q one/record; do sleep 0.02; done; $CLI signal one SIGUSR1; wait $w; echo $?; wait; $CLI wait one 2>&1",
    )
    .ends_with(125)
    .out_is("7\nunshared-cli: there is no instance \"one\" (see: unshared-cli list)\n");
}

#[test]
fn stop_asks_first_and_kills_when_the_grace_period_is_over() {
    root(&format!(
        "{UP} up --name one --pid; $CLI stop one; wait $launcher; echo $?; $CLI list -q"
    ))
    .prints("143");
    for shape in ["--pid", "--pid --no-init", ""] {
        root(&format!(
            "f=$(mktemp -u); $CLI spawn --name one {shape} --postexec 'echo post' -- bash -c \"trap '' TERM; echo >$f; while :; do sleep 0.05; done\" & \
             until test -e $f; do sleep 0.02; done; rm $f; $CLI stop one --grace 0.3; wait $!; echo $?"
        ))
        .prints("post\n137");
    }
}

#[test]
fn stop_reaches_an_instance_that_is_still_in_its_preexec_hook() {
    root(
        "f=$(mktemp -u); $CLI spawn --name one --preexec \"echo >$f; exec sleep 100\" -- echo no 2>/dev/null & \
         until test -e $f; do sleep 0.02; done; rm $f; $CLI list | grep -c starting; $CLI exec one true 2>&1 | grep -o 'has not begun'; \
         $CLI stop one; wait $!; echo $?",
    )
    .prints("1\nhas not begun\n2");
}

#[test]
fn a_lost_instance_is_told_by_every_command_and_ended_by_stop() {
    root(&format!(
        "{UP} up --name one --pid --postexec 'echo post'; kill -9 $launcher; wait $launcher 2>/dev/null; \
         $CLI list | grep -c lost; for c in 'wait one' 'signal one HUP' 'exec one true'; do $CLI $c 2>&1 | grep -c 'lost its launcher.*gc'; done; \
         $CLI stop one; $CLI list -q"
    ))
    .prints("1\n1\n1\n1\npost");
}

#[test]
fn exec_joins_every_namespace_and_has_the_exact_status() {
    let same = "for one in /proc/1/ns/*; do test $(readlink $one) = $(readlink /proc/self/ns/${one##*/}) || echo $one; done";
    for run in [root, nobody] {
        with_instance(
            run,
            "--all --hostname box --time",
            &format!("$CLI exec one -- sh -c '{same}; hostname; id -u; exit 5'; echo $?; $CLI attach one sh -c 'kill -9 $$'; echo $?; $CLI exec one -- /no 2>/dev/null; echo $?"),
        )
        .prints("box\n0\n5\n137\n127");
    }
}

#[test]
fn exec_without_a_pid_namespace_joins_what_there_is() {
    with_instance(root, "--uts --hostname box", "$CLI exec one hostname").prints("box");
    with_instance(root, "--net=/tmp/exec-net.$$ --user", "$CLI exec one sh -c 'ip -o link | wc -l; id -u'; umount /tmp/exec-net.$$; rm /tmp/exec-net.$$")
        .prints("1\n0");
}

#[test]
fn exec_has_the_root_the_ids_and_the_environment_of_the_instance() {
    root(
        "R=$(mktemp -d); chmod 755 $R; mkdir $R/bin $R/etc; cp /bin/busybox $R/bin/sh; for one in sleep id pwd env ls; do ln $R/bin/sh $R/bin/$one; done; \
         echo 'bob:x:7:8::/:/bin/sh' >$R/etc/passwd; \
         $CLI spawn --name one --pid --root $R --uid 5 --gid 6 --clear-env --env A=1 --env PATH=/bin -- sleep 100 & \
         until $CLI list | grep -q running; do sleep 0.02; done; \
         $CLI exec one sh -c 'echo $(id -u) $(id -g) $A ${HOME-none}; ls /proc/1/root/bin >/dev/null 2>&1 || echo 1 is not mine'; \
         $CLI exec one --user bob --cwd /etc --env A=2 -- sh -c 'echo $(id -u) $(id -g) $A $(pwd)'; \
         $CLI exec one --user 9:10 id -g; $CLI exec one --user nobody-here id; \
         $CLI stop one; wait; rm -r $R"
    )
    .err_is("unshared-cli: there is no user \"nobody-here\" in the instance's /etc/passwd\n")
    .out_is("5 6 1 none\n1 is not mine\n7 8 2 /etc\n10\n");
}

#[test]
fn exec_in_an_instance_with_a_map_of_other_ids_is_root_there() {
    with_instance(root, "--pid --map-users 0:100000:1000 --map-groups 0:100000:1000", "$CLI exec one sh -c 'id -u; cat /proc/self/uid_map | wc -l; sed -n s/NoNewPrivs:.//p /proc/self/status'; $CLI exec one --user 7:7 id -u; $CLI exec one --user 5000 id 2>&1 | grep -c 'maps only'")
        .prints("0\n1\n1\n7\n1");
}

#[test]
fn what_exec_starts_ends_with_the_instance() {
    root(&format!(
        "{UP} up --name one --pid; $CLI exec one sleep 100 & e=$!; until pgrep -P $e >/dev/null; do sleep 0.02; done; \
         $CLI stop one --grace 1; wait $e; echo $?"
    ))
    .ends_with(0);
}

#[test]
fn exec_has_the_capabilities_the_filter_and_no_new_privs_of_the_instance() {
    let shown = "sed -n '/^Cap\\|^NoNewPrivs\\|^Seccomp:/p' /proc/self/status";
    for options in ["", "--privileged"] {
        root(&format!(
            "R=$(mktemp -d); chmod 755 $R; mkdir $R/bin; cp /bin/busybox $R/bin/sh; for one in sed sleep; do ln $R/bin/sh $R/bin/$one; done; \
             $CLI spawn --detach --name one --pid --root $R {options} --env PATH=/bin -- sh -c \"{shown}; exec sleep 100\"; \
             until $CLI logs one | grep -q Seccomp; do sleep 0.02; done; \
             $CLI exec one sh -c \"{shown}\" | cmp - <($CLI logs one) && echo same; $CLI stop one; rm -r $R"
        ))
        .prints("one\nsame");
    }
}
