public import Autodiff
public import Kernels

/// The vectors at the positions that a mask shows, in their order: (B, side², C) to (B, shown, C).
/// mask: (B, m, m), 1 = masked; a position takes the element above its upper left corner. Keeps the mask.
public struct VisibleRows: Operation {
    private let visible: Int

    /// - Parameter visible: visible rows of an image, as many in each.
    public init(_ visible: Int) { self.visible = visible }

    public func callAsFunction(_ x: Tensor, mask: Tensor) -> Tensor { x.apply(self, mask) }

    public var keeps: Kept { .input(1) }

    public func outputShape(of shapes: [Shape]) throws(ShapeError) -> Shape {
        let (rows, mask) = (shapes[0], shapes[1])
        guard rows.rank == 3, mask.rank == 3, mask[0] == rows[0], visible > 0, visible <= rows[1],
            Self.side(rows) * Self.side(rows) == rows[1],
            Self.side(rows) % mask[1] == 0 || mask[1] % Self.side(rows) == 0
        else { throw ShapeError("\(visible) visible rows of \(rows) by a mask \(mask)") }
        return [rows[0], visible, rows[2]]
    }

    private static func side(_ rows: Shape) -> Int { Int(Double(rows[1]).squareRoot().rounded()) }

    public func forward(_ at: Workspace) { move(at, at.inputs[0], at.output, isBack: false, adds: false) }

    public func backward(_ at: Workspace) {
        guard let dx = at.inputGradients[0] else { return }
        if !at.adds[0] { dx.fill(0) }
        move(at, dx, at.outputGradient, isBack: true, adds: true)
    }

    /// Between all rows and the shown ones of every image.
    private func move(_ at: Workspace, _ all: Floats, _ shown: Floats, isBack: Bool, adds: Bool) {
        let (B, N, C) = at.shapes[0].three
        let form = (all: N, shown: visible, channels: C, side: Self.side(at.shapes[0]), mask: at.shapes[1][1])
        at.pool.split(B, grain: 1, (all, shown, at.inputs[1], form, isBack)) { arguments, images in
            let (all, shown, mask, form, isBack) = arguments
            for image in images {
                var count = 0
                for position in 0..<form.all where count < form.shown {
                    let row = position / form.side * form.mask / form.side
                    let column = position % form.side * form.mask / form.side
                    if mask[(image * form.mask + row) * form.mask + column] != 0 { continue }
                    let (whole, part) = (image * form.all + position, image * form.shown + count)
                    let x = all[whole * form.channels..<(whole + 1) * form.channels]
                    let y = shown[part * form.channels..<(part + 1) * form.channels]
                    if isBack { x.take(y, adding: true) } else { y.copy(from: x) }
                    count += 1
                }
                precondition(count == form.shown, "an image shows as many positions as the plan says")
            }
        }
    }
}

/// Images (B, H, W, C) whose masked cells are 0, which is the mean colour. No gradient.
public enum VisiblePixels {
    /// - Parameter mask: (B, m, m), 1 = masked; m divides the side.
    public static func of(_ images: Tensor, mask: Tensor) -> Tensor {
        images.apply(PaddedImages(padding: 0, isMasked: true), mask)
    }
}
