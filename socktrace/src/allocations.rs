//! Counts what a thread allocates, for tests that say how much that may be.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// How many pieces of memory this thread asks for during `work`, grown ones included.
pub(crate) fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

fn count() {
    // Threads allocate while they end, when their variables are gone.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: everything is passed on to the system's allocator as it is. Counting does not allocate: the variable needs
// neither initialising nor dropping.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: by the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: by the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[test]
fn this_threads_allocations_are_counted() {
    let mut grown = Vec::new();
    assert_eq!(allocations(|| ()), 0);
    assert_eq!(allocations(|| grown.push(1_u8)), 1);
    assert_eq!(allocations(|| grown.reserve(1000)), 1);
    assert_eq!(allocations(|| drop(Box::new(grown))), 1);
    let other = || std::thread::spawn(|| drop(vec![1; 1000])).join().unwrap();
    let of_spawning = allocations(other);
    assert!(of_spawning > 0);
}
