//! What is in contrib/, each tried.
use crate::common::{Outcome, root};

fn contrib() -> String {
    format!("{}/contrib", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_systemd_unit_is_one() {
    // It looks whether the programs are there.
    root(&format!(
        "d=$(mktemp -d); sed \"s|/usr/local/bin/unshared-cli|$CLI|\" {}/systemd/unshared@.service >$d/unshared@.service; \
         systemd-analyze verify --man=no --recursive-errors=no $d/unshared@.service $d/unshared@x.service 2>&1 | grep -i unshared; rm -r $d",
        contrib()
    ))
    .ends_with(0)
    .out_is("");
}

#[test]
fn runit_starts_the_instance_again_when_its_launcher_is_killed_and_stops_it() {
    root(&format!(
        "d=$(mktemp -d)/web; mkdir $d; cp {}/runit/run $d; export UNSHARED_CLI=$CLI; \
         printf 'options=\"--uts --hostname box\"\\ncommand_line=\"sleep 100\"\\n' >$d/conf; runsv $d & \
         until $CLI list | grep -q '^web .*running'; do sleep 0.05; done; $CLI exec web hostname; \
         first=$(cat $d/supervise/pid); kill -9 $first; \
         until test \"$(cat $d/supervise/pid 2>/dev/null)\" != $first && $CLI list | grep -q '^web .*running'; do sleep 0.05; done; $CLI exec web hostname; \
         sv exit $d >/dev/null; wait; $CLI list -q; rm -r ${{d%/web}}",
        contrib()
    ))
    .prints("box\nbox");
}

/// What OpenRC needs of the host is put over it in a mount namespace; nothing of it is installed.
const OPENRC: &str = "for one in lib sbin bin; do mount -t overlay -o lowerdir=$O/$one:/$one overlay /$one; done; \
     mount -t tmpfs tmpfs /mnt; mkdir -p /mnt/etc/init.d /mnt/etc/conf.d /mnt/etc/insserv.conf.d; touch /mnt/etc/insserv.conf; \
     cp $O/etc/rc.conf /mnt/etc; cp $C/openrc/unshared /mnt/etc/init.d/unshared.web; chmod +x /mnt/etc/init.d/unshared.web; \
     cp /mnt/etc/init.d/unshared.web /mnt/etc/init.d/web; conf=/mnt/etc/conf.d/unshared.web; \
     mount -t overlay -o lowerdir=/mnt/etc:/etc overlay /etc; mount --bind /mnt/etc/init.d /etc/init.d; \
     mount --bind /mnt/etc/conf.d /etc/conf.d; mount -t tmpfs -o mode=755 tmpfs /run; unset UNSHARED_STATE; \
     for one in starting started stopping stopped inactive wasinactive failed hotplugged daemons options exclusive scheduled init.d tmp; \
     do mkdir -p /run/openrc/$one; done; touch /run/openrc/softlevel; \
     rc() { rc-service -q -C $1 $2 2>&1 | grep -v 'Caching service'; echo ${PIPESTATUS[0]}; }; ";

/// Runs a script with OpenRC as Debian has it, with the instance's conf.d file as `$conf`.
fn openrc(script: &str) -> Option<Outcome> {
    let unpacked = concat!(env!("CARGO_MANIFEST_DIR"), "/target/openrc");
    if !std::path::Path::new(unpacked).exists() {
        assert!(std::env::var_os("UNSHARED_MUST_WORK").is_none(), "no {unpacked}: see tools/test");
        eprintln!("skipped: there is no {unpacked}, which tools/test makes");
        return None;
    }
    let (contrib, script) = (contrib(), format!("{OPENRC} {script}"));
    Some(root(&format!(
        "export O={unpacked} C={contrib}; exec unshare --mount bash -c \"$(cat <<'END_OF_SCRIPT'\n{script}\nEND_OF_SCRIPT\n)\""
    )))
}

#[test]
fn openrc_starts_stops_and_tells_the_status() {
    let Some(outcome) = openrc(
        "printf \"unshared_cli=$CLI\\noptions='--uts --hostname box'\\ncommand_line='sleep 100'\\n\" >$conf; \
         rc unshared.web start; rc unshared.web status; $CLI exec web hostname; rc unshared.web restart; $CLI list -q; \
         kill -KILL $($CLI inspect web | sed 's/.*\"launcher\":\\([0-9]*\\).*/\\1/'); \
         until $CLI list | grep -q lost; do sleep 0.02; done; rc unshared.web status; \
         rc unshared.web stop; rc unshared.web status; $CLI list -q; \
         echo command_line=/no/such >>$conf; rc unshared.web start; rc unshared.web status; $CLI list -q; \
         cp $conf /mnt/etc/conf.d/web; rc web start",
    ) else {
        return;
    };
    outcome.prints(
        "0\n0\nbox\n0\nweb\n * status: crashed\n32\n0\n3\n\
         unshared-cli: execute \"/no/such\": ENOENT\n * ERROR: unshared.web failed to start\n1\n3\n \
         * link this script to one that is called unshared.NAME\n * ERROR: web failed to start\n1",
    );
}
