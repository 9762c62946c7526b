import Batches
public import Kernels

/// Numbers of the tokens of an image as images: a pixel for each patch, from black for the smallest to white for the
/// largest. Source: code Ma-Lab-Berkeley/CRATE.
public enum TokenImages {
    /// 0...255 for numbers from the smallest to the largest; fractions are cut off.
    public static func scaled(_ numbers: [Double]) -> [UInt8] {
        guard let least = numbers.min(), let most = numbers.max(), most > least else {
            return numbers.map { _ in 0 }
        }
        return numbers.map { UInt8(($0 - least) / (most - least) * 255) }
    }

    /// Attention of one image's class token, a row of numbers per head: its weights (h, T, T) without its own,
    /// which are not normalised again.
    public static func classAttention(_ weights: Floats, heads: Int, tokens: Int) -> [[Double]] {
        (0..<heads).map { head in (1..<tokens).map { Double(weights[head * tokens * tokens + $0]) } }
    }

    /// The coordinates of every patch along the first components of all patches of all images together.
    /// - Parameters:
    ///   - projected: tokens in the subspaces, (B, T, h·k), the class token first.
    ///   - Returns: per image and component a number for each patch, and the components.
    public static func components(
        _ projected: [[[Double]]], count: Int = 4, pool: WorkerPool
    ) -> (coordinates: [[[Double]]], found: PrincipalComponents) {
        let found = PrincipalComponents(of: projected.flatMap { $0 }, count: count, pool: pool)
        let coordinates = projected.map { rows in
            let points = rows.map(found.project)
            return (0..<count).map { component in points.map { $0[component] } }
        }
        return (coordinates, found)
    }

    /// The patches of each image as rows of Doubles, without the class token.
    public static func patches(_ projected: Floats, samples: Int, tokens: Int) -> [[[Double]]] {
        let width = projected.count / (samples * tokens)
        return (0..<samples).map { sample in
            (1..<tokens).map { token in
                projected[(sample * tokens + token) * width..<(sample * tokens + token + 1) * width].array
                    .map { Double($0) }
            }
        }
    }

    /// An image of `side` × `side` pixels.
    /// - Parameter channels: red, green and blue, or one for grey.
    static func image(_ channels: [[UInt8]], side: Int) -> Image {
        var bytes: [UInt8] = []
        for pixel in 0..<side * side {
            for channel in 0..<3 { bytes.append(channels[min(channel, channels.count - 1)][pixel]) }
        }
        return Image(height: side, width: side, bytes: Bytes(bytes))
    }
}
