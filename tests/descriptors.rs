//! Standard streams and other descriptors; signal masks and ignored signals.
use crate::common::{nobody, root};

const SHAPES: [&str; 4] = ["", "--pid", "--all", "--pid --no-init"];

#[test]
fn the_payload_has_no_descriptor_beyond_the_standard_streams() {
    for shape in SHAPES {
        root(&format!("exec 5</dev/null 7>/dev/null; $CLI spawn {shape} -- ls /proc/self/fd"))
            // 3 is the one that ls itself opens to look.
            .prints("0\n1\n2\n3");
    }
}

#[test]
fn pid_1_holds_nothing_of_the_callers_either() {
    root("exec 5</dev/null 7>/dev/null; $CLI spawn --pid -- sh -c 'ls -l /proc/1/fd | grep -c \"/dev/null\"; ls /proc/1/fd | wc -l'")
        .prints("1\n4");
}

#[test]
fn descriptors_that_were_named_are_kept() {
    for shape in SHAPES {
        root(&format!("exec 5<<<five 9<<<nine; $CLI spawn {shape} --keep-fd 5 --keep-fd 9 -- sh -c 'cat <&5 <&9; cat <&5; ls /proc/self/fd | tr \"\\n\" \" \"'"))
            .prints("nine\nfive\n0 1 2 3 5 9");
    }
}

#[test]
fn closed_streams_stay_closed_and_nothing_else_breaks() {
    for shape in SHAPES {
        for closing in ["<&-", "<&- >&-", "<&- >&- 2>&-", "2>&-"] {
            root(&format!(
                "f=$(mktemp); $CLI spawn {shape} -- sh -c 'ls -l /proc/$$/fd/ >$0; exit 3' $f {closing}; s=$?; \
                 grep -c socket $f; rm $f; exit $s"
            ))
            .ends_with(3);
        }
    }
}

#[test]
fn a_complaint_never_lands_in_a_descriptor_of_ours() {
    root("$CLI spawn --all -- /no/such 0<&- 1>&- 2>&-; echo $?").prints("127");
}

#[test]
fn no_dev_null_is_needed() {
    root("d=$(mktemp -d); cp $CLI $INIT $d; \
          chroot $d /unshared-cli spawn --user -- /unshared-init --version 2>&1 </dev/null | grep -c chroot; \
          chroot $d /unshared-cli spawn --uts --hostname x -- /unshared-init --version <&- 2>&-; rm -r $d")
    .ends_with(0);
}

#[test]
fn the_signal_mask_and_the_ignored_signals_reach_the_payload_unchanged() {
    let python = "import signal,os,sys\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, [1,10,17,34,64])\n\
        for s in (2,13,17,20): signal.signal(s, signal.SIG_IGN)\n\
        os.execvp(sys.argv[1], sys.argv[1:])";
    let expected =
        root(&format!("python3 -c '{python}' grep -E '^Sig(Blk|Ign)' /proc/self/status")).out;
    assert!(expected.contains("SigBlk:\t8000000200010201"), "{expected}");
    for shape in SHAPES {
        root(&format!(
            "python3 -c '{python}' $CLI spawn {shape} -- grep -E '^Sig(Blk|Ign)' /proc/self/status"
        ))
        .prints(expected.trim());
    }
}

#[test]
fn sigpipe_is_not_ignored() {
    nobody("$CLI spawn --all -- yes | head -n 1; echo ${PIPESTATUS[0]}").prints("y\n141");
}

#[test]
fn pid_1_keeps_no_file_open_that_it_needed_on_the_way() {
    // Its channel to the launcher is all.
    root(
        "$CLI spawn --all --monotonic 5 --hostname x -- \
         sh -c 'ls -l /proc/1/fd | sed 1d | grep -vc -e \" [012] -> \" -e socket:'; true",
    )
    .prints("0");
}
