/// Facts that a launcher tells a process through the environment.
public struct LaunchEnvironment: Sendable, Equatable {
    /// Ranks of the job and the variable that says so; nil when the launcher does not say.
    let announced: (ranks: Int, variable: String)?
    /// True when a launcher has started this process.
    public let isLaunched: Bool
    /// True under `mpirun --enable-recovery`.
    let keepsGoingAfterDeath: Bool

    public init(_ environment: [String: String]) {
        // MPICH and its relatives set PMI_SIZE, MVAPICH its own name: their presence under an Open MPI program is the
        // usual way to get N processes that do not know of each other.
        var sizes = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"]
        // Only srun sets it; SLURM_NTASKS is also there in a batch script that starts one plain process.
        sizes.append("SLURM_STEP_NUM_TASKS")
        announced =
            sizes.lazy.compactMap { name in
                environment[name].flatMap { Int($0) }.map { (ranks: $0, variable: name) }
            }.first
        isLaunched =
            (announced?.ranks ?? 1) > 1 || environment["PMIX_RANK"] != nil
            || environment["OMPI_COMM_WORLD_SIZE"] != nil
        keepsGoingAfterDeath = environment["OMPI_MCA_orte_enable_recovery"].map { $0 != "0" } ?? false
    }

    /// Ranks of the job as the launcher says; 1 where it does not say.
    public var ranks: Int { announced?.ranks ?? 1 }

    public static func == (a: LaunchEnvironment, b: LaunchEnvironment) -> Bool {
        a.isLaunched == b.isLaunched && a.announced?.ranks == b.announced?.ranks
    }

    /// The group of this process: alone without a launcher, and then MPI is never called.
    /// - Parameter isCanonical: add along a fixed binary tree between nodes too, so that 1, 2, 4, 8 ranks give the
    ///   same bits; slower than the library's own order when there are several nodes.
    public func join(isCanonical: Bool = false) throws(ClusterError) -> any Communicator {
        guard isLaunched else { return SingleProcess() }
        if keepsGoingAfterDeath { throw .recovery }
        let world = try MPIWorld(isCanonical: isCanonical)
        if let announced, announced.ranks != world.size {
            throw .singletons(expected: announced.ranks, found: world.size, variable: announced.variable)
        }
        return world
    }
}
