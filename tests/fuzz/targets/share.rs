#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aeva_fuzz::share(bytes));
