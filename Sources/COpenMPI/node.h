// What the ranks of one node do through shared memory: a barrier that sleeps, and sums in a fixed order.
#pragma once
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Lies in memory that all members share; starts as zeros.
typedef struct {
    uint32_t arrived, round, sleepers;
} lacuna_barrier;

/// Returns when all `members` have called. After a short spin the caller sleeps: cores are for computing, and a rank
/// may wait here for as long as another one's backward pass takes.
static inline void lacuna_barrier_wait(lacuna_barrier *barrier, uint32_t members) {
    // The round cannot end before this member has arrived, so the number read here is this round's.
    uint32_t round = __atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == members) {
        __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&barrier->round, round + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&barrier->sleepers, __ATOMIC_SEQ_CST) > 0)
            syscall(SYS_futex, &barrier->round, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        return;
    }
    for (int spin = 0; spin < 1000; spin++) {
        if (__atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE) != round) return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    __atomic_add_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&barrier->round, __ATOMIC_SEQ_CST) == round)
        syscall(SYS_futex, &barrier->round, FUTEX_WAIT, round, NULL, NULL, 0);
    __atomic_sub_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
}

enum { LACUNA_BLOCK = 512, LACUNA_LEVELS = 12 };

// Adds `count` values of every member at `offset` along the fixed binary tree ((0 + 1) + (2 + 3)) + …, the order that
// makes 1, 2, 4 and 8 ranks give the same bits when each rank adds its own share along the same tree. A stack holds
// one partial sum per level, as in binary counting. The result goes to `result`, and with `spread` to every member.
#define LACUNA_TREE_SUM(name, type)                                                                                    \
    static inline void name(const uintptr_t *members, int ranks, size_t offset, size_t count, type *result,            \
                            int spread) {                                                                              \
        type partial[LACUNA_LEVELS][LACUNA_BLOCK];                                                                     \
        for (size_t start = 0; start < count; start += LACUNA_BLOCK) {                                                 \
            size_t width = count - start < LACUNA_BLOCK ? count - start : LACUNA_BLOCK;                                \
            int depth = 0;                                                                                             \
            for (int rank = 0; rank < ranks; rank++) {                                                                 \
                memcpy(partial[depth++], (const type *)members[rank] + offset + start, width * sizeof(type));          \
                for (int pairs = rank + 1; depth > 1 && (pairs % 2 == 0 || rank == ranks - 1); pairs /= 2) {           \
                    type *left = partial[depth - 2];                                                                   \
                    const type *right = partial[depth - 1];                                                            \
                    for (size_t i = 0; i < width; i++) left[i] += right[i];                                            \
                    depth--;                                                                                           \
                }                                                                                                      \
            }                                                                                                          \
            memcpy(result + start, partial[0], width * sizeof(type));                                                  \
            for (int rank = 0; spread && rank < ranks; rank++)                                                         \
                memcpy((type *)members[rank] + offset + start, partial[0], width * sizeof(type));                      \
        }                                                                                                              \
    }

LACUNA_TREE_SUM(lacuna_tree_sum_floats, float)
LACUNA_TREE_SUM(lacuna_tree_sum_doubles, double)

/// y += x, and y = max(x, y)
static inline void lacuna_add_floats(const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += x[i];
}
static inline void lacuna_add_doubles(const double *x, double *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += x[i];
}
static inline void lacuna_maximum(const double *x, double *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = x[i] > y[i] ? x[i] : y[i];
}
