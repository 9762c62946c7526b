public import Kernels

/// A trainable array, named as in the reference's state dict and shaped as there.
public struct Parameter: Sendable, Equatable {
    public let name: String
    public let shape: Shape
    public let initializer: Initializer
    /// A fixed table: it is stored as the others are, and no gradient reaches it.
    public let isFixed: Bool
}

/// An array of the state dict that no gradient reaches.
public struct RegisteredBuffer: Sendable {
    public enum Content: Sendable {
        /// A constant table, computed again by the model: written to checkpoints, never read back.
        case integers([Int])
        /// The same, of real numbers.
        case constants([Float])
        /// Numbers that training moves, such as running statistics.
        case floats(Initializer)
        /// One whole number that training counts up from 0. In memory a float, exact up to 2^24.
        case counter
    }
    public let name: String
    public let shape: Shape
    public let content: Content

    public var isInteger: Bool {
        switch content {
        case .integers, .counter: true
        case .constants, .floats: false
        }
    }

    /// The model makes it anew: nothing of it is read back.
    public var isConstant: Bool {
        switch content {
        case .integers, .constants: true
        case .floats, .counter: false
        }
    }
}
