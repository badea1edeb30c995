//! A clock that jumps by years, forth and back, while a program runs.

use std::path::PathBuf;

use super::compile;
use super::context::Context;
use super::findings::Findings;
use super::run::Call;

/// Replaces the functions that tell the time of day. The clock that only measures time stays: no system lets it jump.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static long away(void) {
    static unsigned calls;
    static const long years[] = { 20, -20, 0, -1, 5, 0 };
    return years[__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 6] * 31557600L;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += away();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec time;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"#;

/// The clock as a library to load before others; `None`, and counted, where there is none.
pub(crate) fn that_jumps(context: &Context, findings: &mut Findings) -> anyhow::Result<Option<PathBuf>> {
    let library = if cfg!(target_os = "linux") { compile::library(context, "clock", SOURCE)? } else { None };
    let Some(library) = library else {
        findings.skip("cc, for a clock that jumps");
        return Ok(None);
    };
    // It works: two programs do not agree on the year.
    let year = |preload: Option<&PathBuf>| -> anyhow::Result<Option<i64>> {
        let call = Call::new("date").arg("+%Y");
        let ended = preload.into_iter().fold(call, |call, library| call.env("LD_PRELOAD", library)).run()?;
        Ok(ended.out.trim().parse().ok())
    };
    let (wrong, right) = (year(Some(&library))?, year(None)?);
    let works = wrong.zip(right).is_some_and(|(wrong, right)| wrong >= right + 19);
    findings.check(works, || format!("the clock that jumps says {wrong:?}, it is {right:?}"));
    Ok(Some(library))
}
