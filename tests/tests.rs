//! Black-box tests of the musl binary, against the kernel that runs.
//!
//! `make test` runs them; UNSHARED_DIST names the folder with the binaries.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

mod boot;
mod boot_roots;
mod breakouts;
mod capabilities;
mod coming_from;
mod contrib;
mod crash;
mod descriptors;
mod detach;
mod disks;
mod docs;
mod doctor;
mod exec_failures;
mod fallbacks;
mod hooks;
mod hostile_images;
mod ids;
mod init;
mod init_options;
mod init_readiness;
mod init_restart;
mod init_stress;
mod init_terminal;
mod instance_commands;
mod instances;
mod jobs;
mod kernel_files;
mod landlock;
mod limits;
mod make_root;
mod make_root_programs;
mod missing_in_root;
mod namespaces;
mod network;
mod network_crash;
mod network_named;
mod network_nat;
mod network_old;
mod network_real;
mod options;
mod pty;
mod reaper;
mod reports;
mod rlimits;
mod root;
mod seccomp;
mod seed;
mod services;
mod signals;
mod terminal;
mod unpack;
