//! What is in contrib/, each tried.
use crate::common::root;

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

#[test]
fn the_openrc_script_starts_stops_and_tells_the_status() {
    // With OpenRC's own words, which are what openrc-run(8) would source.
    root(&format!(
        "ebegin() {{ echo \"$*\"; }}; eend() {{ return $1; }}; einfo() {{ echo \"$*\"; }}; eerror() {{ echo \"$*\"; }}; \
         RC_SVCNAME=unshared.web unshared_cli=$CLI options='--uts --hostname box' command_line='sleep 100'; \
         . {}/openrc/unshared; start; echo $?; status; echo $?; $CLI exec web hostname; stop; echo $?; status; echo $?; \
         name=$RC_SVCNAME; start",
        contrib()
    ))
    .ends_with(1)
    .out_is(
        "Starting instance web\n0\nstatus: started\n0\nbox\nStopping instance web\n0\nstatus: stopped\n3\n\
         link this script to one that is called unshared.NAME\n",
    );
}
