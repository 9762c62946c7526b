// Open MPI's handles are macros, which Swift cannot import; each is wrapped in a function here.
#pragma once
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

static inline MPI_Comm lacuna_mpi_world(void) { return MPI_COMM_WORLD; }
