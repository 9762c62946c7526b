// Counts heap allocations of the calling thread: linking this target replaces malloc and its kin.
#pragma once

/// Allocations of this thread since it started.
unsigned long allocations_of_this_thread(void);
