//! The unwinder's entry points, doing nothing.
//!
//! A release build aborts on panic, so no code of ours is ever unwound; all that std wants from
//! libunwind is a walk of the stack to print a backtrace. Defining these here keeps libunwind and
//! the backtrace symbolizer out of the file (about two thirds of it). The panic message and its
//! place in the source are still printed. If std comes to need a name that is not listed here, the
//! link fails on a duplicate symbol instead of misbehaving.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

type Ptr = *mut c_void;
const END_OF_STACK: c_int = 5;

macro_rules! zero {
    ($($name:ident)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $name(_context: Ptr) -> usize { 0 }
    )* };
}
zero! {
    _Unwind_FindEnclosingFunction _Unwind_GetCFA _Unwind_GetDataRelBase _Unwind_GetIP
    _Unwind_GetIPInfo _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart
    _Unwind_GetTextRelBase
}

// What std's own versions of some of these call on arm, and what each of its tables refers to.
#[cfg(target_arch = "arm")]
zero! {
    _Unwind_VRS_Get _Unwind_VRS_Set __gnu_unwind_frame
    __aeabi_unwind_cpp_pr0 __aeabi_unwind_cpp_pr1 __aeabi_unwind_cpp_pr2
}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_trace: extern "C" fn(Ptr, Ptr) -> c_int, _arg: Ptr) -> c_int {
    END_OF_STACK
}
#[unsafe(no_mangle)]
extern "C" fn _Unwind_RaiseException(_exception: Ptr) -> c_int {
    END_OF_STACK
}
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume(_exception: Ptr) -> ! {
    std::process::abort()
}
#[unsafe(no_mangle)]
extern "C" fn _Unwind_DeleteException(_exception: Ptr) {}
#[unsafe(no_mangle)]
extern "C" fn _Unwind_SetGR(_context: Ptr, _register: c_int, _value: usize) {}
#[unsafe(no_mangle)]
extern "C" fn _Unwind_SetIP(_context: Ptr, _value: usize) {}
