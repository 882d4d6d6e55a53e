#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| unshared::fuzz::modules(bytes));
