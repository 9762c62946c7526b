public import Kernels

/// One tensor of a run: where it lies in the run's buffers, and its rank (LARS leaves vectors alone).
public struct RunTensor: Sendable, Equatable {
    public let range: Range<Int>
    public let rank: Int

    public init(range: Range<Int>, rank: Int) {
        self.range = range
        self.rank = rank
    }
}

/// The tensors that share a rate and a decay. A tensor that receives no gradient is left out: it keeps its value and
/// its state, and does not decay.
public struct ParameterRun: Sendable {
    public let values: Floats
    public let gradients: Floats
    /// One buffer per name in the rule's `stateNames`, zero before the first update.
    public let state: [Floats]
    public let tensors: [RunTensor]
    let pieces: UpdatePieces
    /// Two numbers a tensor, written by `measure`, read by `apply`. Where the state is sharded the ranks add theirs
    /// between the two.
    public let norms: Buffer<Double>
    let factors: Floats

    public init(values: Floats, gradients: Floats, state: [Floats], tensors: [RunTensor]) {
        self.values = values
        self.gradients = gradients
        self.state = state
        self.tensors = tensors
        pieces = UpdatePieces(tensors.map(\.range))
        norms = Buffer(zeros: 2 * tensors.count)
        factors = Floats(zeros: 2 * tensors.count)
    }
}

/// How values follow their gradients. `measure` and `apply` together are one update; neither allocates.
/// All coefficients are formed in Double and rounded once; the pass over memory is one kernel, cut over the pool.
public protocol UpdateRule: Sendable {
    /// Names of the state buffers in checkpoints, in the order of `ParameterRun.state`.
    var stateNames: [String] { get }
    /// First half: what needs norms writes its moments and `run.norms`; elementwise rules do nothing.
    func measure(_ run: ParameterRun, decay: Double, step: Int, pool: WorkerPool)
    /// Second half: the new values.
    /// - Parameters:
    ///   - rate: the rate in force, already multiplied by the group's scale.
    ///   - decay: the decay in force; 0 for tensors that do not decay.
    ///   - step: updates of this run including this one, from 1.
    func apply(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool)
}

extension UpdateRule {
    public func measure(_ run: ParameterRun, decay: Double, step: Int, pool: WorkerPool) {}

    /// Both halves, for runs that are not cut over ranks.
    public func update(_ run: ParameterRun, rate: Double, decay: Double, step: Int, pool: WorkerPool) {
        measure(run, decay: decay, step: step, pool: pool)
        apply(run, rate: rate, decay: decay, step: step, pool: pool)
    }
}
