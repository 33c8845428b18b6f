//! socktrace's eBPF programs.
//!
//! * [`probes`]: the programs, one file a hook.
//! * [`suspects`], [`young`], [`owners`]: what the quiet path rests on; [`slots`]: the table of sockets.
//! * [`naming`]: what the iterators call a socket.
//! * [`ticks`]: time in jiffies.
//! * [`sock`]: the one place that reads `struct sock`; [`task`]: the one place that counts processes and threads.
//! * [`output`]: the one place that writes records.
//! * [`maps`], [`globals`]: what the agent shares with the programs.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod describe;
mod globals;
mod log;
mod maps;
mod naming;
mod output;
mod owners;
mod probes;
mod slots;
mod sock;
mod suspects;
mod task;
mod ticks;
mod young;

/// Never reached: nothing here panics, or the verifier would see an endless loop and refuse it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Tells the kernel that GPL-only helpers may be used.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
