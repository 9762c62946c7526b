public import Kernels
public import Recipes

/// One tensor of a run: where it lies in the run's buffers, and its rank (LARS leaves vectors alone).
public struct RunTensor: Sendable, Equatable {
    public let range: Range<Int>
    public let rank: Int

    public init(range: Range<Int>, rank: Int) {
        self.range = range
        self.rank = rank
    }
}

/// The tensors that share a learning rate and a weight decay. A tensor that receives no gradient is left out: it keeps
/// its value and its state, and does not decay.
public struct ParameterRun: Sendable {
    public let values: Floats
    public let gradients: Floats
    /// One buffer per name in the rule's `stateNames`, zero before the first update.
    public let state: [Floats]
    public let tensors: [RunTensor]
    package let pieces: UpdatePieces
    /// Two numbers a tensor, written by `measure`, read by `apply`. Where the state is sharded the ranks add theirs
    /// between the two.
    public let norms: Buffer<Double>
    /// Room for up to two numbers of each tensor, to be handed to a kernel.
    public let factors: Floats

    public init(values: Floats, gradients: Floats, state: [Floats], tensors: [RunTensor]) {
        self.values = values
        self.gradients = gradients
        self.state = state
        self.tensors = tensors
        pieces = UpdatePieces(tensors.map(\.range))
        norms = Buffer(zeros: 2 * tensors.count)
        factors = Floats(zeros: 2 * tensors.count)
    }

    /// One pass of a kernel: values and state move.
    /// - Parameters:
    ///   - coefficients: the numbers that the kernel's body lists.
    ///   - factors: the first numbers of each tensor, in place of the first coefficients.
    public func update<let count: Int>(
        _ kernel: UpdateKernel, _ coefficients: [count of Double], factors: Floats? = nil, pool: WorkerPool
    ) {
        pool.update(kernel, values, gradients, state: state, coefficients, pieces, factors: factors)
    }

    /// One pass of a kernel that writes `norms`.
    public func measure<let count: Int>(
        _ kernel: UpdateKernel, _ coefficients: [count of Double], pool: WorkerPool
    ) {
        let state = kernel.state == 0 ? [] : state
        pool.measure(kernel, values, gradients, state: state, coefficients, pieces, norms: norms)
    }
}

/// How values follow their gradients: one file with the rule's keys, checks and formula.
///
/// What a rule is handed: in `run.gradients` the mean over the global batch, after the clip and after gradient noise; the
/// learning rate in force, already scaled by the batch and by the group's `LayerDecay`; the weight decay in force, 0 for
/// groups that do not decay; and `step`, the updates of this network including this one, from 1. An update that is
/// skipped, since its gradient is not finite, does not reach the rule and counts for none. `run.state` has one buffer of
/// zeros per name in `stateNames` before the first update; checkpoints keep them.
///
/// `measure` and `apply` together are one update; neither allocates. Coefficients are formed in Double and rounded once,
/// by `ParameterRun.update`, which runs a kernel of CKernels/bodies/update.h over the pool: a rule with a loop of its own
/// adds a body there and a line in its table.
public protocol UpdateRule: Sendable {
    /// The rule's own keys in the section `optimizer`.
    associatedtype Settings: RecipeSection
    /// Its name in a recipe.
    static var kind: String { get }
    init(_ settings: Settings)
    /// Names of the state buffers in checkpoints, in the order of `ParameterRun.state`.
    var stateNames: [String] { get }
    /// How the trainer clips before this rule.
    var clipForm: Clip.Form { get }
    /// First half: what needs norms writes its moments and `run.norms`; elementwise rules do nothing.
    func measure(_ run: ParameterRun, weightDecay: Double, step: Int, pool: WorkerPool)
    /// Second half: the new values.
    func apply(_ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool)
}

extension UpdateRule {
    /// The rule that a checked recipe describes.
    public static func make(_ recipe: Recipe) throws(RecipeError) -> Self {
        Self(try recipe.optimizer.decode(Settings.self))
    }

    /// What `recipe check` needs to know of it.
    public static var entry: Catalogue.Kind { .init(Settings.self) }

    public var clipForm: Clip.Form { .torch }

    public func measure(_ run: ParameterRun, weightDecay: Double, step: Int, pool: WorkerPool) {}

    /// Both halves, for runs that are not cut over ranks.
    public func update(
        _ run: ParameterRun, learningRate: Double, weightDecay: Double, step: Int, pool: WorkerPool
    ) {
        measure(run, weightDecay: weightDecay, step: step, pool: pool)
        apply(run, learningRate: learningRate, weightDecay: weightDecay, step: step, pool: pool)
    }
}

extension Recipe {
    /// The update rule of a checked recipe, the one of a catalog's that it names.
    public func updateRule(_ rules: [any UpdateRule.Type]) throws -> any UpdateRule {
        guard let rule = rules.first(where: { $0.kind == optimizer.kind }) else {
            preconditionFailure("a checked recipe names no update rule '\(optimizer.kind)'")
        }
        return try rule.make(self)
    }
}

/// Checks that many settings have.
extension Here {
    func requireBetas(_ betas: [Double]) {
        require(betas.count == 2, at: "betas", "2 numbers expected, found \(betas.count)")
        require(betas.allSatisfy { (0..<1).contains($0) }, at: "betas", "numbers from 0 to below 1 expected")
    }

    func requireMomentum(_ momentum: Double, _ dampening: Double, _ nesterov: Bool) {
        require((0..<1).contains(momentum), at: "momentum", "0 to below 1 expected, found \(momentum)")
        require(
            !nesterov || (momentum > 0 && dampening == 0), at: "nesterov", reading: ["momentum", "dampening"],
            "Nesterov needs momentum and no dampening")
    }

    func requirePositive(_ value: Double, at key: String) {
        require(value > 0, at: key, "more than 0 expected, found \(value)")
    }

    func requireNotNegative(_ value: Double?, at key: String) {
        if let value { require(value >= 0, at: key, "0 or more expected, found \(value)") }
    }
}
