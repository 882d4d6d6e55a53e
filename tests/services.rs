//! Services in runit's directories, driven by runit's own sv.
use crate::common::{Outcome, root};

/// A shell that makes services and watches over them in a PID namespace of its own.
const SHELL: &str = r#"
D=$(mktemp -d); cd $D; mkdir s; export SVDIR=$D/s D
# service NAME TEXT-OF-RUN; finish and log likewise
program() { mkdir -p $(dirname $1); printf '#!/bin/sh\n%s\n' "$2" >$1; chmod 755 $1; }
service() { program s/$1/run "$2"; }
# Waits until a shell expression is so.
await() {
    for _ in $(seq 1000); do if eval "$*"; then return; fi; sleep 0.02; done
    echo "waited in vain: $*"; return 1
}
is() { [ "$(sv status $1 | sed 's/:.*//')" = $2 ]; }
watch() {
    env --default-signal=INT,QUIT unshare --pid --fork --mount-proc --kill-child ${WATCH:-$CLI init --services s} "$@" &
    R=$!
    await 'grep -q . /proc/$R/task/$R/children'
    read -r I </proc/$R/task/$R/children || true
}
finish() { kill -${1-TERM} $I; wait $R; echo "end $?"; }
hold() { :; }
# Numbers are not what counts.
plain() { sed -E 's/pid [0-9]+/pid N/g; s/[0-9]+s/Ns/g; s#/tmp/[^/]*/s/##g; s/nobody watches over it/runsv not running/'; }
# The tests' sv is runit's, or ours.
if [ -n "$SERVICE" ]; then sv() { $CLI service "$@"; }; fi
trap 'kill -KILL $R 2>/dev/null; rm -r $D' EXIT
"#;

fn shell(script: &str) -> Outcome {
    root(&format!("{SHELL}\n{script}"))
}

