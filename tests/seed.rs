//! The examples of the scripts that this program succeeds, as they were written there, but for the paths
//! and images, which are those of this machine, and for backslashes that were missing.
use crate::common::{Outcome, has_erlang, nobody, root};

/// Begins a script in a folder of its own, `$D`, with the program in PATH and `$D/roots` for its roots.
const BEFORE: &str = r#"set -e; D=$(mktemp -d /tmp/seed.XXXXXX); trap 'cd /; rm -rf $D' EXIT; chmod 755 $D; cd $D
    mkdir bin utils roots; ln -s $CLI bin/unshared-cli; ln -s $CLI unshared-cli; ln -s $CLI utils/forkn
    export PATH=$D/bin:/usr/sbin:/usr/bin:/sbin:/bin UNSHARED_ROOT=$D/roots; "#;

/// A root that Erlang runs in, and an application that answers one question over TCP. It writes down
/// where it listens.
const ERLANG: &str = r#"
    unshared-cli make-root erlang --bin sh --bin erl --bin dirname --bin basename --add /usr/lib/erlang >/dev/null
    mkdir -p data/riak-01/bin; cat >data/riak-01/bin/riak <<'END'
#!/bin/sh
exec erl -noshell -eval '
    {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}, {active, false}, {packet, line}]),
    {ok, Port} = inet:port(L),
    ok = file:write_file("/var/.port", integer_to_list(Port)), ok = file:rename("/var/.port", "/var/port"),
    {ok, S} = gen_tcp:accept(L), {ok, Line} = gen_tcp:recv(S, 0),
    ok = gen_tcp:send(S, ["'$1' says ", string:uppercase(Line)]), halt().'
END
    chmod +x data/riak-01/bin/riak
    ask() {
        for i in $(seq 400); do test -e data/riak-01/port && break; sleep 0.05; done
        exec 3<>/dev/tcp/127.0.0.1/$(cat data/riak-01/port); echo "$1" >&3; cat <&3
    }
"#;

fn both(script: &str, check: impl Fn(Outcome)) {
    check(root(&format!("{BEFORE}U=; {script}")));
    check(nobody(&format!("{BEFORE}U=--user; {script}")));
}

#[test]
fn a_root_is_made_by_hand() {
    if !has_erlang() {
        return;
    }
    // An image as an initramfs is: a few programs and what they load. `!$` is the last word of the
    // command before, which only a shell with a history knows.
    both(
        r#"mkdir -p image/bin image/etc image/usr/lib image/lib64; cp /bin/busybox image/bin/sh
        cp /lib64/ld-linux-x86-64.so.2 image/lib64; echo 'root:x:0:0::/:/bin/sh' >image/etc/passwd
        (cd image; find . | cpio -o -H newc --quiet) | gzip >initramfs-linux.img
        cat >example <<'END'
# Define a chroot type
UROOT=$(unshared-cli get-root erlang)
mkdir -p $UROOT && cd $UROOT
gzip -dc /boot/initramfs-linux.img | cpio -i
# Copy required library files, and scripts
cp -v \
	$(ldd $(command -v /usr/lib/erlang/bin/escript) | awk '/=> \//{print $3}') \
	$UROOT/usr/lib
cp $(command -v whoami) !$
END
        sed -i "s,/boot/initramfs,$D/initramfs," example
        (echo 'set -o history -o histexpand'; cat example) >script
        bash script >out 2>&1 || cat out
        unshared-cli spawn $U --root erlang -- /usr/lib/whoami; ls roots/erlang/usr/lib | tr '\n' ' '"#,
        |outcome| outcome.prints("root\nlibc.so.6 libm.so.6 whoami"),
    );
}

#[test]
fn riak_runs_in_an_erlang_capable_root() {
    if !has_erlang() {
        return;
    }
    both(
        &format!(
            r#"{ERLANG}
            cat >example <<'END'
unshared-cli spawn \
	--mount \
	--root erlang \
	--name riak-01 \
	--data-dir /var/data/riak-01:/var \
	--exec "/var/bin/riak foreground"
END
            sed -i "s,/var/data,$D/data,; s/spawn/spawn $U/" example
            sh example & ask 'who is there'; wait $!; echo $?; ls data/riak-01"#
        ),
        |outcome| outcome.prints("foreground says WHO IS THERE\n0\nbin\nport"),
    );
}

