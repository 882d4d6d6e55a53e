//! In the place of `network` in a build without it: there is no step of its kind, and so nothing to do.
use crate::perform::Failure;
use crate::registry::journal::Journal;
use crate::spec::Spec;
use crate::spec::network::Network;
use rustix::process::Pid;
use std::ffi::CStr;
use unshared_init::sys::SignalState;

/// None that there could be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NetStep {}

impl NetStep {
    pub(crate) fn attempt(&self) -> String {
        match *self {}
    }

    pub(crate) fn shell(&self, _pid: &str) -> String {
        match *self {}
    }

    pub(crate) fn leaves_something(&self) -> bool {
        match *self {}
    }
}

/// What such a step would need.
pub(crate) mod links {
    use super::*;
    use crate::link::Socket;
    use unshared_netlink::link::LOOPBACK;

    /// Only `lo` can be changed. The socket is closed by the end of the process.
    #[derive(Default)]
    pub(crate) struct Links {
        socket: Option<Socket>,
    }

    impl Links {
        pub(crate) fn bring_up_loopback(&mut self) -> Result<(), Failure> {
            self.socket.insert(Socket::open()?).bring_up(LOOPBACK)
        }

        pub(crate) fn inside(&mut self, step: &NetStep) -> Result<(), Failure> {
            match *step {}
        }

        pub(crate) fn on_host(
            &mut self,
            step: &NetStep,
            _pid: Pid,
            _signals: SignalState,
            _journal: &mut Journal,
        ) -> Result<(), Failure> {
            match *step {}
        }
    }
}

pub(crate) fn on_host(_spec: &Spec) -> Vec<NetStep> {
    Vec::new()
}

pub(crate) fn inside(_network: &Network) -> Vec<NetStep> {
    Vec::new()
}

/// What the files say that are mounted for it.
pub(crate) fn files(_spec: &Spec) -> Vec<(&'static CStr, String)> {
    Vec::new()
}