#[test]
fn sv_and_service_command_our_services_as_they_do_runsvs() {
    // The answers of sv -v depend on when it looks; these it gives once it is so.
    let script = r#"
service a 'for s in HUP INT QUIT ALRM USR1 USR2; do trap "echo $s >>$D/seen" $s; done
trap "kill \$!; echo TERM >>$D/seen; exit 4" TERM; sleep 1000 & echo up >>$D/seen; while :; do wait $!; done'
program s/a/finish 'echo finish $* >>$D/seen'; program s/a/check '[ -e $D/seen ]'
service b 'exec sleep 1000'; touch s/b/down
seen() { await "[ \$(cat seen 2>/dev/null | wc -l) = $1 ]"; }
watch; seen 1; await is b down; {
sv status a b; sv up b; await is b run; sv -v up b; sv status b
for command in hup interrupt quit alarm 1 2; do sv $command a; seen $((n += 1, n + 1)); done
sv -v pause a; sv status a; cat s/a/supervise/stat; sv -v cont a; sv status a
sleep 1; sv -v down b; sv status b; sv once b; await is b run; sv status b; sv kill b; await is b down; sv status b
sv -v restart a; seen 10; sv start a; sv check a; sv term a; seen 13; await is a run; sv stop a; sv force-stop a
cat s/a/supervise/stat s/b/supervise/stat s/a/supervise/pid; ls -l s/a/supervise | awk '!/[.]new$/ { print $1, $NF }'
for wrong in 'down nosuch' 'down a/s' nothing 'status' 'down b nosuch s'; do sv $wrong >/dev/null 2>&1; echo $?; done
sv up a; await is a run; touch s/a/down; hold; sv -w 9 exit a; sv status a; echo $?
} | plain; tr '\n' ' ' <seen; finish"#;
    // A signal does not end runsvdir as it ends us; and every five seconds it starts a runsv that has
    // ended anew.
    const RUNSVDIR: &str = "WATCH='runsvdir s'; finish() { kill -KILL $I; wait $R 2>/dev/null; }; hold() { kill -STOP $I; }";
    let ways = ["", RUNSVDIR].map(|watch| ["", "SERVICE=yes"].map(|service| (watch, service)));
    let outcomes = std::thread::scope(|scope| {
        let runs = ways.as_flattened().iter().map(|(watch, service)| {
            let script = format!("{service}\n{SHELL}\n{watch}\n{script}");
            scope.spawn(move || root(&script))
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });
    let outcomes = outcomes.into_iter().zip(ways.as_flattened());
    let mut texts = outcomes.map(|(outcome, way)| {
        // unshare is killed with its PID 1, and has something to say then.
        assert!(way.0 == RUNSVDIR || outcome.err.is_empty(), "{way:?} {}", outcome.err);
        (outcome.out.replace("end 0\n", ""), way)
    });
    let (first, _) = texts.next().unwrap();
    assert!(first.contains("ok: a: runsv not running"), "{first}");
    assert!(first.contains("up HUP INT QUIT ALRM USR1 USR2 TERM finish 4 0 up"), "{first}");
    for (text, way) in texts {
        assert_eq!(text, first, "{way:?}");
    }
}

#[test]
fn finish_is_told_the_exit_code_or_the_signal() {
    shell(
        r#"
service a 'exit 7'; service b 'kill -KILL $$'; touch s/c; mkdir s/d
for s in a b d; do program s/$s/finish 'echo ${PWD##*/} $* >>$D/$$; mv $D/$$ $D/told.${PWD##*/}'; done
watch 2>said; for s in a b d; do await [ -s told.$s ]; done
cat told.*; finish; sort -u said"#,
    )
    .prints(
        "a 7 0\nb -1 9\nd 111 0\nend 0\nunshared-init: d: execute run: ENOENT",
    );
}

#[test]
fn a_log_gets_every_line_however_often_both_ends_are_restarted() {
    shell(
        r#"
service a 'n=$(cat $D/n 2>/dev/null || echo 0); end=$((n + 1000)); trap "exit 0" TERM
while [ $n -lt $end ]; do n=$((n + 1)); echo line $n; echo $n >$D/n; done; echo >>$D/done; sleep 1000 & wait'
program s/a/finish 'echo finish $*'
# It takes what is there once a second, and ends between two lines.
program s/a/log/run 'echo >>$D/logs; sleep 1; exec dd bs=65536 count=1 2>/dev/null >>$D/log'
lines() { [ "$(cat $1 2>/dev/null | wc -l)" = $2 ]; }
watch; for round in 1 2 3; do await lines done $round; sv restart a >/dev/null; done; await 'grep -q "line 4000$" log'
sv down a/log; sv -w 9 down a/log >/dev/null; sv restart a >/dev/null; await lines done 5; sv up a/log
await 'grep -q "line 5000$" log'; sv -w 9 exit a >/dev/null
grep -v finish log | cut -d ' ' -f 2 | sort -n | uniq | wc -l; grep -c finish log; [ $(wc -l <logs) -ge 3 ] && finish
"#,
    )
    .prints("5000\n5\nend 0");
}

#[test]
fn a_service_starts_once_what_is_named_in_after_is_ready_and_ends_before_it() {
    shell(
        r#"
for s in a b c d; do service $s "trap 'echo -$s >>\$D/order; exit' TERM; echo +$s >>\$D/order; echo >&4; sleep 1000 & wait"; echo 4 >s/$s/notification-fd; done
service b 'echo +b >>$D/order; trap "echo -b >>$D/order; exit" TERM; until [ -e $D/go ]; do sleep 0.05; done; echo ready >&4; sleep 1000 & wait'
echo b >s/a/after; printf 'a\nb\n' >s/c/after; echo c >s/d/after
: >order; watch; await 'grep -q b order'; await is d down; sv status a c d | plain; cat order; touch go
await '[ $(wc -l <order) = 4 ]'; finish; cat order"#,
    )
    .prints("down: a: Ns, normally up, want up\ndown: c: Ns, normally up, want up\ndown: d: Ns, normally up, want up\n+b\nend 0\n+b\n+a\n+c\n+d\n-d\n-c\n-a\n-b");
}

#[test]
fn a_circle_and_a_name_that_is_none_are_said_and_do_not_stop_the_rest() {
    shell(
        r#"
for s in a b c d; do service $s 'exec sleep 1000'; done
echo b >s/a/after; echo a >s/b/after; echo e >s/c/after; echo d >s/d/after
watch 2>said; await is a run; await is b run; await is d run; sv status c | plain
program e/run 'exec sleep 1000'; mv e s; await is c run
finish; sort said | sed 's/[ab]/X/g'"#,
    )
    .prints(
        "down: c: Ns, normally up, want up\nend 0\n\
         unshXred-init: X: Xfter: \"X\" wXits for this one in turn, so it is not wXited for\n\
         unshXred-init: c: Xfter: \"e\" is no service here: wXiting for one\n\
         unshXred-init: d: Xfter: \"d\" wXits for this one in turn, so it is not wXited for",
    );
}

#[test]
fn directories_that_come_and_go_are_noticed_as_they_do() {
    shell(
        r#"
program t/run 'echo up >>$D/seen; exec sleep 1000'; program t/finish 'echo finish >>$D/seen'
seen() { [ "$(tr '\n' ' ' <seen)" = "$1 " ]; }
watch; ln -s $D/t s/a; await is a run; rm s/a; await seen "'up finish'"; await '! sv status $D/t >/dev/null'
ln -s $D/t s/a; await is a run; mkdir s/.hidden; touch s/file; ln -s nowhere s/dangling
mv s/a s/b; program c/run 'exec sleep 1000'; mv c s; await is c run; rm -r s/c; await '[ $(wc -w </proc/$I/task/$I/children) = 1 ]'
is b run && seen 'up finish up' && finish"#,
    )
    .prints("end 0");
}

#[test]
fn a_script_in_control_stands_for_its_signal_if_it_succeeds() {
    shell(
        r#"
service a 'for s in HUP INT; do trap "echo $s >>$D/seen" $s; done; sleep 1000 & echo up >>$D/seen; while :; do wait $!; done'
for one in 'u true' 'h true' 'i false'; do set -- $one; program s/a/control/$1 "echo script-$1 >>\$D/seen; $2"; done
seen() { await "[ \"\$(tr '\n' ' ' <seen)\" = '$1 ' ]"; }
: >seen; watch; seen 'script-u up'; sv hup a; seen 'script-u up script-h'; sv interrupt a; seen 'script-u up script-h script-i INT'
rm -r s/a/control; sv hup a; seen 'script-u up script-h script-i INT HUP'; finish"#,
    )
    .prints("end 0");
}

#[test]
fn a_service_may_live_in_namespaces_of_its_own() {
    shell(
        r#"
service a 'exec $CLI spawn --pid --uts --hostname inside -- sh -c "echo \$\$ \$(hostname) >>$D/seen; exec sleep 1000"'
seen() { await "[ \$(cat seen 2>/dev/null | wc -l) = $1 ]"; }
watch; seen 1; sv restart a >/dev/null; seen 2; cat seen; sv down a; await is a down; cat s/a/supervise/stat
await '[ -z "$(cat /proc/$I/task/$I/children)" ]'; finish"#,
    )
    .prints("2 inside\n2 inside\ndown\nend 0");
}

#[test]
fn what_does_not_end_is_killed_and_a_second_signal_hurries() {
    let stubborn = "program s/a/log/run 'trap : TERM; exec cat >/dev/null'; service a 'trap : TERM; touch $D/up; while :; do sleep 1000; done'
        program s/b/run 'exec sleep 1000'; echo a >s/b/after";
    shell(&format!("{stubborn}; watch --grace 0.2; await [ -e up ]; await is b run; finish"))
        .prints("end 0");
    shell(&format!(
        "{stubborn}; watch --grace 1000; await [ -e up ]; await is b run; kill -INT $I; await is b fail; finish"
    ))
    .prints("end 0");
}

#[test]
fn orphans_are_reaped_while_services_run_and_ended_after_them() {
    shell(
        r#"
service a 'for n in $(seq 100); do (setsid sleep 0 &) ; done; (trap "echo TERM >$D/told; exit" TERM; sleep 1000 & touch $D/up; wait) & wait'
watch; await [ -e up ]
await '[ $(ps --ppid $I -o stat= | grep -c Z) = 0 ]'; finish; cat told"#,
    )
    .prints("end 0\nTERM");
}

#[test]
fn each_signal_does_what_the_page_says() {
    for (signal, status) in [("TERM", 0), ("INT", 0), ("QUIT", 0), ("HUP", 111)] {
        shell(&format!("service a 'exec sleep 1000'; watch; await is a run; finish {signal}"))
            .prints(&format!("end {status}"));
    }
    shell(
        "service a 'exec sleep 1000'; watch -r USR1:TERM -r TERM:0; await is a run
         kill -USR2 $I; kill -WINCH $I; kill -ALRM $I; kill -TERM $I; sleep 0.1; is a run; finish USR1",
    )
    .prints("end 0");
}

#[test]
fn two_hundred_services_start_and_end() {
    shell(
        r#"
program run 'echo >>$D/started; exec sleep 1000'
for n in $(seq 200); do mkdir -p s/$n/log; cp run s/$n; ln -s /bin/cat s/$n/log/run; echo $((n / 2)) >s/$n/after; done
rm s/1/after; ulimit -S -n 1024; watch >/dev/null; await '[ $(cat started 2>/dev/null | wc -l) = 200 ]'; await is 200 run
sv status ./s/* | grep -c '^run: .*run: log'; finish"#,
    )
    .prints("200\nend 0");
}

#[test]
fn a_second_supervisor_keeps_its_hands_off() {
    shell(
        "service a 'echo >>$D/started; exec sleep 1000'; watch; await is a run
         $CLI init -s --services s 2>told & await [ -s told ]; kill $!; wait $!; cat told; wc -l <started; finish",
    )
    .prints("unshared-init: a: lock supervise/lock: EAGAIN\n1\nend 0");
}

#[test]
fn a_service_command_says_what_is_wrong() {
    for words in ["", "up", "upp a", "-w x up a", "-w"] {
        root(&format!("$CLI service {words}")).complains(100, &["help service"]);
    }
    shell("service a 'exec sleep 1000'; SVDIR=$D/s $CLI service status a nosuch; echo $?; $CLI service -w 0 up ./s/a; echo $?")
        .prints(
            "fail: a: nobody watches over it\nfail: nosuch: open its directory: ENOENT\n2\n\
             fail: ./s/a: nobody watches over it\n1",
        );
    shell("service a 'trap : TERM; while :; do sleep 0.1; done'; watch; sv() { $CLI service \"$@\" | plain | cut -d , -f 1; }; await is a run
        sv -w 0 stop a; sv -w 0 force-stop a; await is a down; sv -w 1 check a; finish")
        .prints("timeout: run: a: (pid N) Ns\nkill: run: a: (pid N) Ns\nok: down: a: Ns\nend 0");
}

#[test]
fn services_and_a_command_do_not_go_together() {
    root("$CLI init --services /tmp true").init_complains(125, &["no command", "true"]);
    root("$CLI init --services /tmp --").init_complains(125, &["no command"]);
    root("$CLI init --services").init_complains(125, &["value is missing"]);
    root("$CLI init -s --services /tmp --restart always").init_complains(125, &["--services"]);
    root("$CLI init -s --services /no/such").init_complains(125, &["open \"/no/such\": ENOENT"]);
    root("$INIT --services /tmp").init_complains(125, &["not in this build", "unshared-cli init"]);
}
