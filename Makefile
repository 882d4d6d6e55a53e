# make          both artifacts, static musl: target/dist/unshared-cli and target/dist/unshared-init
# make demo     builds, and shows the main job as an ordinary user
# make test     builds, and runs every check (as root, or through sudo)
# make boot     boots it in qemu, with a shell of busybox on the console (Debian's kernel)
# make manual   man pages and completions, from the help texts: target/share
# make install  both, links, man pages, completions, contrib: below DESTDIR and PREFIX (/usr/local)
# make deb      a Debian package: target/unshared-cli_VERSION_ARCH.deb
# make packages tries what is installed, and the Debian package in a Debian (debootstrap; as root)
# make dist     a tarball for each target that can be built here, and checksums: target/tarballs
# make aarch64  both artifacts for aarch64: target/dist-aarch64; armv7 and riscv64gc are the same
# make size     where the bytes of the binary are
# make bench    the launch next to what a user would pick instead; writes docs/performance.md
# make old-kernels  builds, and runs tests with newer system calls taken away (as root; takes long)
#
# PARTS="network roots" builds these parts alone (the features of Cargo.toml), PARTS= none.
# MUSL_VIA=rustup or MUSL_VIA=debian chooses where std for musl comes from (see tools/musl).
.POSIX:
PREFIX = /usr/local
DESTDIR =
.PHONY: all boot deb demo dist install manual old-kernels packages test aarch64 armv7 riscv64gc size bench clean

all:
	tools/musl setup
	tools/build target/dist

demo: all
	tools/demo

test: all
	tools/test

boot: all
	tools/boot

old-kernels: all
	tools/old-kernels && tools/old-kernels each

manual:
	cargo run -q --locked -p unshared-manual -- target/share $${PARTS+"$$PARTS"}

install: all manual
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' tools/install

deb: all manual
	tools/deb

packages: all manual
	tools/packages
	tools/debian

dist: manual
	tools/dist

aarch64:
	MUSL_TARGET=aarch64-unknown-linux-musl tools/musl setup
	MUSL_TARGET=aarch64-unknown-linux-musl tools/build target/dist-aarch64

armv7:
	MUSL_TARGET=armv7-unknown-linux-musleabihf tools/musl setup
	MUSL_TARGET=armv7-unknown-linux-musleabihf tools/build target/dist-armv7

riscv64gc:
	MUSL_TARGET=riscv64gc-unknown-linux-musl tools/musl setup
	MUSL_TARGET=riscv64gc-unknown-linux-musl tools/build target/dist-riscv64gc

size: all
	tools/size

bench: all
	bench/run --write && bench/namespaces --write && bench/growth --write && bench/init --write
	bench/roots --write && bench/services --write && bench/network --write && bench/boot --write

clean:
	rm -rf target
