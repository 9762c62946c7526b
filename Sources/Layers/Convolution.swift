public import Autodiff
import Kernels

/// A square convolution over all positions of a map or over the active ones: weight [out, in/groups, k, k], optional
/// bias [out], PyTorch's names. Taps on masked or outside positions count as 0, and only active outputs are computed.
public struct Convolution {
    private let weight: Parameter
    private let bias: Parameter?
    private let window: Window
    private let groups: Int

    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, _ window: Window, groups: Int = 1, bias: Bool = false,
        init initializer: Initializer, biasInit: Initializer = .zeros
    ) {
        precondition(inputs % groups == 0 && outputs % groups == 0, "\(groups) groups of equal size")
        weight = scope.parameter("weight", [outputs, inputs / groups, window.kernel, window.kernel], initializer)
        self.bias = bias ? scope.parameter("bias", [outputs], biasInit) : nil
        self.window = window
        self.groups = groups
    }

    private var outputs: Int { weight.shape[0] }

    public func callAsFunction(_ x: GridRows) -> GridRows {
        let side = x.side / window.stride
        return GridRows(rows: rows(x), side: side, cells: x.cells)
    }

    private func rows(_ x: GridRows) -> Tensor {
        if window == Window(1), groups == 1 {
            return x.rows.apply(Linear(weight: weight, bias: bias.map { .full($0) } ?? .none))
        }
        let reads = x.cells.reads(window, side: x.side)
        let shape = x.cells.shape(side: x.side / window.stride, channels: outputs)
        if groups == outputs, weight.shape[1] == 1, groups == x.channels, window.stride == 1 {
            let operation = DepthwiseConvolution(weight: weight, bias: bias, reads: reads.held(by: 1))
            return x.cells.graph.apply(operation, to: [x.rows, reads.tensor].compactMap(\.self))
        }
        let readers = x.cells.readers(window, side: x.side)
        let products = WindowProducts(
            window, weight: weight, groups: groups, tile: x.tile, reads: reads, readers: readers, first: 1)
        let operation = WindowConvolution(weight: weight, bias: bias, products: products, shape: shape)
        return x.cells.graph.apply(operation, to: [x.rows] + products.tensors(reads, readers))
    }

    /// The same over dense feature maps from active rows: one learned vector stands at every masked position.
    /// - Parameter token: as many values as x has channels.
    public func callAsFunction(_ x: GridRows, filling token: Parameter) -> GridRows {
        precondition(groups == 1, "groups of a dense map")
        return DensifiedConvolution.apply(x, weight: weight, bias: bias, window: window, filling: token)
    }

    /// The first convolution of a network, over images (B, H, W, C), H = W: masked cells count as 0. Images get no
    /// gradient.
    public func callAsFunction(_ images: Tensor, cells: ActiveCells) -> GridRows {
        let side = images.shape[1]
        let padded = images.graph.apply(
            PaddedImages(padding: window.padding, isMasked: cells.mask != nil),
            to: [images, cells.mask].compactMap(\.self))
        let lines = cells.imageLines(window, side: side)
        let operation = ImageConvolution(
            weight: weight, bias: bias, window: window, tile: side / window.stride / cells.grid,
            lines: lines.held(by: 1), shape: cells.shape(side: side / window.stride, channels: outputs))
        let rows = images.graph.apply(operation, to: [padded, lines.tensor].compactMap(\.self))
        return GridRows(rows: rows, side: side / window.stride, cells: cells)
    }
}

/// The inverse of a strided convolution in extents: weight [in, out, k, k], bias [out], over dense feature maps.
public struct TransposedConvolution {
    private let weight, bias: Parameter
    private let window: Window

    public init(
        _ scope: Scope, _ inputs: Int, _ outputs: Int, _ window: Window, init initializer: Initializer,
        biasInit: Initializer = .zeros
    ) {
        weight = scope.parameter("weight", [inputs, outputs, window.kernel, window.kernel], initializer)
        bias = scope.parameter("bias", [outputs], biasInit)
        self.window = window
    }

    public func callAsFunction(_ x: GridRows) -> GridRows {
        let side = x.side * window.stride
        let (reads, readers) = (x.cells.reads(window, side: side), x.cells.readers(window, side: side))
        let products = WindowProducts(
            window, weight: weight, groups: 1, tile: side / x.cells.grid, reads: reads, readers: readers, first: 1)
        let operation = WindowConvolution(
            weight: weight, bias: bias, products: products,
            shape: x.cells.shape(side: side, channels: weight.shape[1]), isTransposed: true)
        let rows = x.cells.graph.apply(operation, to: [x.rows] + products.tensors(reads, readers))
        return GridRows(rows: rows, side: side, cells: x.cells)
    }
}