#[test]
fn an_erlang_node_answers_another_one_inside() {
    if !has_erlang() {
        return;
    }
    both(
        &format!(
            r#"{ERLANG}
            unshared-cli spawn $U --net --uts --pid --root erlang --name riak-01 \
                --exec "erl -noshell -sname one@localhost -setcookie c >/dev/null &" --exec "erl -noshell -sname two@localhost \
                -setcookie c -eval '
                    Ask = fun(Ask) -> case net_adm:ping(one@localhost) of
                        pong -> ok; pang -> timer:sleep(50), Ask(Ask) end end, Ask(Ask),
                    io:format(\"~p~n~s\", [rpc:call(one@localhost, erlang, node, []),
                        rpc:call(one@localhost, os, cmd, [\"read name </proc/sys/kernel/hostname; echo \$name\"])]), halt().'""#
        ),
        |outcome| outcome.prints("one@localhost\nriak-01"),
    );
}

#[test]
fn a_way_into_the_root_of_ones_own_has_a_hook_before_and_after_it() {
    // With a network namespace of initnetns this is among the tests of the network.
    root(&format!(
        r#"{BEFORE} for one in initnetns destroynetns; do echo "echo $one \$*" >utils/$one; done; chmod +x utils/*
        cat >example <<'END'
./unshared-cli spawn \
	--uts --ipc \
	--preexec utils/initnetns mybr \$NAME 4.5.6.7/24 \
	--chroot utils/forkn \'echo die\' /bin/env IN=\$NAME chroot \
	--postexec utils/destroynetns mybr \$NAME \
	-- /bin/sh -c 'test $IN = $(hostname) && echo runs in it'
END
        sed -i 's/--uts/--name box --uts/' example; sh example"#
    ))
    .prints("initnetns mybr box 4.5.6.7/24\nruns in it\ndie\ndestroynetns mybr box");
}

/// A host of the test's own: its links, and what is below /run.
fn host(script: &str) -> Outcome {
    root(&format!(
        "exec unshare --net --mount bash -c \"$(cat <<'END_OF_SCRIPT'\nmount -t tmpfs none /run; ip link set lo up\n{BEFORE}\n\
         ln -s $CLI utils/initnetns; ln -s $CLI utils/destroynetns\n{script}\nEND_OF_SCRIPT\n)\""
    ))
}

/// Asks over TCP until somebody answers; prints what is answered.
const ASK: &str = "ask() { for i in $(seq 400); do echo \"$1\" | netcat -N -w 5 $2 $3 2>/dev/null && return; sleep 0.05; done; false; }; ";

#[test]
fn netcat_has_a_network_stack_of_its_own() {
    host(&format!(
        r#"{ASK} ip link add int3 type veth peer name out; ip address add 172.3.0.1/24 dev out; ip link set out up
        (sleep 0.2; ask hello 172.3.0.2 7666) &
        unshared-cli spawn \
            --net --uts \
            --name netcat \
            --move-link int3 \
            --exec "ip address add 172.3.0.2/24 dev int3; hostname" \
            --exec "netcat -l 0.0.0.0 7666"
        wait; ip -br link show int3 | wc -l"#
    ))
    .prints("netcat\nhello\n1");
}

#[test]
fn initnetns_sets_up_the_network_namespace() {
    host(&format!(
        r#"{ASK} (until ip -br link show mybr >/dev/null 2>&1; do sleep 0.05; done
            ip address add 4.5.6.1/24 dev mybr; ask hello 4.5.6.7 7001) &
        ./unshared-cli spawn \
            --uts --ipc \
            --preexec utils/initnetns mybr \$NAME 4.5.6.7/24 \
            --chroot utils/forkn \'echo die\' /bin/ip netns exec \$NAME chroot \
            --postexec utils/destroynetns mybr \$NAME \
            -- /bin/netcat -l 7001
        wait; ip netns list; ls -A $UNSHARED_STATE; for i in $(seq 100); do test $(ip -o link | wc -l) = 1 && break; sleep 0.05; done; ip -o link | wc -l"#
    ))
    .prints("hello\ndie\n1");
}
