// Open MPI's handles are macros, which Swift cannot import; each call that needs one is wrapped here.
#pragma once
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include "node.h"

static inline MPI_Comm lacuna_mpi_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Comm lacuna_mpi_none(void) { return MPI_COMM_NULL; }

/// Starts MPI with the highest thread level; `level` receives what the library grants.
static inline int lacuna_mpi_start(int *level) { return MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, level); }
static inline int lacuna_mpi_needed_level(void) { return MPI_THREAD_MULTIPLE; }

/// Failed calls return a code instead of ending the job.
static inline int lacuna_mpi_return_errors(MPI_Comm group) { return MPI_Comm_set_errhandler(group, MPI_ERRORS_RETURN); }

static inline int lacuna_mpi_split_nodes(MPI_Comm group, MPI_Comm *node) {
    return MPI_Comm_split_type(group, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, node);
}

static inline int lacuna_mpi_sum_floats(float *values, int count, MPI_Comm group) {
    return MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_FLOAT, MPI_SUM, group);
}
static inline int lacuna_mpi_sum_doubles(double *values, int count, MPI_Comm group) {
    return MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, group);
}
static inline int lacuna_mpi_maximum(double *values, int count, MPI_Comm group) {
    return MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_MAX, group);
}
static inline int lacuna_mpi_send(const void *bytes, int count, int to, int tag, MPI_Comm group) {
    return MPI_Send(bytes, count, MPI_BYTE, to, tag, group);
}
static inline int lacuna_mpi_receive(void *bytes, int count, int from, int tag, MPI_Comm group) {
    return MPI_Recv(bytes, count, MPI_BYTE, from, tag, group, MPI_STATUS_IGNORE);
}
/// `all` receives `count` bytes of each rank, in rank order.
static inline int lacuna_mpi_share(const void *mine, int count, void *all, MPI_Comm group) {
    return MPI_Allgather(mine, count, MPI_BYTE, all, count, MPI_BYTE, group);
}
static inline int lacuna_mpi_broadcast(void *bytes, int count, int root, MPI_Comm group) {
    return MPI_Bcast(bytes, count, MPI_BYTE, root, group);
}

/// True when a message started before has left; a message still under way is left alone.
static inline int lacuna_mpi_is_done(MPI_Request *request) {
    int done = 1;
    return MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS || done;
}
/// Starts a message that nobody waits for.
static inline int lacuna_mpi_post(const void *bytes, int count, int to, MPI_Comm group, MPI_Request *request) {
    return MPI_Isend(bytes, count, MPI_BYTE, to, 0, group, request);
}
/// Takes the newest message of `from`, if one has come; `came` tells.
static inline int lacuna_mpi_collect(void *bytes, int count, int from, MPI_Comm group, int *came) {
    *came = 0;
    for (;;) {
        int here = 0;
        int code = MPI_Iprobe(from, 0, group, &here, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS || !here) return code;
        code = MPI_Recv(bytes, count, MPI_BYTE, from, 0, group, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS) return code;
        *came = 1;
    }
}
static inline MPI_Request lacuna_mpi_no_request(void) { return MPI_REQUEST_NULL; }

/// Letters of the library's description of itself; 0 after the last. May be asked before MPI is started.
static inline unsigned char lacuna_mpi_library_letter(int position) {
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    if (MPI_Get_library_version(text, &length) != MPI_SUCCESS || position >= length) return 0;
    return (unsigned char)text[position];
}
