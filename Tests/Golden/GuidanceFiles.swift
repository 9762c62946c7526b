import Autodiff
import Checkpoints
import Kernels
import Layers
import Testing

/// Alignment of two arrays by one of the two forms.
struct MeasuredAlignment {
    /// This rank's share of the distance.
    let distance: Double
    /// Of the distances of all ranks, on this rank's rows.
    let gradient: [Float]

    /// - Parameters:
    ///   - samples: the first extent of both shapes.
    ///   - record: what is done with both before they are compared.
    init(
        _ x: [Float], _ xShape: Shape, _ y: [Float], _ yShape: Shape, _ form: Comparison, _ groups: SampleGroups,
        usesGram: Bool, sumOverRanks: @escaping @Sendable (Floats) -> Void = { _ in },
        record: (Tensor) -> Tensor = { $0 }
    ) throws {
        let graph = Graph()
        let held = graph.apply(TrainedInput(graph.scope, "x", xShape), to: [])
        let (target, input) = (record(held), graph.input("y", yShape))
        let guide = record(input)
        let distance =
            usesGram
            ? GramAlignment(form, groups)(target, CentredGram(form, groups)(guide))
            : FeatureAlignment(form, groups)(target, guide)
        let pool = WorkerPool(threads: 1)
        let store = ParameterStore(graph, minimising: distance, seed: 0, pool: pool)
        var options = PlanOptions()
        options.sumOverRanks = sumOverRanks
        let plan = try Plan(
            graph, minimising: distance, keeping: [distance], store: store, pool: pool, options: options)
        try #require(store.value("x")).copy(from: x)
        plan.set(input, Floats(y))
        plan.forward()
        plan.backward()
        self.distance = Double(plan.value(of: distance)[0])
        gradient = try #require(store.gradient("x")).array
    }
}

/// |ours - reference| <= 1e-5 of the reference's largest entry. A gradient that is exactly zero is only rounding here:
/// then 1e-6, the rounding of sums of numbers around 1.
func expectAligned(
    _ ours: [Float], _ reference: [Float], sign: Float = 1, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let largest = reference.reduce(Float(0.1)) { max($0, abs($1)) }
    let worst = zip(ours, reference).reduce(Float(0)) { max($0, abs($1.0 - sign * $1.1)) }
    #expect(ours.count == reference.count, "\(what)", sourceLocation: sourceLocation)
    #expect(worst <= 1e-5 * largest, "\(what): off by \(worst), largest \(largest)", sourceLocation: sourceLocation)
}
