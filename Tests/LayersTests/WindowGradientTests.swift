import Autodiff
import Kernels
import Layers
import Testing

/// Maps for window operations: whole ones, and ones with hidden cells, the same number in each image or not.
enum MapKind: CaseIterable {
    case whole, even, uneven

    /// Two images of 3 × 3 cells, or dense feature maps.
    func cells(_ check: GradientCheck) -> ActiveCells {
        switch self {
        case .whole: return ActiveCells(all: 2, in: check.graph)
        case .even:
            let hidden: [Float] = [0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1]
            return ActiveCells(mask: check.constant([2, 3, 3], hidden), visible: 4)
        case .uneven:
            let hidden: [Float] = [1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
            return ActiveCells(mask: check.constant([2, 3, 3], hidden), total: 8, isEven: false)
        }
    }

    func source(_ check: GradientCheck, side: Int = 12, channels: Int) -> GridRows {
        let cells = cells(check)
        return GridRows(
            rows: check.source("x", cells.shape(side: side, channels: channels)), side: side, cells: cells)
    }
}

/// Convolutions, poolings and batch norm against differences.
@Suite struct WindowGradientTests {
    static let windows = [
        Window.same(3), .same(3, stride: 2), .same(1, stride: 2), Window(2, stride: 2), Window(4, stride: 4),
        Window(3, padding: 2, dilation: 2), .same(7, stride: 2),
    ]

    @Test(arguments: MapKind.allCases, windows)
    func `a convolution has the gradient of its output`(kind: MapKind, window: Window) throws {
        let check = GradientCheck(threads: 2)
        let x = kind.source(check, channels: 5)
        let layer = Convolution(check.scope, 5, 9, window, bias: true, init: .zeros)
        try check.run(layer(x).rows, inputsHaveOtherUses: window.stride > 2)
    }

    @Test(arguments: MapKind.allCases, [1, 2])
    func `a grouped convolution has the gradient of its output`(kind: MapKind, stride: Int) throws {
        let check = GradientCheck()
        let x = kind.source(check, channels: 6)
        let layer = Convolution(check.scope, 6, 4, .same(3, stride: stride), groups: 2, init: .zeros)
        try check.run(layer(x).rows, inputsHaveOtherUses: stride == 1)
    }

    @Test(arguments: MapKind.allCases, [3, 7])
    func `a depthwise convolution has the gradient of its output`(kind: MapKind, kernel: Int) throws {
        let check = GradientCheck()
        let x = kind.source(check, side: kernel == 3 ? 12 : 3, channels: 37)
        let layer = Convolution(check.scope, 37, 37, .same(kernel), groups: 37, bias: true, init: .zeros)
        try check.run(layer(x).rows, inputsHaveOtherUses: kernel == 3)
    }

    @Test(arguments: MapKind.allCases, [Window.same(7, stride: 2), Window(4, stride: 4), .same(3)])
    func `a first convolution has the gradient of its output`(kind: MapKind, window: Window) throws {
        let check = GradientCheck()
        let cells = kind.cells(check)
        let images = check.constant([2, 12, 12, 3], check.numbers(2 * 12 * 12 * 3))
        let layer = Convolution(check.scope, 3, 5, window, bias: true, init: .zeros)
        try check.run(layer(images, cells: cells).rows)
    }

    @Test func `a transposed convolution has the gradient of its output`() throws {
        let check = GradientCheck(threads: 2)
        let x = MapKind.whole.source(check, side: 5, channels: 7)
        let layer = TransposedConvolution(check.scope, 7, 3, Window(4, stride: 2, padding: 1), init: .zeros)
        try check.run(layer(x).rows, inputsHaveOtherUses: true)
    }

    @Test(arguments: MapKind.allCases, [Window.same(3, stride: 2), .same(3), Window(2, stride: 2)])
    func `poolings have the gradient of their output`(kind: MapKind, window: Window) throws {
        for otherUses in [false, true] {
            for countsPadding in [true, false] {
                let check = GradientCheck()
                let x = kind.source(check, channels: 3)
                try check.run(
                    Pooling.average(x, window, countsPadding: countsPadding).rows, inputsHaveOtherUses: otherUses)
            }
        }
    }

    @Test(arguments: MapKind.allCases, [BatchNorm.Activation.none, .relu, .relu6])
    func `batch norm has the gradient of its output`(kind: MapKind, activation: BatchNorm.Activation) throws {
        for otherUses in [false, true] {
            let check = GradientCheck()
            let x = kind.source(check, side: 6, channels: 5)
            // The gradient check knows no kinks: values keep away from them by their offset.
            let norm = BatchNorm(check.scope, 5)
            let residual = check.source("r", x.rows.shape)
            let keep = kind == .uneven ? nil : check.constant([2], [1.25, 0])
            let y = norm(x.rows, adding: residual, keep: keep, activation)
            try check.run(activation == .none ? y : y.apply(Damped()), inputsHaveOtherUses: otherUses)
        }
    }

    @Test(arguments: [false, true]) func `NormalisedCellLoss has the gradient of its prediction`(otherUses: Bool) throws
    {
        let check = GradientCheck()
        let image = check.source("image", [2, 36, 3])
        let images = check.constant([2, 6, 6, 3], check.numbers(2 * 36 * 3))
        let mask = check.constant([2, 2, 2], [1, 0, 0, 1, 0, 1, 1, 1])
        try check.run(NormalisedCellLoss()(image, images, mask: mask), inputsHaveOtherUses: otherUses)
    }

    @Test(arguments: [MapKind.even, .uneven], [3, 1])
    func `a convolution of a filled map has the gradient of its output`(kind: MapKind, kernel: Int) throws {
        for otherUses in [false, true] {
            let check = GradientCheck(threads: 2)
            let x = kind.source(check, side: 6, channels: 5)
            let token = check.scope.parameter("token", [1, 5, 1, 1], .zeros)
            let layer = Convolution(check.scope, 5, 37, .same(kernel), bias: true, init: .zeros)
            try check.run(layer(x, filling: token).rows, inputsHaveOtherUses: otherUses)
        }
    }

    @Test(arguments: [MapKind.even, .uneven])
    func `filling a map has the gradient of rows and token`(kind: MapKind) throws {
        for otherUses in [false, true] {
            let check = GradientCheck()
            let x = kind.source(check, side: 6, channels: 5)
            let token = check.scope.parameter("token", [1, 5, 1, 1], .zeros)
            try check.run(Densification.fill(x, with: token).rows, inputsHaveOtherUses: otherUses)
        }
    }
}

/// y = x³: with it a cut at 0 has no kink.
private struct Damped: Operation {
    var keeps: Kept { .inputs }
    func outputShape(of inputs: [Shape]) throws(ShapeError) -> Shape { inputs[0] }
    func forward(_ at: Workspace) {
        for index in 0..<at.output.count {
            let x = at.inputs[0][index]
            at.output[index] = x * x * x
        }
    }
    func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        for index in 0..<dx.count {
            let x = at.inputs[0][index]
            dx[index] = 3 * x * x * at.outputGradient[index] + (at.adds[0] ? dx[index] : 0)
        }
    }
}
