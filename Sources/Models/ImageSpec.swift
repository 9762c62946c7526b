/// The images a model is built for.
public struct ImageSpec: Sendable, Equatable {
    /// Side in pixels; images are square.
    public let side: Int
    public let channels: Int

    public init(side: Int, channels: Int = 3) {
        self.side = side
        self.channels = channels
    }
}
