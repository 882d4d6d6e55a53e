//! A second thread, as pthread_create(3) makes it. `std`'s brings names, hooks and a handler for stacks
//! that overflow, 20 kB that nobody here uses.
#![allow(unsafe_code)]

use core::ffi::c_void;
use rustix::io::Errno;
use std::sync::{Arc, Mutex, PoisonError};
use unshared_init::errno;

/// What std would give it, in bytes; musl's own 128 kB are less than a decoder may take.
const STACK: usize = 2 << 20;

/// A thread that has been started, and what it will return.
pub(crate) struct Thread<T> {
    handle: libc::pthread_t,
    result: Arc<Mutex<Option<T>>>,
}

type Work = Box<dyn FnOnce() + Send>;

/// Starts it. Nobody waits for one that is not joined.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Thread<T>, Errno> {
    let result = Arc::new(Mutex::new(None));
    let place = Arc::clone(&result);
    let work: Work = Box::new(move || {
        let value = work();
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    });
    let work = Box::into_raw(Box::new(work));
    let mut handle = core::mem::MaybeUninit::uninit();
    let mut attributes = core::mem::MaybeUninit::uninit();
    // SAFETY: the attributes are initialised before they are used, and destroyed after. The work is a
    // pointer that `run` takes back, in one thread alone.
    let error = unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
        let error = libc::pthread_create(
            handle.as_mut_ptr(),
            attributes.as_ptr(),
            run,
            work.cast::<c_void>(),
        );
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        error
    };
    if error != 0 {
        // SAFETY: no thread has been started that could take it.
        drop(unsafe { Box::from_raw(work) });
        return Err(errno::of(error));
    }
    // SAFETY: pthread_create(3) has succeeded, and so has written the handle.
    Ok(Thread { handle: unsafe { handle.assume_init() }, result })
}

extern "C" fn run(work: *mut c_void) -> *mut c_void {
    // SAFETY: `start` has made it of a box of this type, for this thread.
    let work = unsafe { Box::from_raw(work.cast::<Work>()) };
    work();
    core::ptr::null_mut()
}

impl<T> Thread<T> {
    /// Waits for its end, and returns what it has returned.
    pub(crate) fn join(self) -> Option<T> {
        // SAFETY: the handle is of a thread that nobody else joins, since `self` is consumed.
        unsafe { libc::pthread_join(self.handle, core::ptr::null_mut()) };
        self.result.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_returns_what_its_work_does() {
        let words = ["one".to_owned(), "two".to_owned()];
        let thread = super::start(move || words.join(" ")).unwrap();
        assert_eq!(thread.join().as_deref(), Some("one two"));
    }
}
