/// Changes to one square map: up to `warps` affine maps, then a part of the result resized.
public struct MapGeometry: Sendable, Equatable {
    /// A mirror, a rotation, two translations or shears along each axis.
    public static let warps = 6
    /// Floats that hold one: the part, then the maps.
    public static let floats = 4 + warps * MapWarp.floats

    public var crop: MapCrop
    /// Affine maps in their order, without those that move nothing.
    public private(set) var warps: [MapWarp]

    public init(_ crop: MapCrop, warps: [MapWarp]) {
        precondition(warps.count <= Self.warps, "at most \(Self.warps) maps")
        (self.crop, self.warps) = (crop, warps)
    }

    public func write(to floats: Floats) {
        precondition(floats.count == Self.floats, "the floats of one geometry")
        floats[0..<4].copy(from: [Float(crop.top), Float(crop.left), Float(crop.height), Float(crop.width)])
        for place in 0..<Self.warps {
            let start = 4 + place * MapWarp.floats
            (place < warps.count ? warps[place] : .identity).write(to: floats[start..<start + MapWarp.floats])
        }
    }
}

extension MapGeometry {
    /// One of many, as `write` stored it: read where it lies, without an array.
    public struct Stored: Sendable {
        private let floats: Floats

        fileprivate init(_ floats: Floats) { self.floats = floats }

        private var crop: MapCrop {
            MapCrop(top: Int(floats[0]), left: Int(floats[1]), height: Int(floats[2]), width: Int(floats[3]))
        }

        private func warp(_ place: Int) -> MapWarp {
            let start = 4 + place * MapWarp.floats
            return MapWarp(floats[start..<start + MapWarp.floats])
        }

        /// The same movement of maps whose side is that of these over `factor`.
        public func smaller(by factor: Int) -> Stored {
            let result = Floats(zeros: MapGeometry.floats)
            let part = MapCrop(
                top: crop.top / factor, left: crop.left / factor, height: max(crop.height / factor, 1),
                width: max(crop.width / factor, 1))
            MapGeometry(part, warps: (0..<MapGeometry.warps).map { warp($0).smaller(by: factor) }).write(to: result)
            return Stored(result)
        }

        /// y = the moved part of x, `resized` a side.
        /// - Parameter scratch: room for two maps like x.
        public func apply(
            _ x: Floats, side: Int, channels: Int, into y: Floats, _ resized: Int, scratch: Floats
        ) {
            var from = x
            var free = (scratch[0..<x.count], scratch[x.count..<2 * x.count])
            for place in 0..<MapGeometry.warps {
                let warp = warp(place)
                if warp == .identity { continue }
                warp.apply(from, into: free.0, side: side, channels: channels)
                from = free.0
                free = (free.1, free.0)
            }
            crop.resize(from, columns: side, into: y, side: resized, channels: channels)
        }

        /// - Returns: what `apply` hands back of dy, in the scratch.
        public func applyBackward(
            _ dy: Floats, _ resized: Int, side: Int, channels: Int, scratch: Floats
        ) -> Floats {
            let count = side * side * channels
            var (gradient, free) = (scratch[0..<count], scratch[count..<2 * count])
            gradient.fill(0)
            crop.resizeBackward(dy, side: resized, addingTo: gradient, columns: side, channels: channels)
            for place in (0..<MapGeometry.warps).reversed() {
                let warp = warp(place)
                if warp == .identity { continue }
                warp.applyBackward(gradient, into: free, side: side, channels: channels)
                (gradient, free) = (free, gradient)
            }
            return gradient
        }
    }

    /// The geometry of sample `index` among those stored one after the other.
    public static func stored(_ floats: Floats, _ index: Int) -> Stored {
        Stored(floats[index * Self.floats..<(index + 1) * Self.floats])
    }
}
