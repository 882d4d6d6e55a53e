//! What a machine has besides its payload: services, an address, a watchdog, and a PID 1 that stays.
use crate::common::boot::{End, Machine};

#[test]
fn services_are_a_payload_and_end_in_order() {
    Machine::new()
        .shell()
        .file("/sv/base/run", 0o755, "#!/bin/sh\necho base-$PPID\ntrap 'echo base ends; exit' TERM\nwhile :; do sleep 0.1; done")
        .file("/sv/top/run", 0o755, "#!/bin/sh\necho top\ntrap 'sleep 0.5; echo top ends; exit' TERM\n(until [ -e /run/box ]; do sleep 0.1; done; unshared-cli poweroff) &\nwhile :; do sleep 0.1; done")
        .file("/sv/top/after", 0o644, "base\nbox\n")
        .file("/sv/box/run", 0o755, "#!/bin/sh\nexec unshared-cli spawn --all --hostname inside -- sh -c 'echo box-$$-$(hostname); : >/run/box; exec sleep 100'")
        .boot("unshared.services=/sv")
        .ends(End::PowerOff)
        .says("base-1\n")
        .says("box-2-inside\n")
        .says("top ends\nbase ends\n");
}

#[test]
fn an_interface_has_its_address_and_the_watchdog_is_fed() {
    Machine::new()
        .shell()
        .modules(&["virtio_pci", "virtio_net", "softdog"])
        .qemu(&["-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"])
        .script(
            "ip -o addr show eth0; ip route; cd /sys/class/watchdog/watchdog0; cat state timeout
            cat /dev/watchdog 2>&1; sleep 7; echo alive; unshared-cli halt; sleep 100",
        )
        .boot(
            "unshared.coldplug unshared.modules=softdog unshared.watchdog=3 \
             unshared.ip=eth0:10.0.2.15/24:10.0.2.2 unshared.ip=lo:fd00::1/64",
        )
        .ends(End::Halt)
        .says("inet 10.0.2.15/24 ")
        .says("default via 10.0.2.2 dev eth0")
        .says("active\n3\n")
        .says("busy\n")
        .says("alive\n");
}

#[test]
fn an_interface_that_is_not_there_is_a_case_for_rescue() {
    Machine::new()
        .boot("unshared.ip=eth7:10.0.2.15/24 unshared.rescue=poweroff unshared.rescue-delay=0 -- true")
        .ends(End::PowerOff)
        .says("unshared-init: there is no interface \"eth7\"\n");
}

#[test]
fn a_machine_without_its_console_runs_and_ends() {
    Machine::new()
        .shell()
        .script("echo lost; exec >/dev/ttyS0; tty; for n in 0 2; do readlink /proc/$$/fd/$n; done; exit 5")
        .console("hvc0")
        .boot("")
        .ends(End::Unsaid)
        .says("not a tty\n/dev/null\n/dev/null\n")
        .does_not_say("lost");
}

#[test]
fn ten_thousand_orphans_are_reaped_and_no_signal_ends_pid_1() {
    Machine::new()
        .shell()
        .script(
            "i=0; while [ $i -lt 100 ]; do i=$((i + 1))
                (j=0; while [ $j -lt 100 ]; do j=$((j + 1)); : & done) 2>/dev/null
            done; for i in $(seq 100); do n=$(ps -o stat | grep -c Z); [ $n = 0 ] && break; sleep 0.2; done; echo zombies-$n
            for one in KILL STOP CONT WINCH; do kill -$one 1; done
            grep VmRSS /proc/1/status; kill -KILL $$",
        )
        .boot("unshared.on-exit=reboot")
        .ends(End::Reboot)
        .says("zombies-0\n")
        .says("VmRSS")
        .says("the payload was killed by signal 9 (KILL)\n");
}

#[test]
fn a_fault_in_pid_1_leaves_a_reaper_and_no_panic() {
    Machine::new()
        .shell()
        .script(
            "set -- $(grep '\\[stack\\]' /proc/1/maps | tr - ' '); from=$((0x$1 / 4096)) to=$((0x$2 / 4096))
            dd if=/dev/zero of=/proc/1/mem bs=4096 seek=$from count=$((to - from)) conv=notrunc 2>/dev/null
            (sleep 0.1 & sleep 0.1 &); sleep 1; for i in $(seq 100); do n=$(ps -o stat | grep -c Z); [ $n = 0 ] && break; sleep 0.2; done
            echo zombies-$n; unshared-cli poweroff -f",
        )
        .boot("")
        .ends(End::PowerOff)
        .says("unshared-init: a fault in PID 1; only orphans are reaped from here on")
        .says("zombies-0\n");
}

#[test]
fn a_payload_is_started_again_and_a_shell_is_given_to_who_asked_for_one() {
    Machine::new()
        .shell()
        .script(
            "echo run >>/run/runs; [ $(wc -l </run/runs) = 3 ] && unshared-cli poweroff; exit 1",
        )
        .boot("unshared.on-exit=respawn")
        .ends(End::PowerOff)
        .says("unshared-init: power-off\n");
    Machine::new()
        .shell()
        .types("# ", "echo in-$((6 * 7)); exit\n")
        .boot("unshared.rescue=shell -- /no/such")
        .ends(End::Reboot)
        .says("unshared-init: the payload could not be executed\n")
        .says("in-42\n");
}
